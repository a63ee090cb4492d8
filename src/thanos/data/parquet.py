"""Parquet files through pyarrow, which is imported when one is read or written."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thanos.errors import ThanosError

ROW_GROUP = 4096
"""Rows held in memory at a time."""


def parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Stream a Parquet file.

    Raises:
        ThanosError: if it can't be read, or pyarrow isn't installed.
    """
    try:
        with open_parquet(path) as file:
            for batch in file.iter_batches(ROW_GROUP):
                yield from batch.to_pylist()
    except (OSError, ValueError) as error:  # pyarrow's errors are these
        raise ThanosError(f"can't read {path}: {error}") from None


def open_parquet(path: Path) -> Any:
    """An open pyarrow ParquetFile.

    Raises:
        ThanosError: as `parquet_rows`.
    """
    _, parquet = load_arrow()
    try:
        return parquet.ParquetFile(path)
    except (OSError, ValueError) as error:  # pyarrow's errors are these
        raise ThanosError(f"can't read {path}: {error}") from None


def load_arrow() -> tuple[Any, Any]:
    """The modules pyarrow and pyarrow.parquet.

    Raises:
        ThanosError: if pyarrow isn't installed.
    """
    try:
        import pyarrow
        import pyarrow.parquet
    except ModuleNotFoundError as error:
        raise ThanosError(f"Parquet needs {error.name}: pip install 'thanos-skill-of-mind[data]'") from None
    return pyarrow, pyarrow.parquet
