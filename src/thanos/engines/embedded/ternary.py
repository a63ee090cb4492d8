"""Matrices in 1.6 bits a number: each is up, down or neither, with one size for each row.

What tuning changes in a model is small and evenly spread, so a third of its square can go without much harm; three
values lose a fifth, where a product of two thin matrices of the same size in bytes loses more than a quarter.
"""

import numpy as np

DIGITS = 5
"""Three-valued digits to a byte: 3 ** 5 = 243."""
POWERS = 3 ** np.arange(DIGITS, dtype=np.uint8)
ROUNDS = 20
"""Of Lloyd's iteration; it has settled by then."""


def to_ternary(change: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest matrix of -s, 0 and s, with the s of each row that loses least.

    Args:
        change: float [out, in].

    Returns:
        The digits, uint8 [ceil(out * in / 5)], and the sizes, float16 [out, 1].
    """
    magnitude = np.abs(change.astype(np.float32))
    size = 1.5 * magnitude.mean(1, keepdims=True)
    for _ in range(ROUNDS):
        kept = magnitude > size / 2
        size = (magnitude * kept).sum(1, keepdims=True) / np.maximum(kept.sum(1, keepdims=True), 1)
    digits = ((magnitude > size / 2) * np.sign(change) + 1).astype(np.uint8).ravel()
    digits = np.pad(digits, (0, -len(digits) % DIGITS)).reshape(-1, DIGITS)
    return (digits * POWERS).sum(1, dtype=np.uint8), size.astype(np.float16)


def from_ternary(digits: np.ndarray, size: np.ndarray, width: int) -> np.ndarray:
    """The matrix float32 [out, width] out of what `to_ternary` gave."""
    each = digits[:, None] // POWERS % 3
    values = each.ravel()[: len(size) * width].reshape(len(size), width).astype(np.float32)
    return (values - 1) * size.astype(np.float32)
