"""Bootstrap intervals over whole dialogues.

Rows of one dialogue resemble each other, so a draw takes dialogues, not rows (the cluster bootstrap). Every statistic
here is a function of sums over rows, so a draw is one line of a matrix product and 1,000 of them cost little.
"""

from collections.abc import Sequence
from typing import TypedDict

import numpy as np

DRAWS = 1000
LEVEL = 95
"""Per cent of the draws that the interval holds."""


class Number(TypedDict):
    """A value with its bootstrap interval; all three are None where n is 0."""

    value: float | None
    low: float | None
    high: float | None
    n: int
    """Rows that it's made of."""


class Resample:
    """Draws of clusters, the same for every statistic of the same rows."""

    def __init__(self, clusters: Sequence[str], seed: int = 0):
        """Draw.

        Args:
            clusters: The cluster of each row.
            seed: Of the draws.
        """
        names, self._place = np.unique(np.asarray(clusters, dtype=object).astype(str), return_inverse=True)
        k = len(names)
        generator = np.random.default_rng(seed)
        self._counts = np.zeros((DRAWS, k), np.float32)
        for draw in self._counts if k else ():
            draw[:] = np.bincount(generator.integers(k, size=k), minlength=k)

    def totals(self, features: np.ndarray) -> np.ndarray:
        """Sum features over the rows.

        Args:
            features: [rows, F].

        Returns:
            [1 + draws, F]: the sums over the rows themselves, then over each draw.
        """
        by_cluster = np.zeros((self._counts.shape[1], features.shape[1]))
        np.add.at(by_cluster, self._place, features)
        draws = self._counts @ by_cluster.astype(np.float32)
        return np.vstack([by_cluster.sum(0), draws.astype(np.float64)])

    def mean(self, values: Sequence[float | None]) -> Number:
        """The mean of one value a row; None is left out, of n too."""
        known = np.array([value is not None for value in values], dtype=float)
        filled = np.array([0.0 if value is None else float(value) for value in values])
        sums = self.totals(np.column_stack([filled, known])) if len(filled) else np.zeros((1, 2))
        return number(ratio(sums[:, 0], sums[:, 1]), int(known.sum()))


def number(values: np.ndarray, n: int) -> Number:
    """A statistic of `Resample.totals` with its interval.

    Args:
        values: [1 + draws]; the first is the value itself. NaN draws (nothing to divide by) are left out.
        n: Rows that it's made of.
    """
    if n == 0 or np.isnan(values[0]):
        return {"value": None, "low": None, "high": None, "n": n}
    draws = values[1:][~np.isnan(values[1:])]
    edge = (100 - LEVEL) / 2
    low, high = np.percentile(draws, [edge, 100 - edge]) if len(draws) else (values[0], values[0])
    return {"value": float(values[0]), "low": float(low), "high": float(high), "n": n}


def ratio(above: np.ndarray, below: np.ndarray) -> np.ndarray:
    """above / below, NaN where there is nothing to divide by."""
    return np.divide(above, below, out=np.full(np.shape(below), np.nan), where=below != 0)
