"""Rows that are annotated already: `passing2961/multifaceted-skill-of-mind` and the original project's JSON files.

Both hold one annotated turn a row, the response being the dialogue's last turn. What the columns are called differs
between releases, so they are found out from the first row.
"""

import difflib
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from thanos.dialogue import Dialogue, dialogue_from_row
from thanos.errors import ThanosError, UnknownSkillError
from thanos.skills import LabelReport, Skill
from thanos.sources.build import turn_row
from thanos.sources.rows import RawRow
from thanos.sources.source import Row, Unusable

HUB_ID = "passing2961/multifaceted-skill-of-mind"
NAME = "released"

KNOWN = {
    "dialogue": ("dialogue", "dialog", "conversation", "turns", "dialogue_history", "dialogue_context", "messages"),
    "annotation": ("parsed_generation", "parsed_output", "annotations", "skill_of_mind"),
    "skill": ("skill", "skills", "conversational_skill", "conversational skill", "label"),
    "explanation": ("explanation", "explanations", "rationale", "thought"),
    "context": ("social_context_prompt", "social_context", "social context", "context"),
    "response": ("response", "next_response", "gold_response", "target"),
    "id": ("index", "id", "dialogue_id", "dialog_id", "unique_id"),
    "source": ("source", "dataset", "data_source", "dataset_name", "src_dataset"),
}
"""What is looked for -> names it goes by, the surest first."""

_PREFIX = re.compile(r"^\d+:(?=.)")
"""The original's `index` is `<number of the prefix>:<dialogue id>`."""
_PLACE_OF_TURN = re.compile(r"^turns(\[[0-9]+\])?[^:]*: ")
_FENCE = re.compile(r"^\s*```(?:json)?\s*|\s*```\s*$")


@dataclass(frozen=True)
class Columns:
    """Which column of the rows holds what; None where there is none."""

    dialogue: str
    annotation: str | None
    skill: str | None
    explanation: str | None
    context: str | None
    response: str | None
    id: str | None
    source: str | None


@dataclass
class AnnotatedReading:
    """What became of one annotated row."""

    line: int
    row: dict[str, Any] | None = None
    reason: str = ""


@dataclass
class Report:
    """Labels over all rows read so far."""

    labels: LabelReport = field(default_factory=LabelReport)
    columns: Columns | None = None
    several: int = 0
    """Rows with more than one skill; the first is `skill`, the second `also`."""


def detect_columns(row: Row) -> Columns:
    """Find out which column holds what.

    Raises:
        ThanosError: if there is no dialogue, or neither an annotation nor a skill; says what was expected and found.
    """
    names = {name.lower(): name for name in row}
    found = {part: next((names[name] for name in known if name in names), None) for part, known in KNOWN.items()}
    for part, missing in (
        ("dialogue", not found["dialogue"]),
        ("skill", not found["skill"] and not found["annotation"]),
    ):
        if missing:
            wanted = [*KNOWN[part], *(KNOWN["annotation"] if part == "skill" else ())]
            near = next((n for name in wanted for n in difflib.get_close_matches(name, row, n=1, cutoff=0.7)), None)
            columns = ", ".join(map(repr, row)) or "nothing"
            hint = f" (is {near!r} meant? rename it)" if near else ""
            raise ThanosError(f"no {part} column: expected one of {', '.join(wanted)}; found {columns}{hint}")
    return Columns(**found)


def read_released(rows: Iterable[RawRow], report: Report) -> Iterator[AnnotatedReading]:
    """Annotated rows in this project's form: a turn to annotate with `skill`, `also` and `explanation`.

    Labels are brought to the 39 names; a row whose first label maps to none of them gives its reason.

    Args:
        rows: As `rows_of_file` gives them.
        report: Filled in while the rows are read.

    Raises:
        ThanosError: if the first row that can be decoded lacks the columns that are needed.
    """
    for raw in rows:
        if raw.row is None:
            yield AnnotatedReading(raw.line, reason=raw.error)
            continue
        report.columns = report.columns or detect_columns(raw.row)
        try:
            yield AnnotatedReading(raw.line, _annotated(raw, report.columns, report))
        except Unusable as reason:
            yield AnnotatedReading(raw.line, reason=str(reason))


