"""Turns -> files of requests for the OpenAI Batch API.

Format and limits: https://platform.openai.com/docs/guides/batch (a file has at most 50,000 requests and 200 MB).
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from thanos.annotate.cost import expected_usage
from thanos.annotate.prompt import request_body
from thanos.data.next_turn import NextTurn, read_next_turn
from thanos.data.validate import hash64
from thanos.dialogue import Row, read_rows
from thanos.engines.protocol import Usage
from thanos.errors import ThanosError

MOST_REQUESTS = 50_000
MOST_BYTES = 200_000_000
URL = "/v1/chat/completions"


@dataclass
class ExportReport:
    """What was written."""

    turns: int = 0
    files: list[Path] = field(default_factory=list)
    expected: Usage = field(default_factory=Usage)
    """An estimate."""
    failed: int = 0
    errors: list[tuple[int, str]] = field(default_factory=list)
    """(line, reason) of the first rows that can't be asked about."""

    def fail(self, line: int, reason: str) -> None:
        """Count a row that can't be asked about."""
        self.failed += 1
        if len(self.errors) < 100:
            self.errors.append((line, reason))


class BatchWriter:
    """Writes requests into batch-0001.jsonl, batch-0002.jsonl, ... of a folder. A context manager.

    The files get their names when all is written; those that the folder had before are replaced or go.
    """

    def __init__(self, folder: Path, model: str):
        """Make the folder; a file appears with its first request.

        Args:
            model: openai/<model>.

        Raises:
            ThanosError: if the model string is another engine's, or the folder can't be made.
        """
        kind, _, self._model = model.partition("/")
        if kind != "openai" or not self._model:
            raise ThanosError(f"batch files are for an endpoint: --model openai/<model>, not {model!r}")
        self.folder, self.report = folder, ExportReport()
        self._parts: list[Path] = []
        self._file: Any = None
        self._requests = self._bytes = 0
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise ThanosError(f"can't write {folder}: {(error.strerror or str(error)).lower()}") from None

    def write(self, turn: NextTurn, seed: int = 0) -> None:
        """Add the request for a turn; its `custom_id` is the turn's id."""
        body = request_body(self._model, turn, seed=seed)
        request = {"custom_id": turn.dialogue.id, "method": "POST", "url": URL, "body": body}
        raw = json.dumps(request, ensure_ascii=False).encode() + b"\n"
        if self._file is None or self._requests == MOST_REQUESTS or self._bytes + len(raw) > MOST_BYTES:
            self._begin_file()
        self._file.write(raw)
        self._requests += 1
        self._bytes += len(raw)
        self.report.turns += 1
        self.report.expected += expected_usage(turn)

    def __enter__(self) -> "BatchWriter":
        return self

    def __exit__(self, kind: Any, *_: object) -> None:
        if self._file:
            self._file.close()
        if kind is not None:
            return
        for old in self.folder.glob("batch-*.jsonl"):
            old.unlink()
        self.report.files = [part.rename(part.with_suffix("")) for part in self._parts]

    def _begin_file(self) -> None:
        if self._file:
            self._file.close()
        part = self.folder / f"batch-{len(self._parts) + 1:04}.jsonl.part"
        self._file = part.open("wb")
        self._parts.append(part)
        self._requests = self._bytes = 0


def export(turns: str, folder: Path, model: str, advance: Callable[[], None] = lambda: None) -> ExportReport:
    """Write the requests for every turn of a file.

    Raises:
        ThanosError: if a file can't be read or written.
    """
    ids: set[int] = set()
    with BatchWriter(folder, model) as writer:
        for row in read_rows(turns):
            advance()
            try:
                writer.write(_new_turn(row, ids))
            except ThanosError as error:
                writer.report.fail(row.line, str(error))
    return writer.report


def _new_turn(row: Row, ids: set[int]) -> NextTurn:
    if row.dialogue is None:
        raise ThanosError(row.error)
    turn, id = read_next_turn(row.dialogue), hash64(row.dialogue.id)
    if id in ids:
        raise ThanosError(f"id {row.dialogue.id!r} is there twice; answers are matched by it")
    ids.add(id)
    return turn
