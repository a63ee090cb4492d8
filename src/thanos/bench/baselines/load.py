"""Name of a baseline -> an engine."""

from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from thanos.bench.baselines.engine import BaselineEngine, Guess
from thanos.bench.budget import PLAIN, within_budget
from thanos.bench.data import read_annotated
from thanos.errors import ThanosError

SILENT = ("random", "majority", "tfidf")
"""They choose, and have no thoughts about it."""
BASELINES = (*SILENT, "nearest")


@dataclass(frozen=True)
class TrainingRows:
    """What a baseline learns from; three lists of the same length."""

    texts: list[str]
    """As the model will be given them: the plain prompt, within the budget."""
    skills: list[str]
    explanations: list[str]


def load_baseline(name: str, train: Path | None) -> BaselineEngine:
    """Train a baseline.

    Args:
        name: One of `BASELINES`.
        train: Annotated rows; `random` needs none.

    Raises:
        ThanosError: without training rows, or if a library is missing.
    """
    return BaselineEngine(name, _random() if name == "random" else _trained(name, train))


def read_training_rows(path: Path) -> TrainingRows:
    """Read annotated rows the way prompts are made of them.

    Raises:
        ThanosError: if the file holds none.
    """
    faults: Counter[str] = Counter()
    texts, skills, explanations = [], [], []
    for row in read_annotated(path, lambda reason: faults.update([reason])):
        texts.append(PLAIN.render(within_budget(row.turn.dialogue).dialogue)[-1]["content"])
        skills.append(row.skill.value)
        explanations.append(row.explanation)
    if not texts:
        why = f": {faults.most_common(1)[0][0]}" if faults else ""
        raise ThanosError(f"{path} holds no annotated turn{why}")
    return TrainingRows(texts, skills, explanations)


def _random() -> Guess:
    from thanos.bench.baselines.simple import RandomGuess

    return RandomGuess()


def _trained(name: str, train: Path | None) -> Guess:
    if train is None:
        raise ThanosError(f"{name} learns from annotated rows: give --train FILE, or --data FOLDER with annotated/")
    rows = read_training_rows(train)
    try:
        if name == "majority":
            from thanos.bench.baselines.simple import MajorityGuess as guess
        elif name == "tfidf":
            from thanos.bench.baselines.tfidf import TfidfGuess as guess
        else:
            from thanos.bench.baselines.nearest import NearestGuess as guess
        return guess(rows)
    except ModuleNotFoundError as error:
        raise ThanosError(f"{name} needs {error.name}: pip install 'thanos-skill-of-mind[bench]'") from None
