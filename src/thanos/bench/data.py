"""Where the benchmark's data is: a folder with `sources/<set>.jsonl` and `annotated/{train,validation}.jsonl`."""

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from thanos.bench.errors import NotPossibleError
from thanos.data.annotated_turn import AnnotatedTurn, read_annotated_turn
from thanos.data.jsonl import raw_rows
from thanos.dialogue import read_rows
from thanos.errors import ThanosError
from thanos.sources import turn_key

ENDINGS = (".jsonl", ".json", ".parquet")


@dataclass(frozen=True)
class BenchData:
    """The files that the tasks and the trained baselines read."""

    folder: Path | None
    """Holds `sources/` and `annotated/`; None if there's none at hand."""
    annotated: Path | None
    """Annotated turns that `skill` and `explanation` score."""
    train: Path | None
    """Annotated turns that the baselines learn from, and whose dialogues no task scores."""

    def source_files(self, names: tuple[str, ...]) -> list[Path]:
        """Files of a public dialogue set.

        Raises:
            NotPossibleError: if there is none.
        """
        if self.folder is None:
            raise NotPossibleError("no data: give --data FOLDER (with sources/ and annotated/), or set THANOS_SHARED")
        paths = [self.folder / "sources" / f"{name}{ending}" for name in names for ending in ENDINGS]
        found = [path for path in paths if path.is_file()]
        if not found:
            raise NotPossibleError(f"no {names[0]}.jsonl, .json or .parquet in {self.folder / 'sources'}")
        return found

    @cached_property
    def seen(self) -> frozenset[str]:
        """`<source>:<dialogue id>` of the dialogues that training has seen a turn of."""
        if self.train is None:
            return frozenset()
        return frozenset(cluster_of(row) for _, row in raw_rows(self.train))


def find_data(folder: Path | None, annotated: Path | None = None, train: Path | None = None) -> BenchData:
    """Find the data: the folder given, else `data` in $THANOS_SHARED.

    Args:
        folder: Holds `sources/` and `annotated/`.
        annotated: Instead of `annotated/validation.jsonl`.
        train: Instead of `annotated/train.jsonl`.

    Raises:
        ThanosError: for a path that was given and isn't there.
    """
    shared = os.environ.get("THANOS_SHARED")
    if folder is None and shared:
        folder = Path(shared) / "data"
    if folder is not None and not folder.is_dir():
        raise ThanosError(f"no folder {folder}: it should hold sources/ and annotated/")
    for path in (annotated, train):
        if path is not None and not path.is_file():
            raise ThanosError(f"no file {path}")
    return BenchData(folder, annotated or _split(folder, "validation"), train or _split(folder, "train"))


def read_annotated(path: Path, on_fault) -> Iterator[AnnotatedTurn]:
    """Annotated turns of a file; `on_fault` is told why a row isn't one.

    Raises:
        ThanosError: if the file can't be read.
    """
    for row in read_rows(str(path)):
        try:
            if row.dialogue is None:
                raise ThanosError(row.error)
            yield read_annotated_turn(row.dialogue)
        except ThanosError as error:
            on_fault(str(error))


def cluster_of(row: dict) -> str:
    """`<source>:<dialogue id>` of a row with a turn id; the id itself where it's of another form."""
    try:
        source, dialogue_id, _ = turn_key(row)
    except ThanosError:
        return str(row.get("id"))
    return f"{source}:{dialogue_id}"


def _split(folder: Path | None, name: str) -> Path | None:
    path = folder / "annotated" / f"{name}.jsonl" if folder else None
    return path if path and path.is_file() else None
