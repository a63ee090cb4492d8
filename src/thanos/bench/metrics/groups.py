"""Numbers over all rows and over groups of them."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from thanos.bench.metrics.bootstrap import Number, Resample

Row = dict[str, Any]


def mean_credits(rows: Sequence[Row], names: Sequence[str], resample: Resample) -> dict[str, Number]:
    """The mean of each credit; rows where it's None aren't among its n."""
    return {name: resample.mean([row["credit"].get(name) for row in rows]) for name in names}


def per_source(rows: Sequence[Row], numbers: Callable[[list[Row]], dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The same numbers for each source, by name."""
    names = sorted({row["source"] for row in rows})
    return {name: numbers([row for row in rows if row["source"] == name]) for name in names}


def reference(rows: Sequence[Row], labels: Sequence[str], ceiling: float) -> dict[str, float]:
    """What an accuracy stands beside.

    Args:
        ceiling: The most that is possible.

    Returns:
        ceiling; majority_label: the accuracy of always giving the most frequent label; chance: of any label at random.
    """
    counts = Counter(label for row in rows for label in targets(row))
    most = max(counts.values(), default=0)
    right = sum(len(targets(row)) for row in rows) / len(labels)
    n = max(len(rows), 1)
    return {"ceiling": ceiling, "majority_label": most / n, "chance": right / n}


def targets(row: Row) -> list[str]:
    """The labels of which any is right."""
    return [row["target"]] if isinstance(row["target"], str) else row["target"]
