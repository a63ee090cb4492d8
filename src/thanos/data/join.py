"""`thanos data join`: stand-off files and sources -> full rows."""

import json
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Any

from thanos.data.next_turn import read_next_turn
from thanos.data.standoff import JoinReport, join, read_standoff, turns_of_source
from thanos.data.turn_id import TurnId, row_turn_id
from thanos.dialogue import read_rows
from thanos.errors import ThanosError

SUFFIXES = (".jsonl", ".json", ".parquet")


def join_files(
    annotations: list[Path], output: Path, *, turns: str | None = None, data: Path | None = None, hub: bool = False
) -> JoinReport:
    """Write the rows whose dialogue is found and unchanged; the file appears when all sources were read.

    Args:
        annotations: Stand-off files.
        turns: Rows of `thanos turns`; or else
        data: a folder with files named <source>..., or else
        hub: the hub releases.

    Raises:
        ThanosError: if not exactly one of the three is given, or a file can't be read or written.
    """
    if sum((turns is not None, data is not None, hub)) != 1:
        raise ThanosError("join needs the dialogues: give --turns FILE, --data FOLDER or --hub")
    rows = list(chain.from_iterable(map(read_standoff, annotations)))
    found = _given_turns(turns) if turns is not None else _source_turns(rows, data)
    part = output.with_name(f"{output.name}.part")
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            write = lambda row: file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            report = join(rows, found, write)
        part.replace(output)
    except OSError as error:
        raise ThanosError(f"can't write {output}: {(error.strerror or str(error)).lower()}") from None
    return report


def _given_turns(path: str) -> Iterator[dict[str, Any]]:
    for row in read_rows(path):
        if row.dialogue is not None:
            yield read_next_turn(row.dialogue).row()


def _source_turns(annotations: list[dict[str, Any]], folder: Path | None) -> Iterator[dict[str, Any]]:
    """Source by source; several files of one source (whole and partial rows, say) are all read."""
    from thanos.sources import SOURCES

    wanted: dict[str, set[TurnId]] = {}
    for row in annotations:
        wanted.setdefault(row["source"], set()).add(row_turn_id(row))
    for name, keys in wanted.items():
        if name not in SOURCES:
            continue  # reported as missing
        files = [None] if folder is None else _files(folder, name)
        for path in files:
            yield from turns_of_source(name, path, path is None, keys)


def _files(folder: Path, name: str) -> list[Path]:
    if not folder.is_dir():
        raise ThanosError(f"{folder} is no folder")
    return sorted(path for path in folder.glob(f"{name}*") if path.suffix in SUFFIXES)
