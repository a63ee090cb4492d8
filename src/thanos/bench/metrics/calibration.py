"""Expected calibration error: how far a model's probability of its own answer is from how often it's right."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from thanos.bench.metrics.bootstrap import Number, Resample, number, ratio

BINS = 15
"""Of equal width, each with its upper edge (Guo et al., 2017)."""


def calibration_error(rows: Sequence[dict[str, Any]], resample: Resample) -> Number:
    """Mean over rows of |confidence - accuracy| of their bin, for valid rows with the probability of the chosen skill.

    Args:
        rows: With `skill`, `scores` and `credit["top1"]`.
        resample: Made of the rows' clusters.
    """
    features = np.zeros((len(rows), 3 * BINS))
    n = 0
    for i, row in enumerate(rows):
        confidence = row["scores"].get(row["skill"]) if row["valid"] else None
        if confidence is None:
            continue
        b = bin_of(confidence)
        features[i, [b, BINS + b, 2 * BINS + b]] = 1, confidence, row["credit"]["top1"]
        n += 1
    sums = resample.totals(features) if len(rows) else np.zeros((1, 3 * BINS))
    counts, confidence, right = sums[:, :BINS], sums[:, BINS : 2 * BINS], sums[:, 2 * BINS :]
    return number(ratio(np.abs(confidence - right).sum(1), counts.sum(1)), n)


def bin_of(confidence: float) -> int:
    """Bin b holds (b / BINS, (b + 1) / BINS]; 0 belongs to the first."""
    return int(np.searchsorted(np.linspace(0, 1, BINS + 1)[1:-1], confidence))
