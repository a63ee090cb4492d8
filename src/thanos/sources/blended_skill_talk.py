"""Blended Skill Talk (Smith et al., 2020): knowledge, empathy and personality in one conversation."""

from collections.abc import Iterator
from itertools import zip_longest

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import A, B, dialogue
from thanos.sources.fields import need, text, texts
from thanos.sources.render import bullets, lines
from thanos.sources.source import Row, Source


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """Two utterances to begin with, then `free_messages` (Speaker A) and `guided_messages` (Speaker B) in turn.

    `personas` are Speaker B's. `turn_labels` holds where the guided worker's suggestion came from, if one was used.
    """
    row = rows[0]
    need(row, "free_messages", "guided_messages")
    opening = texts(row, "previous_utterance")
    said = [((A, B)[i % 2], words, None) for i, words in enumerate(opening)]
    chosen = texts(row, "guided_chosen_suggestions")
    pairs = zip_longest(texts(row, "free_messages"), texts(row, "guided_messages"), chosen, fillvalue="")
    for free, guided, suggestion in pairs:
        said += [(A, free, None), (B, guided, suggestion or None)]
    turns = [Turn(speaker=who, text=words) for who, words, _ in said]
    topic = text(row, "additional_context")
    context = lines("Two people get to know each other.", topic and f"They begin with: {topic}")
    personas = bullets(f"{B}'s persona:", texts(row, "personas"))
    yield dialogue(
        "blended_skill_talk",
        place,
        turns,
        lines(context, personas),
        turn_labels=[suggestion for _, _, suggestion in said],
        opened_from=text(row, "context"),
    )


SOURCE = Source(
    name="blended_skill_talk",
    hub_id="ParlAI/blended_skill_talk",
    licence="CC BY 4.0",
    rows=6_808,
    split="test",
    context="one speaker's persona, the topic they begin with",
    dialogues=dialogues,
)
