"""thanos show: the exact prompt that a model gets."""

from typing import Annotated, Optional

import typer

from thanos.cli.model_options import Adapter, BaseUrl, Model, PromptName


def show(
    file: Annotated[str, typer.Argument(help="As for predict; with --tokens, a training config.")],
    model: Model = "embedded",
    prompt: PromptName = None,
    context: Annotated[Optional[str], typer.Option(help="Social context of rows that have none.")] = None,
    limit: Annotated[int, typer.Option("--limit", "-n", min=1, help="Show the first N rows.")] = 1,
    adapter: Adapter = None,
    base_url: BaseUrl = None,
    tokens: Annotated[
        bool, typer.Option("--tokens", help="Every token of training rows, coloured by whether it is trained.")
    ] = False,
) -> None:
    """Print the messages of the first rows of FILE as the model would get them, and their number of tokens."""
    if tokens:
        from thanos.cli.training_tokens import show_training_tokens

        show_training_tokens(file, limit)
        return
    from itertools import islice

    from rich.console import Console
    from rich.text import Text

    from thanos.dialogue import read_rows
    from thanos.errors import ThanosError
    from thanos.predict import Thanos
    from thanos.predict.request import fit_dialogue

    thanos = Thanos(model, prompt=prompt, adapter=adapter, base_url=base_url)
    console = Console(soft_wrap=True, highlight=False)
    failed = False
    for row in islice(read_rows(file, context), limit):
        try:
            if row.dialogue is None:
                raise ThanosError(row.error)
            fitted = fit_dialogue(row.dialogue, thanos.prompt, thanos.engine, thanos.options)
        except ThanosError as error:
            typer.echo(f"thanos: line {row.line}: {error}", err=True)
            failed = True
            continue
        for message in fitted.messages:
            console.print(Text(f"--- {message['role']} ---", style="bold dim"))
            console.print(Text(message["content"]))
        count = thanos.engine.count_tokens(fitted.messages)
        window = thanos.engine.context_window
        cut = (
            f", {fitted.dropped_turns} turns and {fitted.dropped_characters} characters cut" if fitted.truncated else ""
        )
        limit_text = f" of {window}" if window else " (estimated; the server counts its own)"
        console.print(Text(f"--- {thanos.model}: {count} tokens{limit_text}{cut} ---", style="bold dim"))
    thanos.close()
    if failed:
        raise typer.Exit(1)
