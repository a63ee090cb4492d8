"""Batch outputs -> annotated rows; what is missing is written out to be asked again.

An output file has a line for each request that ended: {"custom_id", "response": {"status_code", "body"}, "error"}. The
error file of a batch has the same form; lines of expired requests have no response. Lines may come in any order, in
several files, and be absent.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

from thanos.annotate.answer import Annotation, annotated_row, read_answer
from thanos.annotate.batch_export import BatchWriter, ExportReport
from thanos.annotate.completion import read_completion
from thanos.annotate.cost import usage_row
from thanos.annotate.run import run_settings
from thanos.data.next_turn import read_next_turn
from thanos.data.validate import hash64
from thanos.dialogue import Row, read_rows
from thanos.engines.protocol import Usage
from thanos.errors import ThanosError
from thanos.longrun import Journal

NO_ANSWER = "no answer in the outputs"


@dataclass
class ImportReport:
    """What became of the turns and of the answers."""

    written: int = 0
    there: int = 0
    """Rows that the output held before."""
    reasons: Counter[str] = field(default_factory=Counter)
    """Why turns are missing -> turns."""
    unreadable: int = 0
    """Lines of the outputs that aren't answers at all, as the last one of a download that was cut short."""
    foreign: int = 0
    """Good answers to turns that aren't in the file of turns."""
    usage: Usage = field(default_factory=Usage)
    """Of the rows written."""
    again: ExportReport | None = None
    """The requests that were written out anew."""


def import_batches(
    turns: str, outputs: list[Path], output: Path, model: str, advance: Callable[[], None] = lambda: None
) -> ImportReport:
    """Write the row of every turn that has a good answer; re-export the others to `<stem>.missing/` beside the output.

    Args:
        turns: The file that was exported.
        outputs: Output and error files of its batches, as many as there are.
        model: openai/<model>: recorded in the rows, and asked by the re-export.

    Raises:
        ThanosError: if a file can't be read or written.
    """
    report = ImportReport()
    with ExitStack() as stack:
        answers = _Answers([stack.enter_context(_open(path)) for path in outputs], report)
        journal = stack.enter_context(Journal(output, run_settings(model)))
        report.there = journal.resumed
        writer = stack.enter_context(BatchWriter(output.with_name(f"{output.stem}.missing"), model))
        for row in read_rows(turns):
            advance()
            _import_row(row, answers, journal, writer, report)
        report.foreign = answers.unused()
    report.again = writer.report
    if not writer.report.files:
        writer.folder.rmdir()
    return report


def _import_row(row: Row, answers: "_Answers", journal: Journal, writer: BatchWriter, report: ImportReport) -> None:
    try:
        if row.dialogue is None:
            raise ThanosError(row.error)
        answer = answers.find(row.dialogue.id)
        if journal.holds(row.line, row.dialogue.id):
            return
        turn = read_next_turn(row.dialogue)
    except ThanosError as error:
        journal.fail(row.line, row.dialogue and row.dialogue.id, str(error))
        report.reasons["the turn can't be read"] += 1
        return
    if isinstance(answer, str):
        journal.fail(row.line, row.dialogue.id, answer)
        report.reasons[answer] += 1
        writer.write(turn, seed=1 + journal.resumed)  # what was useless once would be so again
        return
    annotation, usage = answer
    journal.append(row.line, row.dialogue.id, annotated_row(turn, annotation) | {"usage": usage_row(usage)})
    report.written += 1
    report.usage += usage


class _Answers:
    """Where the answer to each turn stands. Memory: about 150 bytes an answer."""

    def __init__(self, files: list[BinaryIO], report: ImportReport):
        self._files = files
        self._good: dict[int, int] = {}
        self._bad: dict[int, str] = {}
        self._used = 0
        for number, file in enumerate(files):
            for offset, raw in _lines(file):
                self._learn(raw, number << 48 | offset, report)

    def find(self, id: str) -> tuple[Annotation, Usage] | str:
        """The answer to a turn, or why there is none."""
        key = hash64(id)
        place = self._good.get(key)
        if place is None:
            return self._bad.get(key, NO_ANSWER)
        self._used += 1
        file = self._files[place >> 48]
        file.seek(place & (1 << 48) - 1)
        return _answer(json.loads(file.readline()))

    def unused(self) -> int:
        """Good answers that nobody asked for."""
        return len(self._good) - self._used

    def _learn(self, raw: bytes, place: int, report: ImportReport) -> None:
        try:
            line = json.loads(raw)
            key = hash64(line["custom_id"])
        except (ValueError, KeyError, TypeError, AttributeError):
            report.unreadable += 1
            return
        try:
            _answer(line)
        except ThanosError as error:
            self._bad.setdefault(key, str(error))
        else:
            self._good[key] = place


def _answer(line: dict[str, Any]) -> tuple[Annotation, Usage]:
    response, error = line.get("response"), line.get("error")
    if not isinstance(response, dict):
        code = error.get("code") if isinstance(error, dict) else None
        raise ThanosError(f"the batch has no response ({code or 'no reason given'})")
    body, status = response.get("body"), response.get("status_code")
    if status != 200:
        raise ThanosError(f"HTTP {status}: {_message(body)}")
    text, usage = read_completion(body)
    return read_answer(text), usage


def _message(body: Any) -> str:
    error = body.get("error") if isinstance(body, dict) else None
    said = error.get("message") if isinstance(error, dict) else None
    return " ".join(str(said or "no reason given").split())[:200]


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise ThanosError(f"can't read {path}: {(error.strerror or str(error)).lower()}") from None


def _lines(file: BinaryIO) -> Iterator[tuple[int, bytes]]:
    offset = 0
    for raw in file:
        if raw.strip():
            yield offset, raw
        offset += len(raw)
