"""ESConv (Liu et al., 2021): a seeker of emotional support and a trained supporter.

Three shapes are read: the hub's (one `text` field that holds the dialogue as JSON), the same decoded, and the authors'
file of conversations that failed (`content`, with `speaker` and `listener` as roles).
"""

from collections.abc import Iterator
from typing import Any

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import dialogue
from thanos.sources.fields import mapping, need, objects, text
from thanos.sources.render import sentences
from thanos.sources.source import Row, Source, Unusable

ROLES = {
    "usr": "Seeker",
    "seeker": "Seeker",
    "speaker": "Seeker",
    "sys": "Supporter",
    "supporter": "Supporter",
    "listener": "Supporter",
}


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """Both may speak several times in a row. `turn_labels` holds the supporter's strategy as the set names it."""
    row = mapping(rows[0], "text") if "dialog" not in rows[0] and "text" in rows[0] else rows[0]
    need(row, "dialog")
    entries = objects(row, "dialog")
    turns = [Turn(speaker=_role(entry), text=text(entry, "text") or text(entry, "content")) for entry in entries]
    feeling, problem, situation = (text(row, key) for key in ("emotion_type", "problem_type", "situation"))
    experience = text(row, "experience_type")
    context = sentences(
        "Seeker looks for emotional support and Supporter tries to give it",
        feeling and f"Seeker's feeling: {feeling}",
        problem and f"Problem: {problem}" + (f" ({experience})" if experience else ""),
        situation and f"Situation: {situation}",
    )
    yield dialogue("esconv", place, turns, context, turn_labels=[_strategy(entry) for entry in entries])


def _role(entry: dict[str, Any]) -> str:
    role = ROLES.get(text(entry, "speaker"))
    if role is None:
        raise Unusable("a `dialog.speaker` that is neither seeker nor supporter")
    return role


def _strategy(entry: dict[str, Any]) -> str | None:
    return text(entry, "strategy") or text(mapping(entry, "annotation"), "strategy") or None


SOURCE = Source(
    name="esconv",
    hub_id="thu-coai/esconv",
    licence="CC BY-NC 4.0",
    rows=1_300,
    context="the seeker's feeling, problem and situation",
    dialogues=dialogues,
)
