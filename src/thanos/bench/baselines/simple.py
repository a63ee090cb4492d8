"""Chance and habit."""

from collections import Counter
from hashlib import blake2b
from typing import TYPE_CHECKING

import numpy as np

from thanos.bench.baselines.engine import SKILLS

if TYPE_CHECKING:
    from thanos.bench.baselines.load import TrainingRows

TIE_BREAK = 1e-6
"""How far the probabilities of a random guess are from equal: enough to have an order."""


class RandomGuess:
    """Every skill is as likely; which comes first depends on the text and the seed alone."""

    def probabilities(self, texts: list[str], seeds: list[int]) -> np.ndarray:
        """See `Guess`."""
        rows = []
        for text, seed in zip(texts, seeds, strict=True):
            digest = blake2b(f"{seed}\n{text}".encode(), digest_size=8).digest()
            row = 1 + TIE_BREAK * np.random.default_rng(int.from_bytes(digest)).random(len(SKILLS))
            rows.append(row / row.sum())
        return np.array(rows)

    def explanation(self, text: str, skill: str) -> str:
        """None."""
        return ""


class MajorityGuess:
    """Always the skills as often as the training rows have them."""

    def __init__(self, rows: "TrainingRows"):
        """Count."""
        counts = Counter(rows.skills)
        self._share = np.array([counts[skill] / len(rows.skills) for skill in SKILLS])

    def probabilities(self, texts: list[str], seeds: list[int]) -> np.ndarray:
        """See `Guess`."""
        return np.tile(self._share, (len(texts), 1))

    def explanation(self, text: str, skill: str) -> str:
        """None."""
        return ""
