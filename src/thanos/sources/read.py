"""Rows of a source -> dialogues, in constant memory, with a reason for every row that gives none."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path

from thanos.dialogue import Dialogue
from thanos.errors import ThanosError
from thanos.sources.registry import find_source
from thanos.sources.rows import RawRow, rows_of_file, rows_of_hub
from thanos.sources.source import Source, Unusable


@dataclass
class Reading:
    """What became of one row, or of the consecutive rows of one dialogue."""

    line: int
    """Line of the first row, counted from 1."""
    rows: int
    dialogues: list[Dialogue] = field(default_factory=list)
    reasons: list[str] = field(default_factory=list)
    """Why the rows, or parts of them, gave no dialogue."""


def read_source(source: Source, rows: Iterable[RawRow]) -> Iterator[Reading]:
    """Group the rows that belong together and parse each group."""
    for _, group in groupby(rows, key=lambda raw: _group_key(source, raw)):
        members = list(group)
        reading = Reading(members[0].line, len(members))
        try:
            if members[0].row is None:
                raise Unusable(members[0].error)
            for item in source.dialogues([raw.row for raw in members], members[0].place):
                if isinstance(item, Dialogue):
                    reading.dialogues.append(item)
                else:
                    reading.reasons.append(str(item))
        except Unusable as reason:
            reading.reasons.append(str(reason))
        yield reading


def open_source(
    name: str, path: Path | None = None, *, hub: bool = False, split: str | None = None
) -> Iterator[Reading]:
    """Read a source from a local file, or from the hub if that is asked for.

    Args:
        name: As in `thanos sources`.
        path: JSONL, JSON list or Parquet with the row schema of the hub release.
        hub: Fetch the release through `datasets` (only without a path).
        split: Split of the hub release; the source's usual one by default.

    Raises:
        ThanosError: if the name is unknown, or neither a file is given nor the hub allowed.
    """
    source = find_source(name)
    if path is None and not hub:
        raise ThanosError(f"{name}: give a file, or --hub to fetch {source.hub_id} ({source.rows:,} rows)")
    if path is not None:
        return read_source(source, rows_of_file(path))
    # Places in another split than the usual one begin with its name: ids made of them stay unique over the splits.
    head = "" if split in (None, source.split) else f"{split}-"
    return read_source(source, rows_of_hub(source.hub_id, source.config, split or source.split, head))


def read_dialogues(
    name: str, path: Path | None = None, *, hub: bool = False, split: str | None = None
) -> Iterator[Dialogue]:
    """The dialogues of a source; rows that give none are passed over. See `open_source`."""
    for reading in open_source(name, path, hub=hub, split=split):
        yield from reading.dialogues


def _group_key(source: Source, raw: RawRow) -> tuple:
    """Rows of one dialogue have equal keys; any other row has one of its own."""
    shared = source.same_dialogue(raw.row) if source.same_dialogue and raw.row is not None else None
    return ("shared", shared) if shared is not None else ("alone", raw.place)
