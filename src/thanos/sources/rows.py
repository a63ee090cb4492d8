"""A file or a hub release -> its rows, one after the other."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from thanos.errors import ThanosError
from thanos.sources.source import Row

PARQUET_BATCH = 256
INSTALL = 'pip install "thanos-skill-of-mind[data]"'


@dataclass(frozen=True)
class RawRow:
    """One row, or why it couldn't be decoded."""

    line: int
    """Its line, counted from 1 (its number in Parquet files, JSON lists and hub releases)."""
    place: str
    """Its place among the rows, counted from 0; what it is known by where the set has no ids of its own."""
    row: Row | None = None
    error: str = ""


def rows_of_file(path: Path) -> Iterator[RawRow]:
    """Stream a JSONL or Parquet file; a JSON list is read whole.

    Raises:
        ThanosError: if the file can't be read or holds nothing.
    """
    try:
        stream = path.open("rb")
    except OSError as error:
        raise ThanosError(f"can't read {path}: {error.strerror.lower() if error.strerror else error}") from None
    with stream:
        start = stream.read(4)
        stream.seek(0)
        rows = _parquet_rows(path) if start == b"PAR1" else _json_rows(stream)
        empty = True
        for raw in rows:
            empty = False
            yield raw
    if empty:
        raise ThanosError(f"{path} holds no rows; expected JSONL, a JSON list or Parquet")


def rows_of_hub(hub_id: str, config: str | None = None, split: str = "train", head: str = "") -> Iterator[RawRow]:
    """Stream a hub release through `datasets`. This fetches from the internet (a local folder of data works, too).

    Args:
        hub_id: `owner/name`.
        config: Configuration, where the release has several.
        split: Which split.
        head: Put before each row's place, to keep the places of several splits apart.

    Raises:
        ThanosError: if `datasets` isn't installed, or the hub doesn't give the set.
    """
    try:
        from datasets import load_dataset
    except ImportError:
        raise ThanosError(f"reading from the hub needs the package datasets: {INSTALL}") from None
    try:
        for n, row in enumerate(load_dataset(hub_id, config, split=split, streaming=True)):
            yield RawRow(n + 1, f"{head}{n}", row)
    except Exception as error:  # datasets raises many kinds, of its own and of the hub's client
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise ThanosError(f"can't fetch {hub_id}: {reason}; give a local file instead") from error


def _json_rows(stream: BinaryIO) -> Iterator[RawRow]:
    place = 0
    for line, raw in enumerate(stream, start=1):
        if not raw.strip():
            continue
        if place == 0 and raw.lstrip(b"\xef\xbb\xbf \t")[:1] == b"[":
            yield from _json_list(raw + stream.read())
            return
        yield _decoded(raw, line, place)
        place += 1


def _json_list(raw: bytes) -> Iterator[RawRow]:
    try:
        items = json.loads(raw.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise ThanosError(f"not a JSON list: {error}") from None
    for n, item in enumerate(items):
        yield _checked(item, n + 1, n)


def _decoded(raw: bytes, line: int, place: int) -> RawRow:
    try:
        value = json.loads(raw.decode("utf-8-sig"))
    except UnicodeDecodeError:
        return RawRow(line, str(place), error="not UTF-8")
    except (ValueError, RecursionError):
        return RawRow(line, str(place), error="not JSON")
    return _checked(value, line, place)


def _checked(value: object, line: int, place: int) -> RawRow:
    if isinstance(value, dict):
        return RawRow(line, str(place), value)
    return RawRow(line, str(place), error="not an object")


def _parquet_rows(path: Path) -> Iterator[RawRow]:
    try:
        import pyarrow
        from pyarrow.parquet import ParquetFile
    except ImportError:
        raise ThanosError(f"reading Parquet needs the package pyarrow: {INSTALL}") from None
    n = 0
    try:
        with ParquetFile(path) as file:
            for batch in file.iter_batches(batch_size=PARQUET_BATCH):
                for row in batch.to_pylist():
                    yield RawRow(n + 1, str(n), row)
                    n += 1
    except pyarrow.ArrowException as error:
        raise ThanosError(f"can't read {path} as Parquet: {str(error).splitlines()[0]}") from None
