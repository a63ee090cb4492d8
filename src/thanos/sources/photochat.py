"""PhotoChat (Zang et al., 2021): two friends chat, and one of them shares a photo."""

from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import A, B, dialogue
from thanos.sources.fields import need, number, objects, text
from thanos.sources.source import Row, Source, Unusable

CONTEXT = "Two friends chat online and may share photos."


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """User 0 is Speaker A, user 1 Speaker B; they don't alternate. The turn with `share_photo` is the photo."""
    row = rows[0]
    need(row, "dialogue")
    photo = text(row, "photo_description") or "a photo"
    turns = []
    for entry in objects(row, "dialogue"):
        if entry.get("user_id") not in (0, 1):
            raise Unusable("a `dialogue.user_id` that is neither 0 nor 1")
        shared = photo if entry.get("share_photo") is True else None
        turns.append(Turn(speaker=(A, B)[entry["user_id"]], text=text(entry, "message"), image=shared))
    yield dialogue("photochat", number(row, "dialogue_id") or place, turns, CONTEXT, photo_id=text(row, "photo_id"))


SOURCE = Source(
    name="photochat",
    hub_id="passing2961/photochat_plus",
    licence="CC BY 4.0",
    rows=12_286,
    split="test",
    context="that the two are friends who may share photos",
    dialogues=dialogues,
)
