"""One pass over a run's rows: calibration, and the rows that are worth reading."""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field

from thanos.bench.metrics.calibration import BINS, bin_of
from thanos.bench.metrics.wilson import wilson
from thanos.bench.read_runs import Row
from thanos.bench.report.charts import Bin

SHOWN = 12
"""Rows of each kind that the page shows."""
SHOWN_TURNS = 8


@dataclass
class RowFindings:
    """What the rows of a run show beside their averages."""

    bins: list[Bin] = field(default_factory=list)
    """Empty where the model gives no probabilities."""
    worst: list[Row] = field(default_factory=list)
    """Wrong, the surest first; without probabilities those with the least credit."""
    unreadable: list[Row] = field(default_factory=list)
    """Without a usable output."""


def read_findings(rows: Iterable[Row], headline: str) -> RowFindings:
    """Read rows once, in constant memory.

    Args:
        headline: The metric whose credit says whether a row is right.
    """
    sums = [[0, 0.0, 0.0] for _ in range(BINS)]  # n, confidence, credit
    worst: list[tuple[float, int, Row]] = []
    found = RowFindings()
    for number, row in enumerate(rows):
        if row.get("error") or not row.get("valid", True):
            if len(found.unreadable) < SHOWN:
                found.unreadable.append(row)
            continue
        credit = row.get("credit", {}).get(headline)
        if credit is None:
            continue
        # As the calibration error takes it: the probability of the skill that was chosen.
        confidence = (row.get("scores") or {}).get(row.get("skill"))
        if confidence is not None:
            into = sums[bin_of(confidence)]
            into[0] += 1
            into[1] += confidence
            into[2] += credit
        if credit < 1:
            # The number makes equally bad rows come in the order of the file.
            entry = (confidence if confidence is not None else -credit, -number, row)
            (heapq.heappush if len(worst) < SHOWN else heapq.heappushpop)(worst, entry)
    found.bins = [Bin(sure / n, right / n, *wilson(right / n, n), n) for n, sure, right in sums if n]
    found.worst = [row for _, _, row in sorted(worst, key=lambda entry: entry[:2], reverse=True)]
    return found
