"""thanos bench response: what the plan does to replies."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from thanos.cli.model_options import Adapter, BaseUrl, BatchSize, Concurrency, Retries, Timeout


def response(
    model: Annotated[
        str, typer.Option("--model", "-m", help="Who replies: a chat model, such as embedded/base or openai/<model>.")
    ] = "embedded/base",
    planner: Annotated[str, typer.Option(help="Who plans: any model of the other tasks.")] = "embedded",
    judge: Annotated[Optional[str], typer.Option(help="Model that compares each arm with the plain one.")] = None,
    bertscore: Annotated[Optional[str], typer.Option(help="Encoder for BERTScore: a hub id or folder.")] = None,
    data: Annotated[Optional[Path], typer.Option(help="Holds sources/. Default: data in $THANOS_SHARED.")] = None,
    output: Annotated[Path, typer.Option("--output", "-o", help="Run folders go here.")] = Path("bench"),
    limit: Annotated[Optional[int], typer.Option(min=1, help="Most dialogues, drawn with --seed.")] = None,
    seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
    seeds: Annotated[int, typer.Option(min=1, help="1 is greedy; N samples plan and replies N times.")] = 1,
    prompt: Annotated[
        Optional[str], typer.Option(help="The planner's: thanos, zero-shot or a YAML file. Default: what suits it.")
    ] = None,
    mode: Annotated[str, typer.Option(help="How the planner works: explain or direct.")] = "explain",
    adapter: Adapter = None,
    batch_size: BatchSize = None,
    base_url: BaseUrl = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    retries: Retries = None,
) -> None:
    """Next turns of DailyDialog, EmpatheticDialogues and ProsocialDialog in four arms: plain, skill, explanation, both.

    The options of the engine are those of --model; planner and judge are loaded with their defaults.
    """
    from thanos.cli.bench_run import run_tasks

    engine = {
        "adapter": adapter,
        "batch_size": batch_size,
        "base_url": base_url,
        "concurrency": concurrency,
        "timeout": timeout,
        "retries": retries,
    }
    asked = {"seeds": seeds, "prompt": prompt, "mode": mode, "judge": judge, "bertscore": bertscore, "planner": planner}
    if run_tasks(("response",), model, output, limit, seed, {"folder": data}, asked, engine):
        raise typer.Exit(1)
