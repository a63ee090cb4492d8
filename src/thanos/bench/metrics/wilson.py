"""An interval for a share of independent rows."""

from math import sqrt


def wilson(share: float, n: int) -> tuple[float, float]:
    """95% interval of a share of n (Wilson, 1927)."""
    z2 = 1.96**2
    middle = (share + z2 / (2 * n)) / (1 + z2 / n)
    half = 1.96 * sqrt(share * (1 - share) / n + z2 / (4 * n * n)) / (1 + z2 / n)
    return max(0.0, middle - half), min(1.0, middle + half)  # rounding errs by a hair at either end
