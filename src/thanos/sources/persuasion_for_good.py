"""PersuasionForGood (Wang et al., 2019): one worker tries to persuade another to give to a charity."""

from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import A, B, dialogue
from thanos.sources.fields import need, text
from thanos.sources.source import Row, Source, Unusable

CONTEXT = f"{A} tries to persuade {B} to donate to the charity Save the Children."


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """One row an utterance: `Unit`, the role `B4` (0 persuader, 1 persuadee) and the dialogue's id `B2`, consecutive.

    The first column, which the release leaves unnamed, counts the rows of a dialogue.
    """
    need(rows[0], "B2")
    if any(row.get("B4") not in (0, 1) for row in rows):
        raise Unusable("a `B4` that is neither 0 (persuader) nor 1 (persuadee)")
    counted = [row["Unnamed: 0"] for row in rows if row.get("Unnamed: 0") is not None]
    if counted and counted != list(range(len(rows))):
        raise Unusable("`Unnamed: 0` doesn't count from 0 without a gap")
    turns = [Turn(speaker=(A, B)[row["B4"]], text=text(row, "Unit")) for row in rows]
    yield dialogue("persuasion_for_good", text(rows[0], "B2"), turns, CONTEXT)


SOURCE = Source(
    name="persuasion_for_good",
    hub_id="spawn99/PersuasionForGood",
    split="FullDialog",
    licence="MIT",
    rows=20_932,
    context="who persuades whom to donate",
    dialogues=dialogues,
    same_dialogue=lambda row: row.get("B2"),
)
