"""Split by dialogue, never by row.

A dialogue's side follows from a hash of its source and id, so it doesn't depend on what else there is. Dialogues that
are nearly the same go to one side: that of the largest hash among them, and large hashes are train. So a dialogue of
train never leaves it, however the data grows; one of another part moves towards train only to join a near-duplicate.
Memory: about 90 bytes a row.
"""

from array import array
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from thanos.data.jsonl import raw_rows
from thanos.data.near_duplicates import NearDuplicates
from thanos.data.turn_id import row_turn_id
from thanos.data.validate import hash64
from thanos.errors import ThanosError

PARTS = ("test", "validation", "train")
"""In the order of the hash."""
SIMILAR = 0.7
"""Jaccard similarity of word triples from which two dialogues are nearly the same."""


@dataclass
class SplitReport:
    """What went where."""

    rows: Counter[str] = field(default_factory=Counter)
    dialogues: Counter[str] = field(default_factory=Counter)
    joined: int = 0
    """Dialogues that have a near-duplicate."""
    moved: int = 0
    """Dialogues that went to another side than their own hash says, to be with a near-duplicate."""
    bad: int = 0
    """Rows that couldn't be read."""
    faults: list[tuple[int, str]] = field(default_factory=list)
    """(line, reason) of the first of them."""

    def fail(self, line: int, reason: str) -> None:
        """Count a row that can't be read."""
        self.bad += 1
        if len(self.faults) < 5:
            self.faults.append((line, reason))


def split(
    path: Path, folder: Path, shares: dict[str, float], advance: Callable[[], None] = lambda: None
) -> SplitReport:
    """Write train.jsonl, validation.jsonl and test.jsonl into a folder; a part with share 0 isn't written.

    Args:
        path: JSONL rows with an `id` (see `thanos.data.turn_id`), which is read three times.
        shares: Share of the dialogues in validation and test; the rest is train.

    Raises:
        ThanosError: if the file can't be read or written, or the shares leave nothing to train on.
    """
    if not all(0 <= share < 1 for share in shares.values()) or sum(shares.values()) >= 1:
        raise ThanosError(f"shares {shares}: each from 0 to 1, and together less than 1")
    report = SplitReport()
    dialogues = _Dialogues(path, report, advance)
    sides = _sides(dialogues, shares, report)
    names = [name for name in PARTS if name == "train" or shares.get(name)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            files = {name: stack.enter_context((folder / f"{name}.jsonl.part").open("wb")) for name in names}
            for row, (raw, _) in enumerate(raw_rows(path, advance)):
                name = PARTS[sides[dialogues.of_row[row]]]
                files[name].write(raw)
                report.rows[name] += 1
        for name in names:
            (folder / f"{name}.jsonl.part").replace(folder / f"{name}.jsonl")
    except OSError as error:
        raise ThanosError(f"can't write into {folder}: {(error.strerror or str(error)).lower()}") from None
    return report


class _Dialogues:
    """The dialogues that a file's rows belong to."""

    def __init__(self, path: Path, report: SplitReport, advance: Callable[[], None]):
        hashes, turns = array("Q"), array("q")
        for _, row in raw_rows(path, advance, report.fail):
            id = row_turn_id(row)
            hashes.append(hash64(f"{id.source}\x1f{id.dialogue_id}"))
            turns.append(id.index)
        if not hashes:
            line, reason = report.faults[0] if report.faults else (1, "the file is empty")
            raise ThanosError(f"{path}: nothing to split; line {line}: {reason}")
        self.path, self.advance = path, advance
        self.hashes, of_row = np.unique(np.frombuffer(hashes, np.uint64), return_inverse=True)
        self.of_row = of_row.astype(np.uint32)
        """Row -> number of its dialogue; `hashes[number]` is that dialogue's hash."""
        # The row with the latest turn holds all the others' turns.
        order = np.lexsort((np.frombuffer(turns, np.int64), self.of_row))
        self.longest = np.zeros(len(hashes), bool)
        self.longest[order[np.r_[np.flatnonzero(np.diff(self.of_row[order])), len(order) - 1]]] = True

    def texts(self) -> Iterator[tuple[int, str]]:
        """(number of the dialogue, its turns as far as any row has them)."""
        for number, (_, row) in enumerate(raw_rows(self.path, self.advance)):
            if self.longest[number]:
                yield int(self.of_row[number]), _text(row)


def _sides(dialogues: _Dialogues, shares: dict[str, float], report: SplitReport) -> np.ndarray:
    """For each dialogue the index of its part in `PARTS`."""
    clusters, number = _clusters(dialogues)
    largest = np.zeros(number, np.uint64)
    np.maximum.at(largest, clusters, dialogues.hashes)
    limits = np.cumsum([shares.get(name, 0.0) for name in PARTS[:-1]])
    part = lambda hashes: np.searchsorted(limits, hashes.astype(np.float64) / 2.0**64, side="right")
    sides = part(largest)[clusters]
    report.joined = int((np.bincount(clusters)[clusters] > 1).sum())
    report.moved = int((sides != part(dialogues.hashes)).sum())
    report.dialogues.update({name: int((sides == i).sum()) for i, name in enumerate(PARTS) if (sides == i).any()})
    return sides


def _clusters(dialogues: _Dialogues) -> tuple[np.ndarray, int]:
    """Dialogue -> cluster of near-duplicates (single linkage), and the number of clusters."""
    n = len(dialogues.hashes)
    with NearDuplicates() as sketches:
        from scipy.sparse import coo_array  # comes with datasketch
        from scipy.sparse.csgraph import connected_components

        places = array("Q")
        for place, (number, text) in enumerate(dialogues.texts()):
            sketches.add(place, place, text)
            places.append(number)
        pairs = np.frombuffer(places, np.uint64)[sketches.pairs(SIMILAR)].astype(np.int64)
    graph = coo_array((np.ones(len(pairs), np.int8), (pairs[:, 0], pairs[:, 1])), shape=(n, n))
    count, labels = connected_components(graph, directed=False)
    return labels, count


def _text(row: dict[str, Any]) -> str:
    response = row.get("response")
    turns = [*row["dialogue"], *([response] if isinstance(response, dict) else [])]
    return "\n".join(str(turn.get("text", "")) for turn in turns if isinstance(turn, dict))
