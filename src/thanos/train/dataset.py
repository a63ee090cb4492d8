"""Encoded rows on disk, so that training reads them from there however many they are."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from datasets import Dataset, Features, Sequence, Value
from datasets.arrow_writer import ArrowWriter

_IDS = Sequence(Value("int32"))
COLUMNS = {
    "sft": Features({"prompt": _IDS, "completion": _IDS, "weight": Value("float32")}),
    "dpo": Features({"prompt_ids": _IDS, "chosen_ids": _IDS, "rejected_ids": _IDS}),
}
"""By method; those of dpo are TRL's names."""


def write_dataset(path: Path, method: str, rows: Iterable[tuple[Any, ...]]) -> int:
    """Write rows with the columns of a method; the file appears when all are written.

    Returns:
        The number of rows.
    """
    names, count = list(COLUMNS[method]), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(path.name + ".part")
    with ArrowWriter(path=str(part), features=COLUMNS[method]) as writer:
        for row in rows:
            writer.write(dict(zip(names, row, strict=True)))
            count += 1
        writer.finalize()
    os.replace(part, path)
    return count


def read_dataset(path: Path) -> Dataset:
    """The rows, mapped from the file."""
    return Dataset.from_file(str(path))
