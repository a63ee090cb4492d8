"""What the annotator wrote -> an annotation."""

import json
import re
from dataclasses import dataclass
from typing import Any

from thanos.data.annotated_turn import ANNOTATION_FIELDS, read_also
from thanos.data.next_turn import OWN_FIELDS, NextTurn
from thanos.errors import ThanosError
from thanos.skills import Skill

_FENCE = re.compile(r"^\s*```\w*\s*|\s*```\s*$")


@dataclass(frozen=True)
class Annotation:
    """Skill and explanation of a turn, and the thought that was dropped for them."""

    explanation: str
    skill: Skill
    also: Skill | None
    rejected: dict[str, str] | None
    """{"explanation", "skill"}: the worse half of a pair for preference tuning; None where there is no fit one."""


def read_answer(text: str) -> Annotation:
    """Read the JSON object that the prompt asks for, also out of a code fence.

    Raises:
        ThanosError: if it isn't one, or has no explanation or no skill of the closed set.
    """
    try:
        value = json.loads(_FENCE.sub("", text))
    except ValueError as error:
        raise ThanosError(f"the answer isn't JSON: {error}") from None
    if not isinstance(value, dict):
        raise ThanosError("the answer isn't a JSON object")
    explanation, skill = _thought(value)
    also = read_also(value.get("also"))
    return Annotation(
        explanation, skill, None if also == skill else also, _rejected(value.get("rejected"), skill, also)
    )


def annotated_row(turn: NextTurn, annotation: Annotation) -> dict[str, Any]:
    """The output row without its id."""
    row = turn.row()
    del row["id"]
    meta = turn.dialogue.meta
    carried = {key: value for key, value in meta.items() if key not in OWN_FIELDS + ANNOTATION_FIELDS}
    answer = {
        "skill": annotation.skill.value,
        "also": annotation.also and annotation.also.value,
        "explanation": annotation.explanation,
        "rejected": annotation.rejected,
    }
    return row | answer | carried


def _thought(value: dict[str, Any]) -> tuple[str, Skill]:
    explanation, label = value.get("explanation"), value.get("skill")
    if not isinstance(explanation, str) or not explanation.strip():
        raise ThanosError("the answer has no explanation")
    if not isinstance(label, str):
        raise ThanosError("the answer has no skill")
    return " ".join(explanation.split()), Skill.parse(label)


def _rejected(value: Any, skill: Skill, also: Skill | None) -> dict[str, str] | None:
    """A worse thought is a bonus: one that can't be used costs the row nothing."""
    try:
        explanation, other = _thought(value) if isinstance(value, dict) else ("", skill)
    except ThanosError:
        return None
    return None if other in (skill, also) else {"explanation": explanation, "skill": other.value}
