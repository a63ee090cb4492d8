"""Words and word pairs, weighed by how rare they are, and a linear classifier on them."""

from typing import TYPE_CHECKING

import numpy as np
from scipy.sparse import csr_matrix, hstack
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression

from thanos.bench.baselines.engine import SKILLS

if TYPE_CHECKING:
    from thanos.bench.baselines.load import TrainingRows

LAST_TURNS = 2
REGULARISATION = 3.0
"""Inverse strength, scikit-learn's C."""


class TfidfGuess:
    """Logistic regression on the whole text and, apart, on the last two turns."""

    def __init__(self, rows: "TrainingRows"):
        """Train."""
        settings = {"ngram_range": (1, 2), "min_df": 2, "sublinear_tf": True, "dtype": np.float32}
        self._views = [(_whole, TfidfVectorizer(**settings)), (_end, TfidfVectorizer(**settings))]
        features = hstack([words.fit_transform(map(view, rows.texts)) for view, words in self._views])
        self._model = LogisticRegression(C=REGULARISATION, max_iter=200)
        self._model.fit(csr_matrix(features), rows.skills)
        self._columns = [SKILLS.index(skill) for skill in self._model.classes_]

    def probabilities(self, texts: list[str], seeds: list[int]) -> np.ndarray:
        """See `Guess`."""
        features = hstack([words.transform(map(view, texts)) for view, words in self._views])
        rows = np.zeros((len(texts), len(SKILLS)))
        rows[:, self._columns] = self._model.predict_proba(csr_matrix(features))
        return rows

    def explanation(self, text: str, skill: str) -> str:
        """None."""
        return ""


def _whole(text: str) -> str:
    return text


def _end(text: str) -> str:
    return "\n".join(text.splitlines()[-LAST_TURNS:])
