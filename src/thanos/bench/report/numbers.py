"""How a number is written, and where its scale ends."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Estimate = dict[str, Any]
"""`{"value", "low", "high", "n"}`; all but `n` are None where there is nothing to average."""

# Everything else that a run measures is a share of 1, shown as per cent.
_PLAIN = re.compile(r"words|length|tokens|relevance|plausibility|understanding")
_HUNDRED = re.compile(r"^(bleu|chrf)")


@dataclass(frozen=True)
class Scale:
    """The scale of one metric."""

    factor: float
    top: float
    """End of a chart's axis, in the metric's own unit."""
    unit: str
    decimals: int

    def number(self, value: float | None) -> str:
        """The value alone."""
        return "–" if value is None else f"{self.factor * value:.{self.decimals}f}"

    def interval(self, estimate: Estimate) -> str:
        """`41.0 to 47.5`, or nothing where there is no interval."""
        low, high = estimate.get("low"), estimate.get("high")
        return "" if low is None or high is None else f"{self.number(low)} to {self.number(high)}"


def scale_of(metric: str, estimates: Iterable[Estimate]) -> Scale:
    """The scale on which a metric's estimates are shown."""
    ends = [x for e in estimates for x in (e.get("value"), e.get("high")) if x is not None]
    largest = max(ends, default=0.0)
    name = metric.partition("/")[0]
    if _PLAIN.search(name):
        return Scale(1, 1.05 * largest or 1, "", 1 if largest >= 10 else 2)
    if _HUNDRED.search(name):
        return Scale(1, _round_up(largest, 100), "", 1)
    return Scale(100, _round_up(largest, 1), "%", 1)


def title_of(metric: str) -> str:
    """`top1_or_also` -> `top1 or also`."""
    return metric.replace("_", " ")


def _round_up(largest: float, full: float) -> float:
    """The whole scale, or a part of it where all values are small."""
    return next((full * part for part in (0.1, 0.25, 0.5) if largest <= full * part), max(full, largest))
