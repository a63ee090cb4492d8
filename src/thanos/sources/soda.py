"""SODA (Kim et al., 2023): social dialogues distilled from a language model, each grown from a short narrative."""

from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import A, B, dialogue
from thanos.sources.fields import need, number, text, texts
from thanos.sources.placeholders import placeholders
from thanos.sources.source import Row, Source, Unusable
from thanos.sources.spacing import without_stray_quote


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """`dialogue` and `speakers` are lists of equal length.

    Rows without speakers are the beginning of a dialogue whose names were taken away: two people in turn.
    """
    row = rows[0]
    need(row, "dialogue")
    utterances, speakers = texts(row, "dialogue"), texts(row, "speakers")
    part = None if speakers else "partial"
    if not speakers:
        speakers = [(A, B)[i % 2] for i in range(len(utterances))]
    if len(speakers) != len(utterances):
        raise Unusable("`dialogue` and `speakers` differ in length")
    if not all(speakers):
        raise Unusable("`speakers` holds an empty name")
    turns = [Turn(speaker=who, text=without_stray_quote(said)) for who, said in zip(speakers, utterances, strict=True)]
    yield dialogue(
        "soda",
        number(row, "original_index") or text(row, "_source_id") or place,
        turns,
        text(row, "narrative") or "Two people are talking in an everyday situation.",
        part=part,
        placeholders=placeholders(turns),
    )


SOURCE = Source(
    name="soda",
    hub_id="allenai/soda",
    licence="CC BY 4.0",
    rows=1_486_896,
    context="the narrative that the dialogue was grown from",
    dialogues=dialogues,
)
