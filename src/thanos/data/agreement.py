"""How far two annotations of the same turns agree."""

import math
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thanos.data.jsonl import raw_rows
from thanos.errors import ThanosError, UnknownSkillError
from thanos.skills import Skill


@dataclass(frozen=True)
class Agreement:
    """Over the turns that both files have a skill for."""

    items: int
    only_a: int
    """Turns that only the first file has."""
    only_b: int
    agreed: int
    within_also: int
    """Turns where the skill of one is the skill or the `also` of the other."""
    kappa: float
    """Cohen's kappa: 0 is agreement by chance, 1 is perfect; NaN if both use one and the same skill only."""
    confusion: Counter[tuple[str, str]]
    """(skill of the first, skill of the second) -> turns; where they agree, too."""

    @property
    def raw(self) -> float:
        """Share of the items with the same skill."""
        return self.agreed / self.items

    def as_json(self) -> dict[str, Any]:
        """For a file or a pipe."""
        return {
            "items": self.items,
            "only_a": self.only_a,
            "only_b": self.only_b,
            "raw_agreement": self.raw,
            "agreement_with_also": self.within_also / self.items,
            "cohen_kappa": None if math.isnan(self.kappa) else self.kappa,
            "confusion": [{"a": a, "b": b, "turns": n} for (a, b), n in self.confusion.most_common()],
        }


def compare(a: Path, b: Path, on_fault: Callable[[str], None] = lambda _: None) -> Agreement:
    """Compare two JSONL files of annotated turns, matched by `id`. The first one is held in memory.

    Args:
        on_fault: Called with one line for each row that has no skill of the closed set.

    Raises:
        ThanosError: if a file can't be read, or they have no turn in common.
    """
    try:
        from sklearn.metrics import cohen_kappa_score
    except ModuleNotFoundError as error:
        raise ThanosError(f"agreement needs {error.name}: pip install 'thanos-skill-of-mind[data]'") from None
    first = dict(_labels(a, on_fault))
    pairs: list[tuple[str, str]] = []
    met: set[str] = set()
    only_b = within = 0
    for id, (skill, also) in _labels(b, on_fault):
        if id in met:
            continue
        if id not in first:
            only_b += 1
            continue
        met.add(id)
        other, other_also = first[id]
        pairs.append((other, skill))
        within += skill in (other, other_also) or other == also
    if not pairs:
        raise ThanosError(f"{a} and {b} have no turn in common: turns are matched by their id")
    labels_a, labels_b = zip(*pairs, strict=True)
    agreed = sum(x == y for x, y in pairs)
    kappa = float(cohen_kappa_score(labels_a, labels_b))
    return Agreement(len(pairs), len(first) - len(met), only_b, agreed, within, kappa, Counter(pairs))


def _labels(path: Path, on_fault: Callable[[str], None]) -> Iterator[tuple[str, tuple[str, str | None]]]:
    for _, row in raw_rows(path, on_fault=lambda line, reason: on_fault(f"{path} line {line}: {reason}")):
        try:
            skill = Skill.parse(str(row.get("skill") or ""))
        except UnknownSkillError as error:
            on_fault(f"{path} {row['id']}: {error}")
            continue
        yield row["id"], (skill.value, row.get("also"))
