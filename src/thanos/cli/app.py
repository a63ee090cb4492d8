"""The `thanos` command. Each command's module imports what it needs when it runs, so that --help is quick."""

import sys

import typer

from thanos.cli import (
    annotate,
    bench,
    chat,
    data,
    export,
    predict,
    respond,
    serve,
    setup,
    show,
    skills,
    sources,
    study,
    train,
    turns,
)

app = typer.Typer(
    name="thanos",
    help="Plan the conversational skill, then speak: the next speaker's thoughts and the skill they lead to.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
app.command("predict")(predict.predict)
app.command("respond")(respond.respond)
app.command("chat")(chat.chat)
app.command("serve")(serve.serve)
app.command("skills")(skills.skills)
app.command("show")(show.show)
app.command("setup")(setup.setup)
app.add_typer(sources.app, name="sources")
app.command("turns")(turns.turns)
app.add_typer(annotate.app, name="annotate")
app.add_typer(data.app, name="data")
app.command("train", context_settings={"ignore_unknown_options": True, "help_option_names": []})(train.train)
app.command("export")(export.export)
app.add_typer(study.app, name="study")
app.add_typer(bench.app, name="bench")


@app.callback(invoke_without_command=True)
def _main(version: bool = typer.Option(False, "--version", help="Print the version and exit.")) -> None:
    if version:
        from importlib.metadata import version as installed

        typer.echo(f"thanos {installed('thanos-skill-of-mind')}")
        raise typer.Exit


def main() -> None:
    """Entry point: an error that the user can mend is one line on standard error and exit code 2."""
    from thanos.errors import ThanosError
    from thanos.quiet_libraries import quiet_libraries

    quiet_libraries()
    try:
        app()
    except ThanosError as error:
        typer.echo(f"thanos: {error}", err=True)
        sys.exit(2)
    except BrokenPipeError:  # `thanos predict ... | head`
        sys.stderr.close()
        sys.exit(0)
