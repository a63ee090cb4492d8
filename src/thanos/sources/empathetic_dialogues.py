"""EmpatheticDialogues (Rashkin et al., 2019): one speaker tells of a situation and a feeling, the other listens."""

from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import A, B, dialogue
from thanos.sources.fields import need, text
from thanos.sources.source import Row, Source, Unusable
from thanos.sources.spacing import commas


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """One row an utterance, `utterance_idx` from 1; a conversation is the consecutive rows of one `conv_id`.

    Who opens is Speaker A. `speaker_idx` (a worker's number) tells who speaks where rows have it, else they alternate.
    """
    need(rows[0], "conv_id")
    if [row.get("utterance_idx") for row in rows] != list(range(1, len(rows) + 1)):
        raise Unusable("`utterance_idx` doesn't count from 1 without a gap")
    workers = [row.get("speaker_idx") for row in rows]
    if None in workers or len(set(workers)) > 2:
        workers = [i % 2 for i in range(len(rows))]
    turns = [
        Turn(speaker=A if worker == workers[0] else B, text=commas(text(row, "utterance")))
        for row, worker in zip(rows, workers, strict=True)
    ]
    feeling, situation = text(rows[0], "context"), commas(text(rows[0], "prompt"))
    yield dialogue(
        "empathetic_dialogues",
        text(rows[0], "conv_id"),
        turns,
        " ".join(
            part for part in (feeling and f"{A} feels {feeling}.", situation and f"Situation: {situation}") if part
        ),
    )


SOURCE = Source(
    name="empathetic_dialogues",
    hub_id="facebook/empathetic_dialogues",
    licence="CC BY-NC 4.0",
    rows=99_646,
    context="the first speaker's feeling and situation",
    dialogues=dialogues,
    same_dialogue=lambda row: row.get("conv_id"),
)
