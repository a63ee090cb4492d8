"""What the commands share that send a file of dialogues through models."""

import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import typer

from thanos.cli.report import print_summary
from thanos.dialogue import Row
from thanos.longrun import Journal, count_lines, graceful_stop, progress_bar
from thanos.predict.run import Tally, run_file, run_rows


def to_file(
    label: str,
    stream: Callable,
    to_row: Callable[[Any], dict[str, Any]],
    settings: dict[str, Any],
    file: str,
    rows: Iterable[Row],
    output: Path,
) -> tuple[Tally, bool]:
    """Append results to a journal under a progress bar.

    Args:
        label: The bar's.
        stream: Dialogues -> results; see `thanos.predict.run.run_rows`.
        to_row: Result -> the row to write.
        settings: Fields of every row, which tell one run from another.

    Returns:
        What was done, and whether the user stopped it.
    """
    tally = Tally()
    with Journal(output, settings) as journal, graceful_stop() as stop:
        with progress_bar(label, count_lines(file), journal.resumed) as advance:
            try:
                run_file(stream, to_row, rows, journal, stop, advance, tally)
            except KeyboardInterrupt:
                stop.asked = True
        if journal.resumed:
            typer.echo(f"thanos: {journal.resumed} rows were already in {output}", err=True)
        if stop.asked:
            typer.echo(f"thanos: stopped; {journal.finished} rows are in {output}, the same command goes on", err=True)
    return tally, stop.asked


def to_screen(stream: Callable, rows: Iterable[Row], show: Callable[[int, Any], None]) -> tuple[Tally, bool]:
    """Show results in the order of the rows.

    Args:
        show: Told each result and its line.

    Returns:
        What was done, and whether the user stopped it.
    """
    tally = Tally()

    def on_result(line: int, result: Any) -> None:
        show(line, result)
        tally.count(result)

    try:
        run_rows(stream, rows, on_result, lambda row, error: tally.fail(row.line, error), ordered=True)
    except KeyboardInterrupt:
        return tally, True
    return tally, False


def end_run(
    tally: Tally,
    interrupted: bool,
    output: Path | None,
    close: Callable[[], None],
    done: str = "predicted",
    price: tuple[float, float] | None = None,
) -> None:
    """Say what was done, free the models, and leave with the exit code that fits."""
    print_summary(tally, output, done, price)
    if interrupted:
        sys.stdout.flush()
        os._exit(130)  # threads that still wait for a stalled server mustn't hold the exit up
    close()
    if tally.failed:
        raise typer.Exit(1)
