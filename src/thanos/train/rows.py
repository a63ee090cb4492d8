"""Annotated rows -> what is to be learned from each."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thanos.data.annotated_turn import read_annotated_turn
from thanos.dialogue import Dialogue, Row, read_rows
from thanos.errors import ThanosError
from thanos.prompts import format_thought
from thanos.skills import Skill


@dataclass(frozen=True)
class Target:
    """One thought that a row trains."""

    explanation: str
    skill: Skill
    weight: float = 1.0
    """The weights of a row's targets sum to 1."""

    @property
    def text(self) -> str:
        """What the model is to write."""
        return format_thought(self.explanation, self.skill)


@dataclass(frozen=True)
class TrainingRow:
    """A dialogue, every thought that fits it, and one that doesn't."""

    line: int
    dialogue: Dialogue
    targets: tuple[Target, ...]
    """The row's own first."""
    rejected: Target | None = None

    @property
    def fitting(self) -> list[Skill]:
        """Every skill that fits, trained or not; the row's own first."""
        return [target.skill for target in targets_of(self.dialogue, also_share=0.5)]


def training_rows(path: Path, also_share: float) -> Iterator[TrainingRow]:
    """Stream the rows of a file.

    Raises:
        ThanosError: if the file can't be read or is empty; and after the last row, if any row can't be trained on: how
            many there are, and what is wrong with the first.
    """
    bad, first = 0, ""
    for row in _file_rows(path):
        try:
            yield read_training_row(row, also_share)
        except ThanosError as error:
            bad, first = bad + 1, first or f"line {row.line}: {error}"
    if bad:
        raise ThanosError(
            f"{path}: {bad} rows can't be trained on, first {first} (`thanos data validate` sets such rows aside)"
        )


def read_training_row(row: Row, also_share: float) -> TrainingRow:
    """Read one row; see `targets_of` for its targets.

    Raises:
        ThanosError: for what is missing or of the wrong kind, or a skill outside the closed set.
    """
    if row.dialogue is None:
        raise ThanosError(row.error)
    return TrainingRow(
        row.line, row.dialogue, targets_of(row.dialogue, also_share), _rejected(row.dialogue.meta.get("rejected"))
    )


def targets_of(dialogue: Dialogue, also_share: float) -> tuple[Target, ...]:
    """All thoughts of a row, each skill once.

    A row has `skill` and `explanation`, and perhaps `also`, which gets `also_share` of the row's weight. Or it has
    `skills`, a list of names (which share the row's explanation) or of {skill, explanation}, which weigh the same.
    """
    meta = dialogue.meta
    if "skills" in meta and meta["skills"] is not None:
        return _several(meta["skills"], meta.get("explanation"))
    turn = read_annotated_turn(dialogue)
    if turn.also is None or also_share == 0:
        return (_target(turn.explanation, turn.skill, 1.0),)
    return (
        _target(turn.explanation, turn.skill, 1 - also_share),
        _target(turn.explanation, turn.also, also_share),
    )


def _several(skills: Any, explanation: Any) -> tuple[Target, ...]:
    if not isinstance(skills, list) or not skills:
        raise ThanosError(f"skills: expected a list of skills, found {skills!r}")
    found: dict[Skill, str] = {}
    for i, item in enumerate(skills):
        item = item if isinstance(item, dict) else {"skill": item, "explanation": explanation}
        target = _thought(item, f"skills[{i}]")
        found.setdefault(target.skill, target.explanation)
    return tuple(Target(text, skill, 1 / len(found)) for skill, text in found.items())


def _rejected(value: Any) -> Target | None:
    return None if value is None else _thought(value, "rejected")


def _thought(value: Any, where: str) -> Target:
    fields = value if isinstance(value, dict) else {}
    label, explanation = fields.get("skill"), fields.get("explanation")
    if not isinstance(label, str) or not isinstance(explanation, str):
        raise ThanosError(f"{where}: expected a skill with its explanation, found {value!r}")
    return _target(" ".join(explanation.split()), Skill.parse(label))


def _target(explanation: str, skill: Skill, weight: float = 1.0) -> Target:
    if not explanation:
        raise ThanosError("explanation: empty; models learn to think before they choose")
    return Target(explanation, skill, weight)


def _file_rows(path: Path) -> Iterator[Row]:
    if path.is_file() and not path.stat().st_size:
        raise ThanosError(f"{path} is empty: give at least one annotated row")
    yield from read_rows(str(path))
