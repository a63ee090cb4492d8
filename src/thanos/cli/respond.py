"""thanos respond: dialogues in, the next speaker's replies out."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from thanos.cli.model_options import Adapter, BatchSize, Concurrency, Mode, Model, PromptName, Retries, Timeout
from thanos.cli.responder_options import (
    Arm,
    PlannerUrl,
    ReplyTokens,
    ResponderName,
    ResponderUrl,
    Seed,
    Temperature,
)


def respond(
    file: Annotated[str, typer.Argument(help="JSONL, JSON or `Name: words` lines; - for standard input.")],
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="Append JSONL rows here; run again to go on after a stop.")
    ] = None,
    responder: ResponderName = "embedded/base",
    arm: Arm = "both",
    model: Model = "embedded",
    prompt: PromptName = None,
    mode: Mode = "explain",
    context: Annotated[Optional[str], typer.Option(help="Social context of rows that have none.")] = None,
    speaker: Annotated[Optional[str], typer.Option(help="Who answers. Default: whoever spoke before the last.")] = None,
    max_tokens: ReplyTokens = 160,
    temperature: Temperature = 0.0,
    seed: Seed = 0,
    base_url: PlannerUrl = None,
    responder_base_url: ResponderUrl = None,
    adapter: Adapter = None,
    batch_size: BatchSize = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    retries: Retries = None,
) -> None:
    """Plan the next speaker's skill for every dialogue of FILE, and let a chat model answer with it.

    Without -o: a page of text on a terminal, JSONL rows in a pipe.
    """
    from functools import partial

    from thanos.cli.long_run import end_run, to_file, to_screen
    from thanos.cli.replies import ReplyList
    from thanos.cli.responder_options import load_models
    from thanos.dialogue import read_rows
    from thanos.respond.run import answer_row, plan_and_speak, run_settings

    thanos, answers = load_models(
        model,
        responder,
        arm,
        planner={"prompt": prompt, "mode": mode, "seed": seed, "adapter": adapter, "base_url": base_url},
        replies={
            "max_tokens": max_tokens,
            "temperature": temperature,
            "seed": seed,
            "base_url": responder_base_url,
        },
        local={"batch_size": batch_size},
        remote={"concurrency": concurrency, "timeout": timeout, "retries": retries},
    )
    stream = partial(plan_and_speak, thanos, answers, speaker=speaker)
    rows = read_rows(file, context)
    if output:
        ended = to_file("respond", stream, answer_row, run_settings(thanos, answers), file, rows, output)
    else:
        ended = to_screen(stream, rows, ReplyList().add)

    def close() -> None:
        answers.close()
        if thanos:
            thanos.close()

    end_run(*ended, output, close, done="answered")
