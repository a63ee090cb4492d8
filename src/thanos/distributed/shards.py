"""An input cut into shards: runs of lines of JSONL files, or row groups of Parquet files.

A shard is named by file and place, never by its rows, so that any process that sees the file can read it.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from thanos.data.parquet import open_parquet
from thanos.dialogue import Row, dialogue_from_row
from thanos.errors import ThanosError

ROWS_PER_SHARD = 1000
"""Lines of a JSONL file in one shard: what is begun again, at most, where a process is lost."""
SUFFIXES = (".jsonl", ".parquet")


@dataclass(frozen=True)
class Shard:
    """A part of an input."""

    number: int
    path: str
    start: int
    """JSONL: the byte at which it begins. Parquet: the row group."""
    end: int
    """JSONL: the byte after it. Parquet: the row group after it."""
    first_line: int
    """The number of its first row in the whole input, counted from 1 through all its files."""
    rows: int

    @property
    def is_parquet(self) -> bool:
        """Which of the two forms."""
        return self.path.endswith(".parquet")


def find_shards(source: str, rows_per_shard: int = ROWS_PER_SHARD) -> list[Shard]:
    """Cut a file, or all files of a folder in the order of their names.

    Raises:
        ThanosError: if there is no JSONL or Parquet file, or one can't be read.
    """
    root = Path(source)
    paths = sorted(p for p in root.iterdir() if p.suffix in SUFFIXES) if root.is_dir() else [root]
    shards: list[Shard] = []
    for path in paths:
        shards.extend(_shards_of(path.absolute(), len(shards), _rows_in(shards) + 1, rows_per_shard))
    if not shards:
        raise ThanosError(f"{source} holds no rows; expected a JSONL or Parquet file, or a folder of such files")
    return shards


def read_shard(shard: Shard) -> Iterator[Row]:
    """Its rows, with their numbers in the whole input; a bad one is reported in its place.

    Raises:
        ThanosError: if the file can't be read.
    """
    values = _parquet_values(shard) if shard.is_parquet else _json_values(shard)
    for line, value in enumerate(values, start=shard.first_line):
        if value is None:
            continue
        try:
            if isinstance(value, ValueError):
                raise ThanosError(f"not JSON: {value}")
            yield Row(line, dialogue_from_row(value, fallback_id=str(line)))
        except ThanosError as error:
            yield Row(line, error=str(error))


def _rows_in(shards: list[Shard]) -> int:
    return shards[-1].first_line + shards[-1].rows - 1 if shards else 0


def _shards_of(path: Path, number: int, line: int, rows_per_shard: int) -> Iterator[Shard]:
    cuts = _parquet_cuts(path) if path.suffix == ".parquet" else _json_cuts(path, rows_per_shard)
    for start, end, rows in cuts:
        yield Shard(number, str(path), start, end, line, rows)
        number, line = number + 1, line + rows


def _json_cuts(path: Path, rows_per_shard: int) -> Iterator[tuple[int, int, int]]:
    start = end = rows = 0
    try:
        with path.open("rb") as file:
            for raw in file:
                end += len(raw)
                rows += 1
                if rows == rows_per_shard:
                    yield start, end, rows
                    start, rows = end, 0
    except OSError as error:
        raise ThanosError(f"can't read {path}: {(error.strerror or str(error)).lower()}") from None
    if rows:
        yield start, end, rows


def _parquet_cuts(path: Path) -> Iterator[tuple[int, int, int]]:
    with open_parquet(path) as file:
        for group in range(file.num_row_groups):
            yield group, group + 1, file.metadata.row_group(group).num_rows


def _json_values(shard: Shard) -> Iterator[object]:
    """Objects; the error for what isn't JSON, None for blank lines."""
    try:
        file = Path(shard.path).open("rb")  # noqa: SIM115
    except OSError as error:
        raise ThanosError(f"can't read {shard.path}: {(error.strerror or str(error)).lower()}") from None
    with file:
        file.seek(shard.start)
        while file.tell() < shard.end:
            raw = file.readline()
            try:
                yield json.loads(raw) if raw.strip() else None
            except ValueError as error:
                yield error


def _parquet_values(shard: Shard) -> Iterator[object]:
    with open_parquet(Path(shard.path)) as file:
        for batch in file.iter_batches(256, row_groups=list(range(shard.start, shard.end))):
            yield from map(_without_nulls, batch.to_pylist())


def _without_nulls(value: object) -> object:
    """A Parquet turn has an `image` column even where there is no picture; a JSON one simply has no such key."""
    if isinstance(value, dict) and isinstance(value.get("dialogue"), list):
        lean = lambda turn: {k: v for k, v in turn.items() if v is not None} if isinstance(turn, dict) else turn
        value = value | {"dialogue": [lean(turn) for turn in value["dialogue"]]}
        if "response" in value:
            value["response"] = lean(value["response"])
    return value
