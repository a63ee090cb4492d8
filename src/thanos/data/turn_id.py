"""The id of a turn: `<source>:<dialogue id>:<index of the turn>`; only the dialogue id may hold colons itself."""

from typing import Any, NamedTuple


class TurnId(NamedTuple):
    """Where a turn comes from."""

    source: str
    dialogue_id: str
    index: int
    """The turn's place in its dialogue, from 0."""

    def __str__(self) -> str:
        return f"{self.source}:{self.dialogue_id}:{self.index}"

    @property
    def dialogue_key(self) -> str:
        """The same for every turn of a dialogue, and for no other dialogue."""
        return f"{self.source}:{self.dialogue_id}"


def parse_turn_id(id: str, source: str = "") -> TurnId:
    """Read an id; one of another form is the id of a dialogue of which this is the only turn (index -1).

    Args:
        id: For example "soda:112:5" or "empathetic_dialogues:hit:1_conv:2:3".
        source: The row's own `source` field, which tells where the source's name ends if it holds colons.
    """
    if source and id.startswith(f"{source}:"):
        rest = id[len(source) + 1 :]
    else:
        found, colon, rest = id.partition(":")
        source, rest = (source or found, rest) if colon else (source, id)
    dialogue_id, _, index = rest.rpartition(":")
    if dialogue_id and index.isascii() and index.isdigit():
        return TurnId(source, dialogue_id, int(index))
    return TurnId(source, rest, -1)


def row_turn_id(row: dict[str, Any]) -> TurnId:
    """Where a row's turn comes from, by its `id` and, if it has one, its `source`.

    What rows are joined by: versions of a source may write other heads before the same turn's number.
    """
    return parse_turn_id(str(row["id"]), row.get("source") or "")
