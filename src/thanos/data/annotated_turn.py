"""A turn with its skill and explanation: one row of the dataset."""

from dataclasses import dataclass
from typing import Any

from thanos.data.next_turn import OWN_FIELDS, NextTurn, read_next_turn
from thanos.dialogue import Dialogue
from thanos.errors import ThanosError, UnknownSkillError
from thanos.skills import Skill

ANNOTATION_FIELDS = ("skill", "also", "explanation")


@dataclass(frozen=True)
class AnnotatedTurn:
    """A turn and what its speaker had in mind."""

    turn: NextTurn
    skill: Skill
    also: Skill | None
    """A second skill that would be nearly as fitting."""
    explanation: str
    """The speaker's thoughts before speaking."""

    def row(self) -> dict[str, Any]:
        """The JSON row; fields that this project doesn't know are carried through at its end."""
        meta = self.turn.dialogue.meta
        carried = {key: value for key, value in meta.items() if key not in OWN_FIELDS + ANNOTATION_FIELDS}
        annotation = {
            "skill": self.skill.value,
            "also": self.also and self.also.value,
            "explanation": self.explanation,
        }
        return self.turn.row() | annotation | carried


def read_annotated_turn(dialogue: Dialogue) -> AnnotatedTurn:
    """Read the annotation that a row carries. Labels go through the normaliser; an `also` like the skill is dropped.

    Raises:
        UnknownSkillError: for a label outside the closed set.
        ThanosError: if a field is missing or of the wrong kind.
    """
    label, also, explanation = (dialogue.meta.get(name) for name in ANNOTATION_FIELDS)
    if not isinstance(label, str) or not label.strip():
        raise ThanosError(f"skill: expected one of the 39 names, found {label!r}")
    if not isinstance(explanation, str):
        raise ThanosError(f"explanation: expected text, found {explanation!r}")
    skill = Skill.parse(label)
    second = read_also(also)
    return AnnotatedTurn(
        read_next_turn(dialogue), skill, None if second == skill else second, " ".join(explanation.split())
    )


def read_also(label: Any) -> Skill | None:
    """The second skill, or None where there is none or its label means nothing: it's a hint, no row is lost over it."""
    try:
        return Skill.parse(label) if isinstance(label, str) and label.strip() else None
    except UnknownSkillError:
        return None