def _annotated(raw: RawRow, columns: Columns, report: Report) -> dict[str, Any]:
    row = raw.row or {}
    dialogue = _dialogue(row, columns, raw.place)
    thoughts = _thoughts(row, columns)
    skills = [_skill(label, report.labels) for label, _ in thoughts]
    report.several += len(skills) > 1
    if skills[0] is None:
        raise Unusable("a skill that is none of the 39")
    if isinstance(row.get("also"), str):  # this project's own form
        skills.append(_skill(row["also"], report.labels))
    if _response_unknown(row, columns):
        response, before, speaker = None, dialogue.turns, row["speaker"]
    else:
        response, before = dialogue.turns[-1], dialogue.turns[:-1]
        speaker = response.speaker
    if not before:
        raise Unusable("nothing but the response in the dialogue")
    source = str(row.get(columns.source) or NAME) if columns.source else NAME
    return {
        "id": _turn_id(source, dialogue.id, len(before)),
        "source": source,
        "social_context": dialogue.social_context,
        "dialogue": [turn_row(turn) for turn in before],
        "response": response and turn_row(response),
        "speaker": speaker,
        "skill": skills[0],
        "also": next((skill for skill in skills[1:] if skill and skill != skills[0]), None),
        "explanation": thoughts[0][1],
    }


def _response_unknown(row: Row, columns: Columns) -> bool:
    """A row that says who speaks next, and in a column of its own that the words aren't known."""
    named = columns.response is not None and columns.response in row
    return named and row[columns.response] is None and isinstance(row.get("speaker"), str)


def _turn_id(source: str, id: str, index: int) -> str:
    """The turn's id; one that is complete already stays, for the dialogue may have lost its oldest turns since."""
    if re.fullmatch(rf"{re.escape(source)}:.+:[0-9]+", id, re.DOTALL):
        return id
    return f"{source}:{_PREFIX.sub('', id)}:{index}"


def _dialogue(row: Row, columns: Columns, place: str) -> Dialogue:
    """The turns with the response as the last one; a `response` column of its own is put behind them."""
    turns = row.get(columns.dialogue)
    if isinstance(turns, str) and turns.lstrip()[:1] == "[":
        turns = _decoded(turns, columns.dialogue)
    shaped = {"turns": turns, "social_context": row.get(columns.context) if columns.context else ""}
    shaped["id"] = row.get(columns.id) if columns.id else None
    response = row.get(columns.response) if columns.response else None
    if isinstance(response, dict) and isinstance(turns, list):
        shaped["turns"] = [*turns, response]
    elif isinstance(response, str) and response.strip():
        raise Unusable(f"`{columns.response}` doesn't say who speaks")
    try:
        return dialogue_from_row(shaped, fallback_id=place)
    except ThanosError as error:
        # Without the place in the dialogue, so that equal causes have equal words.
        raise Unusable(f"`{columns.dialogue}`: {_PLACE_OF_TURN.sub('', str(error))}") from None


def _thoughts(row: Row, columns: Columns) -> list[tuple[str, str]]:
    """(label, explanation) of each skill that the row names, at least one."""
    if columns.annotation and row.get(columns.annotation) is not None:
        value = _decoded(row[columns.annotation], columns.annotation)
        items = value if isinstance(value, list) else [value]
        pairs = [(item.get("skill"), item.get("explanation")) for item in items if isinstance(item, dict)]
    elif columns.skill:
        skill, why = row.get(columns.skill), row.get(columns.explanation) if columns.explanation else ""
        skills = skill if isinstance(skill, list) else [skill]
        reasons = why if isinstance(why, list) else [why] * len(skills)
        pairs = list(zip(skills, reasons + [""] * (len(skills) - len(reasons)), strict=False))
    else:
        raise Unusable(f"`{columns.annotation}` is null")
    thoughts = [(label, why.strip() if isinstance(why, str) else "") for label, why in pairs if isinstance(label, str)]
    if not thoughts:
        raise Unusable("no skill in the row")
    return thoughts


def _decoded(value: Any, column: str | None) -> Any:
    """JSON text, also in a code fence, -> its value; anything else as it is."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(_FENCE.sub("", value))
    except ValueError:
        raise Unusable(f"`{column}` isn't JSON") from None


def _skill(label: str, report: LabelReport) -> str | None:
    try:
        skill = Skill.parse(label).value
    except UnknownSkillError:
        report.unmapped[label] += 1
        return None
    report.mapped[skill] += 1
    if skill != label:
        report.changed[label] = skill
    return skill
