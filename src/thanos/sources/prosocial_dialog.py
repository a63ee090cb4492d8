"""ProsocialDialog (Kim et al., 2022): replies to unsafe words, each grounded in rules of thumb."""

from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import A, B, dialogue
from thanos.sources.fields import need, number, text, texts
from thanos.sources.render import bullets, lines
from thanos.sources.source import Row, Source, Unusable

CONTEXT = f"Two people chat online. {B} cares about keeping the conversation kind, honest and safe."


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """One row a pair of `context` and `response`; a dialogue is the consecutive rows of one `dialogue_id`.

    The rules of thumb are those of one reply, so they are in `turn_contexts`. `turn_labels` holds the `safety_label` of
    each turn of Speaker A. A pair without `dialogue_id` stands alone; without a response it is an opening.
    """
    numbered = rows[0].get("dialogue_id") is not None
    if numbered and [row.get("response_id") for row in rows] not in (list(range(len(rows))), [None] * len(rows)):
        raise Unusable("`response_id` doesn't count from 0 without a gap")
    turns, contexts, labels = [], [], []
    for row in rows:
        need(row, "context")
        if not text(row, "response") and row is not rows[-1]:
            raise Unusable("`response` is null or empty within a dialogue")
        turns += [Turn(speaker=A, text=text(row, "context")), Turn(speaker=B, text=text(row, "response"))]
        rules = bullets(f"Rules of thumb for {B}'s reply:", texts(row, "rots"))
        contexts += [None, lines(CONTEXT, rules) if rules else None]
        labels += [text(row, "safety_label") or None, None]
    part = None
    if not turns[-1].text:
        turns, contexts, labels, part = turns[:-1], contexts[:-1], labels[:-1], "context"
    elif not numbered:
        part = "partial"
    yield dialogue(
        "prosocial_dialog",
        number(rows[0], "dialogue_id") or place,
        turns,
        CONTEXT,
        part=part,
        turn_contexts=contexts,
        turn_labels=labels,
    )


SOURCE = Source(
    name="prosocial_dialog",
    hub_id="allenai/prosocial-dialog",
    licence="CC BY 4.0",
    rows=165_681,
    context="that one speaker cares for a kind and safe talk; rules of thumb of the very reply",
    dialogues=dialogues,
    same_dialogue=lambda row: row.get("dialogue_id"),
)
