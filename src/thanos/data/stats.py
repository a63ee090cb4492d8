"""What a dataset holds, counted in one pass. Memory: about 25 bytes a row."""

from array import array
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from thanos.data.jsonl import raw_rows
from thanos.data.turn_id import row_turn_id
from thanos.data.validate import hash64
from thanos.errors import UnknownSkillError
from thanos.skills import Skill

MOST_LABELS = 1000
"""Distinct strange labels that are listed; further ones are only counted."""
SKILL_NAMES = tuple(skill.value for skill in Skill)


@dataclass
class Stats:
    """Counts; every Counter is value -> rows."""

    rows: int = 0
    dialogues: int = 0
    bad: int = 0
    """Lines that hold no row."""
    no_reply: int = 0
    """Rows of sources that don't give what the speaker really said."""
    skills: dict[str, Counter[str]] = field(default_factory=dict)
    """Source -> skill -> rows."""
    also: Counter[str] = field(default_factory=Counter)
    """Second skill -> rows."""
    turns: Counter[int] = field(default_factory=Counter)
    """Turns before the reply."""
    explanation_words: Counter[int] = field(default_factory=Counter)
    response_words: Counter[int] = field(default_factory=Counter)
    noise: Counter[str] = field(default_factory=Counter)
    """Kind of fault -> rows."""
    relabelled: Counter[str] = field(default_factory=Counter)
    """'label as it came -> skill'."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Label outside the closed set."""

    @property
    def by_skill(self) -> Counter[str]:
        """Skill -> rows, over all sources."""
        return sum(self.skills.values(), Counter())

    def by_category(self, source: str | None = None) -> Counter[str]:
        """Category -> rows, of one source or of all."""
        counts: Counter[str] = Counter()
        for skill, n in (self.by_skill if source is None else self.skills[source]).items():
            counts[Skill(skill).category] += n
        return counts

    def as_json(self) -> dict[str, Any]:
        """For a file; counters become objects, most frequent first."""
        plain = {name: value for name, value in vars(self).items() if not isinstance(value, (dict, Counter))}
        counters = {name: dict(value.most_common()) for name, value in vars(self).items() if isinstance(value, Counter)}
        skills = {source: dict(counts.most_common()) for source, counts in sorted(self.skills.items())}
        return plain | {"categories": dict(self.by_category().most_common()), "skills": skills} | counters


def collect_stats(
    paths: Iterable[Path],
    advance: Callable[[], None] = lambda: None,
    on_fault: Callable[[int, str], None] = lambda *_: None,
) -> Stats:
    """Count the rows of JSONL files.

    Raises:
        ThanosError: if a file can't be read.
    """
    counting = _Counting(on_fault)
    for path in paths:
        for _, row in raw_rows(path, advance, counting.fail):
            counting.add(row)
    return counting.finish()


class _Counting:
    def __init__(self, on_fault: Callable[[int, str], None]) -> None:
        self.stats = Stats()
        self._on_fault = on_fault
        self._ids, self._dialogues, self._labels = array("Q"), array("Q"), array("B")
        self._parsed: dict[str, str | None] = {}

    def fail(self, line: int, reason: str) -> None:
        self.stats.bad += 1
        self._on_fault(line, reason)

    def add(self, row: dict[str, Any]) -> None:
        stats, id = self.stats, row_turn_id(row)
        stats.rows += 1
        stats.turns[len(row["dialogue"])] += 1
        skill = self._skill(row.get("skill"))
        if skill:
            stats.skills.setdefault(id.source or "(none)", Counter())[skill] += 1
            self._ids.append(hash64(row["id"]))
            self._labels.append(SKILL_NAMES.index(skill))
        if also := self._parse(row.get("also")):
            stats.also[also] += 1
        elif row.get("also"):
            stats.noise["unknown second skill"] += 1
        self._lengths(row)
        self._dialogues.append(hash64(id.dialogue_key))

    def finish(self) -> Stats:
        self.stats.dialogues = len(np.unique(np.frombuffer(self._dialogues, np.uint64))) if self._dialogues else 0
        if self._ids:
            ids, labels = np.frombuffer(self._ids, np.uint64), np.frombuffer(self._labels, np.uint8)
            order = np.lexsort((labels, ids))
            again = np.flatnonzero(ids[order][1:] == ids[order][:-1])
            other = int((labels[order][again] != labels[order][again + 1]).sum())
            self.stats.noise.update({"same turn, another skill": other, "same turn, same skill": len(again) - other})
        self.stats.noise = +self.stats.noise
        return self.stats

    def _skill(self, label: Any) -> str | None:
        skill = self._parse(label)
        if skill is None:
            self.stats.noise["no skill" if not label else "unknown skill"] += 1
            _count(self.stats.unknown, str(label)) if label else None
        elif skill != label:
            self.stats.noise["spelled otherwise"] += 1
            _count(self.stats.relabelled, f"{label} -> {skill}")
        return skill

    def _parse(self, label: Any) -> str | None:
        if not isinstance(label, str):
            return None
        if label not in self._parsed:
            if len(self._parsed) > MOST_LABELS:
                self._parsed.clear()
            try:
                self._parsed[label] = Skill.parse(label).value
            except UnknownSkillError:
                self._parsed[label] = None
        return self._parsed[label]

    def _lengths(self, row: dict[str, Any]) -> None:
        explanation, response = row.get("explanation"), row.get("response")
        if isinstance(explanation, str) and explanation.strip():
            self.stats.explanation_words[len(explanation.split())] += 1
        else:
            self.stats.noise["no explanation"] += 1
        if isinstance(response, dict):
            self.stats.response_words[len(str(response.get("text") or "").split())] += 1
        else:
            self.stats.no_reply += 1


def _count(counter: Counter[str], label: str) -> None:
    counter[label if label in counter or len(counter) < MOST_LABELS else "(others)"] += 1
