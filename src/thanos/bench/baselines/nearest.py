"""The most similar dialogues of the training rows vote.

Similarity is the cosine of WordLlama's static sentence embeddings (256 dimensions): its wheel on the package index
brings the weights along, so that nothing is fetched.
"""

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import wordllama

from thanos.bench.baselines.engine import SKILLS

if TYPE_CHECKING:
    from thanos.bench.baselines.load import TrainingRows

NEIGHBOURS = 10
LAST_TURNS = 2


class NearestGuess:
    """Each of the ten nearest training rows votes for its skill with its similarity."""

    def __init__(self, rows: "TrainingRows"):
        """Embed the training rows."""
        # The package looks for its own tokenizer in a folder of another name, unless it's told that this is the cache.
        self._encoder = wordllama.WordLlama.load(cache_dir=Path(wordllama.__file__).parent, disable_download=True)
        self._rows = rows
        self._known = self._embed(rows.texts)

    def probabilities(self, texts: list[str], seeds: list[int]) -> np.ndarray:
        """See `Guess`."""
        votes = np.zeros((len(texts), len(SKILLS)))
        for vote, similarity in zip(votes, self._embed(texts) @ self._known.T, strict=True):
            for place in self._nearest(similarity):
                vote[SKILLS.index(self._rows.skills[place])] += max(similarity[place], 1e-6)
        return votes / votes.sum(1, keepdims=True)

    def explanation(self, text: str, skill: str) -> str:
        """The thoughts of the nearest neighbour with that skill."""
        similarity = (self._embed([text]) @ self._known.T)[0]
        place = next(place for place in self._nearest(similarity) if self._rows.skills[place] == skill)
        return self._rows.explanations[place]

    def _nearest(self, similarity: np.ndarray) -> np.ndarray:
        return np.argsort(-similarity, kind="stable")[:NEIGHBOURS]

    def _embed(self, texts: list[str]) -> np.ndarray:
        """[texts, 512]: the whole text and its last two turns, each of length 1, side by side."""
        ends = ["\n".join(text.splitlines()[-LAST_TURNS:]) for text in texts]
        return np.hstack([self._encoder.embed(part, norm=True) for part in (texts, ends)])
