"""Draw turns from a stream of dialogues, in memory that depends on how many are drawn and not on how many there are.

Every turn has a number of its own, a hash of the seed and its id; the turns with the smallest numbers are drawn. So the
order of the input plays no part, and a larger draw, or one from a grown source, keeps what isn't pushed out.
"""

import heapq
import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from thanos.dialogue import Dialogue
from thanos.sources import context_at, open_source, turn_id, turn_row
from thanos.turns.recipe import Recipe, SourceShare


@dataclass
class Sample:
    """Turns drawn from one source, and from how much."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    """In the order of the input; see `turn_to_annotate`."""
    dialogues: int = 0
    eligible: int = 0
    """Dialogues with at least one turn that could be drawn."""
    unusable: int = 0
    """Rows that gave no dialogue; `thanos sources check` says why."""
    repeated: int = 0
    """Turns left out because their id was drawn already: two dialogues of the source share an id."""


def sample_source(
    name: str, path: Path | None, share: SourceShare, recipe: Recipe, advance: Callable[[], None] = lambda: None
) -> Sample:
    """Draw a source's share from its file, or from the hub where there is none; `advance` is called for each row."""
    unusable = 0

    def dialogues() -> Iterator[Dialogue]:
        nonlocal unusable
        for reading in open_source(name, path, hub=path is None, split=share.split):
            yield from reading.dialogues
            unusable += 0 if reading.dialogues else reading.rows
            for _ in range(reading.rows):
                advance()

    sample = sample_turns(dialogues(), share.turns, recipe)
    sample.unusable = unusable
    return sample


def sample_turns(dialogues: Iterable[Dialogue], turns: int, recipe: Recipe) -> Sample:
    """Draw up to `turns` turns of one source, at most `recipe.per_dialogue` of a dialogue."""
    sample = Sample()
    heap: list[tuple[int, int, str]] = []  # (minus its number, order of arrival, the row as JSON)
    arrived = 0
    for dialogue in dialogues:
        sample.dialogues += 1
        numbered = sorted((_number(recipe.seed, dialogue, turn), turn) for turn in candidates(dialogue, recipe))
        sample.eligible += bool(numbered)
        for number, turn in sorted(numbered[: recipe.per_dialogue], key=lambda pair: pair[1]):
            arrived += 1
            if len(heap) < turns:
                heapq.heappush(heap, (-number, arrived, _row_text(dialogue, turn)))
            elif number < -heap[0][0]:
                heapq.heapreplace(heap, (-number, arrived, _row_text(dialogue, turn)))
    ids = set()
    for _, _, text in sorted(heap, key=lambda entry: entry[1]):
        row = json.loads(text)
        if row["id"] in ids:
            sample.repeated += 1
            continue
        ids.add(row["id"])
        sample.rows.append(row)
    return sample


def candidates(dialogue: Dialogue, recipe: Recipe) -> Iterator[int]:
    """Turns (counted from 0) that may be the response."""
    for turn in range(recipe.min_turns - 1, len(dialogue.turns)):
        if not recipe.even_turns or turn % 2:
            yield turn


def turn_to_annotate(dialogue: Dialogue, turn: int) -> dict[str, Any]:
    """The row of one turn: what was said before it, what was known then, and the turn itself as the response."""
    response = dialogue.turns[turn]
    return {
        "id": turn_id(dialogue, turn),
        "source": dialogue.meta.get("source"),
        "social_context": context_at(dialogue, turn),
        "dialogue": [turn_row(before) for before in dialogue.turns[:turn]],
        "response": turn_row(response),
        "speaker": response.speaker,
    }


def _row_text(dialogue: Dialogue, turn: int) -> str:
    """As text, a drawn row takes a tenth of the memory."""
    return json.dumps(turn_to_annotate(dialogue, turn), ensure_ascii=False)


def _number(seed: int, dialogue: Dialogue, turn: int) -> int:
    return int.from_bytes(blake2b(f"{seed}\n{turn_id(dialogue, turn)}".encode(), digest_size=8).digest())
