"""Turns and contexts -> Dialogue, the same way for every source."""

from collections.abc import Sequence
from typing import Any

from thanos.dialogue import Dialogue, Turn
from thanos.errors import ThanosError
from thanos.sources.source import Unusable

A, B = "Speaker A", "Speaker B"
"""Who speaks in sets that name nobody. Which role is A is said in the social context."""


def spoken(turns: Sequence[Turn], *aligned: Sequence[Any] | None) -> tuple[list[Turn], ...]:
    """Leave out turns that hold neither words nor a picture, and their places in lists that go along with the turns."""
    kept = [i for i, turn in enumerate(turns) if turn.text.strip() or turn.image]
    if len(kept) == len(turns):
        return list(turns), *(None if other is None else list(other) for other in aligned)
    return [turns[i] for i in kept], *(None if other is None else [other[i] for i in kept] for other in aligned)


def dialogue(
    source: str,
    id: str,
    turns: Sequence[Turn],
    social_context: str,
    *,
    part: str | None = None,
    turn_contexts: Sequence[str | None] | None = None,
    turn_labels: Sequence[str | None] | None = None,
    **meta: Any,
) -> Dialogue:
    """Put a dialogue together.

    Args:
        source: The set's name; kept as `meta["source"]`.
        id: The set's own id of the dialogue, or its row's place where the set has none.
        turns: All turns; empty ones are left out, and counted as `meta["empty_turns"]`.
        social_context: What is known throughout.
        part: What the row holds if not the whole dialogue: "partial" (its end or beginning is missing) or "context"
            (only an opening, the response to it is missing). Kept as `meta["part"]`.
        turn_contexts: For each turn, the whole social context of its speaker at that moment where it differs from
            `social_context`; see `thanos.sources.context_at`.
        turn_labels: For each turn, the set's own annotation of it.
        meta: What else is worth keeping; None and "" are left out.

    Raises:
        Unusable: if no turn is left.
    """
    kept, contexts, labels = spoken(turns, turn_contexts, turn_labels)
    if not kept:
        raise Unusable("no turn with words" if turns else "no turns")
    held: dict[str, Any] = {"source": source, "part": part, "empty_turns": len(turns) - len(kept) or None}
    if contexts and any(contexts):
        held["turn_contexts"] = contexts
    if labels and any(labels):
        held["turn_labels"] = labels
    held = {key: value for key, value in (held | meta).items() if value not in (None, "", [], {})}
    return Dialogue(id=id, turns=kept, social_context=social_context, meta=held)


def context_at(dialogue: Dialogue, turn: int) -> str:
    """The social context of the speaker of a turn (counted from 0): the turn's own one where the set gives one."""
    contexts = dialogue.meta.get("turn_contexts")
    own = contexts[turn] if contexts and turn < len(contexts) else None
    return own or dialogue.social_context


def turn_id(dialogue: Dialogue, turn: int) -> str:
    """`<source>:<dialogue id>:<turn, counted from 0>`.

    Rows that hold only a part of a dialogue have the part's name after the source's: `soda_partial:...`.
    """
    source, part = dialogue.meta.get("source"), dialogue.meta.get("part")
    head = "_".join(name for name in (source, part) if name)
    return ":".join(name for name in (head, dialogue.id, str(turn)) if name)


def turn_key(row: dict[str, Any]) -> tuple[str, str, int]:
    """(source, dialogue id, turn) of a row that has a turn id and its source; what rows are joined by.

    Raises:
        ThanosError: if the row has no such id.
    """
    source, id = row.get("source"), row.get("id")
    head, _, rest = id.partition(":") if isinstance(id, str) else ("", "", "")
    dialogue_id, _, turn = rest.rpartition(":")
    if not (source and head and dialogue_id and turn.isdecimal()):
        raise ThanosError(f"id {id!r}: expected <source>:<dialogue id>:<turn>, and the row's `source`")
    return str(source), dialogue_id, int(turn)


def dialogue_row(dialogue: Dialogue) -> dict[str, Any]:
    """Dialogue -> one row of this project's JSONL form; `thanos.dialogue.dialogue_from_row` reads it back."""
    return {
        "id": dialogue.id,
        "social_context": dialogue.social_context,
        "turns": [turn_row(turn) for turn in dialogue.turns],
        **dialogue.meta,
    }


def turn_row(turn: Turn) -> dict[str, str]:
    """Turn -> {speaker, text}, with `image` where a picture is shared."""
    row = {"speaker": turn.speaker, "text": turn.text}
    return row if turn.image is None else row | {"image": turn.image}
