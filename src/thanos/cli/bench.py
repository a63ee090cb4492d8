"""thanos bench: score a model on ThanosBench."""

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Optional

import typer

from thanos.cli.bench_report import compare, report
from thanos.cli.bench_response import response
from thanos.cli.model_options import Adapter, BaseUrl, BatchSize, Concurrency, Mode, Retries, Timeout

TASK_NAMES = (
    "skill",
    "explanation",
    "blended-skill-talk",
    "photochat",
    "prosocial",
    "esconv",
    "casino",
    "dailydialog",
)
"""As in the registry, which takes a second to import."""

REPLIER = "embedded/base"
"""Who replies in `all`: the same for every planner."""
SILENT = ("random", "majority", "tfidf")
"""Baselines whose plan has no words; `all` has nobody reply to it."""

app = typer.Typer(help="Score models on skill-of-mind and on what it does to replies.", no_args_is_help=True)

Model = Annotated[
    str,
    typer.Option(
        "--model",
        "-m",
        help="A model string of `thanos predict`, a baseline (random, majority, tfidf, nearest), or "
        "inspect/<provider>/<model>.",
    ),
]
BertScore = Annotated[Optional[str], typer.Option(help="Encoder, hub id or folder, for BERTScore of explanations.")]


def _command(name: str, tasks: tuple[str, ...]) -> Callable[..., None]:
    def run(
        model: Model = "embedded",
        data: Annotated[
            Optional[Path], typer.Option(help="Holds sources/ and annotated/. Default: data in $THANOS_SHARED.")
        ] = None,
        annotated: Annotated[Optional[Path], typer.Option(help="Turns to score: annotated/validation.jsonl.")] = None,
        train: Annotated[
            Optional[Path],
            typer.Option(help="What baselines learn from; its dialogues are not scored: annotated/train.jsonl."),
        ] = None,
        output: Annotated[Path, typer.Option("--output", "-o", help="Run folders go here.")] = Path("bench"),
        limit: Annotated[Optional[int], typer.Option(min=1, help="Most rows a task, drawn with --seed.")] = None,
        seed: Annotated[int, typer.Option(help="Of the draw.")] = 0,
        seeds: Annotated[int, typer.Option(min=1, help="1 is greedy; N samples every row N times.")] = 1,
        prompt: Annotated[
            Optional[str],
            typer.Option(help="thanos, zero-shot or a YAML file. Default: thanos for tuned models, else zero-shot."),
        ] = None,
        mode: Mode = "explain",
        judge: Annotated[Optional[str], typer.Option(help="Model that rates explanations.")] = None,
        bertscore: BertScore = None,
        adapter: Adapter = None,
        batch_size: BatchSize = None,
        base_url: BaseUrl = None,
        concurrency: Concurrency = None,
        timeout: Timeout = None,
        retries: Retries = None,
    ) -> None:
        from thanos.cli.bench_run import run_tasks

        engine = {
            "adapter": adapter,
            "batch_size": batch_size,
            "base_url": base_url,
            "concurrency": concurrency,
            "timeout": timeout,
            "retries": retries,
        }
        places = {"folder": data, "annotated": annotated, "train": train}
        asked = {"seeds": seeds, "prompt": prompt, "mode": mode, "judge": judge, "bertscore": bertscore}
        failed = run_tasks(tasks, model, output, limit, seed, places, asked, engine)
        if name == "all" and model not in SILENT:
            asked |= {"planner": model, "prompt": prompt}
            failed += run_tasks(("response",), REPLIER, output, limit, seed, {"folder": data}, asked, {})
        if failed:
            raise typer.Exit(1)

    run.__doc__ = (
        f"Run every task whose data is at hand; in the task response, {REPLIER} replies."
        if name == "all"
        else f"Run the task {name}; see `thanos bench list`."
    )
    return run


for _name in TASK_NAMES:
    app.command(_name)(_command(_name, (_name,)))
app.command("all")(_command("all", TASK_NAMES))
app.command("response")(response)
app.command("report")(report)
app.command("compare")(compare)


@app.command("list")
def list_tasks() -> None:
    """The tasks, one a line."""
    from thanos.bench.tasks.registry import ALL_TASKS

    for task in ALL_TASKS.values():
        typer.echo(f"{task.name:20} {task.summary}")


@app.command()
def rescore(
    log: Annotated[Path, typer.Argument(help="A run folder, or a log in it.")],
    judge: Annotated[Optional[str], typer.Option(help="Model that rates explanations, instead of the run's.")] = None,
    bertscore: BertScore = None,
) -> None:
    """Score what a run generated once more: after a change of map, metric or judge. Nothing is generated."""
    from thanos.bench.report import write_report
    from thanos.bench.rescore import rescore as run
    from thanos.cli.bench_run import print_result

    result = run(log, judge, bertscore)
    print_result(result.folder, result.metrics)
    write_report([result.folder], result.folder / "report.html")
