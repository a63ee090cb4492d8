"""DailyDialog (Li et al., 2017): written dialogues of everyday life."""

from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import A, B, dialogue
from thanos.sources.fields import need, texts
from thanos.sources.source import Row, Source, Unusable
from thanos.sources.spacing import untokenised

EMOTIONS = (None, "anger", "disgust", "fear", "happiness", "sadness", "surprise")
ACTS = (None, "inform", "question", "directive", "commissive")


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """Two people in turn, in tokenised text that is put right. `turn_labels` holds the emotion of each utterance."""
    row = rows[0]
    need(row, "dialog")
    turns = [Turn(speaker=(A, B)[i % 2], text=untokenised(said)) for i, said in enumerate(texts(row, "dialog"))]
    emotions, acts = (_names(row, key, names, len(turns)) for key, names in (("emotion", EMOTIONS), ("act", ACTS)))
    yield dialogue("daily_dialog", place, turns, "Two people talk in everyday life.", turn_labels=emotions, acts=acts)


def _names(row: Row, key: str, names: tuple[str | None, ...], turns: int) -> list[str | None] | None:
    numbers = row.get(key)
    if numbers is None:
        return None
    if not isinstance(numbers, list) or len(numbers) != turns:
        raise Unusable(f"`{key}` and `dialog` differ in length")
    if any(n not in range(len(names)) for n in numbers):
        raise Unusable(f"a number in `{key}` that stands for nothing")
    return [names[n] for n in numbers]


SOURCE = Source(
    name="daily_dialog",
    hub_id="li2017dailydialog/daily_dialog",
    licence="CC BY-NC-SA 4.0",
    rows=13_118,
    split="test",
    context="nothing of its own",
    dialogues=dialogues,
)
