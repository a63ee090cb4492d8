"""What `thanos bench <task>` does and prints."""

import os
import sys
from pathlib import Path
from typing import Any

import typer

STOPPED = 130
"""Exit code after Ctrl-C, as shells have it."""


def run_tasks(
    names: tuple[str, ...],
    model: str,
    out: Path,
    limit: int | None,
    seed: int,
    places: dict[str, Path | None],
    asked: dict[str, Any],
    engine: dict[str, Any],
) -> int:
    """Run tasks one after the other, print their numbers and write the reports.

    Of several tasks, one that this data or this model is no good for is passed over with a line. The page in `out` is
    about all runs there, so that models run into the same folder stand side by side.

    Args:
        places: Arguments of `find_data`.
        asked: Arguments of `make_setup`.
        engine: Fields of `thanos.engines.EngineOptions`.

    Returns:
        Samples that failed.
    """
    from thanos.bench.data import find_data
    from thanos.bench.errors import NotPossibleError
    from thanos.bench.models.inspect_model import get_inspect_model
    from thanos.bench.report import write_report
    from thanos.bench.run import run_task
    from thanos.bench.setup import make_setup
    from thanos.bench.tasks.registry import find_task
    from thanos.longrun import progress_bar

    setup = make_setup(model, find_data(**places), **asked)
    loaded = get_inspect_model(model, setup.data.train, **engine)
    label = f"{model} with {setup.planner}" if setup.planner else model
    done, failed = 0, 0
    for name in names:
        try:
            result = run_task(find_task(name), loaded, label, setup, out, limit=limit, seed=seed, bar=progress_bar)
        except NotPossibleError as reason:
            if name == names[-1] and not done:
                raise
            typer.echo(f"thanos: {name} passed over: {reason}", err=True)
            continue
        except KeyboardInterrupt:
            typer.echo("thanos: stopped; the same command goes on", err=True)
            sys.stdout.flush()
            os._exit(STOPPED)  # threads that still wait for a stalled server mustn't hold the exit up
        print_result(result.folder, result.metrics)
        write_report([result.folder], result.folder / "report.html")
        done += 1
        failed += result.metrics["failed"]
    write_report([out], out / "report.html")
    typer.echo(f"thanos: {out / 'report.html'}", err=True)
    if failed:
        typer.echo(f"thanos: {failed} samples failed and count as wrong; the same command tries them again", err=True)
    return failed


def print_result(folder: Path, metrics: dict[str, Any]) -> None:
    """A table of the task's numbers on standard output."""
    from rich.console import Console
    from rich.table import Table

    counts = f"{metrics['n']:,} rows of {metrics['clusters']:,} dialogues"
    trouble = "".join(f", {metrics[key]:,} {key}" for key in ("invalid", "failed") if metrics[key])
    table = Table(title=f"{metrics['task']}: {metrics['model']}", caption=counts + trouble, title_justify="left")
    table.add_column("metric")
    for name in ("value", "95% interval", "n"):
        table.add_column(name, justify="right")
    for name, number in metrics["metrics"].items():
        if number["value"] is None:
            table.add_row(name, "-", "", f"{number['n']:,}")
            continue
        interval = f"{number['low']:.3f} to {number['high']:.3f}"
        table.add_row(name, f"{number['value']:.3f}", interval, f"{number['n']:,}")
    Console().print(table)
    typer.echo(f"thanos: {folder}", err=True)
