"""`thanos annotate run`: a file of turns into a journal of annotated turns."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from thanos.annotate.cost import Budget, Price, SpentFile, expected_usage
from thanos.annotate.endpoint import Endpoint
from thanos.annotate.live import LiveRun, LiveTally
from thanos.annotate.prompt import load_annotation_prompt
from thanos.data.next_turn import read_next_turn
from thanos.dialogue import read_rows
from thanos.engines.protocol import Usage
from thanos.errors import ThanosError
from thanos.longrun import Journal, count_lines, graceful_stop, progress_bar


@dataclass
class Estimate:
    """Before a run: what is left to do and about what it will take."""

    turns: int
    usage: Usage
    spent: Usage
    """By earlier runs on the same output."""
    price: Price | None
    limit: float | None


@dataclass
class RunResult:
    """After a run."""

    tally: LiveTally
    resumed: int
    """Rows that were there before."""
    budget: Budget
    interrupted: bool


def run_settings(model: str) -> dict[str, str]:
    """What every row records of how it was made."""
    return {"model": model, "prompt": load_annotation_prompt().name}


def annotate_file(
    turns: str,
    output: Path,
    endpoint: Endpoint,
    price: Price | None = None,
    max_cost: float | None = None,
    concurrency: int = 64,
    retries: int = 8,
    on_estimate: Callable[[Estimate], None] = lambda _: None,
) -> RunResult:
    """Annotate every turn of a file that the output doesn't hold yet.

    Args:
        turns: JSONL, read twice: first for the estimate.
        max_cost: US dollars for the output in all, earlier runs included.

    Raises:
        ThanosError: if a file can't be read or written, or the endpoint can't be used at all.
    """
    if turns == "-":
        raise ThanosError("annotate reads its turns twice: give a file, not standard input")
    with Journal(output, run_settings(endpoint.name)) as journal, graceful_stop() as stop:
        spent = SpentFile(output).total()
        on_estimate(estimate(turns, journal, spent, price, max_cost))
        budget = Budget(price, max_cost, spent)
        with progress_bar("annotate", count_lines(turns), journal.resumed) as advance:
            live = LiveRun(endpoint, journal, budget, stop, advance, concurrency, retries)
            try:
                asyncio.run(live.run(read_rows(turns)))
            except KeyboardInterrupt:
                stop.asked = True
        return RunResult(live.tally, journal.resumed, budget, stop.asked)


def estimate(turns: str, journal: Journal, spent: Usage, price: Price | None, limit: float | None) -> Estimate:
    """Count what is left to do. Rows that can't be read are left to the run, which reports them."""
    count, usage = 0, Usage()
    for row in read_rows(turns):
        if row.dialogue is None or journal.holds(row.line, row.dialogue.id):
            continue
        try:
            usage += expected_usage(read_next_turn(row.dialogue))
        except ThanosError:
            continue
        count += 1
    return Estimate(count, usage, spent, price, limit)
