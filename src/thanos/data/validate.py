"""Annotated rows -> the good ones, and a file of the dropped ones with the reason for each.

Rows are checked one by one and spooled; near-duplicates are known when all have been seen; helpfulness, which costs the
most, is asked last. Memory: about 100 bytes a row.
"""

import json
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

import numpy as np

from thanos.data.annotated_turn import AnnotatedTurn, read_annotated_turn
from thanos.data.checks import Fault, check
from thanos.data.near_duplicates import NearDuplicates
from thanos.data.recipe import Recipe
from thanos.dialogue import Row
from thanos.errors import ThanosError, UnknownSkillError


@dataclass
class ValidationReport:
    """What became of the rows."""

    read: int = 0
    kept: int = 0
    dropped: Counter[str] = field(default_factory=Counter)
    """Reason -> rows."""
    relabelled: Counter[str] = field(default_factory=Counter)
    """'label as it came -> skill' -> rows, where the normaliser changed the label."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Label outside the closed set -> rows."""


def validate(
    rows: Iterable[Row], output: Path, recipe: Recipe, advance: Callable[[], None] = lambda: None
) -> ValidationReport:
    """Write the rows that pass to `output` and the rest to `<stem>.dropped.jsonl` beside it.

    Both files appear when all is done; a run that was stopped leaves nothing behind but `.part` files, and its
    helpfulness scores, which the next run uses.

    Raises:
        ThanosError: if a file can't be written, or a library or model for a rule isn't there.
    """
    report = ValidationReport()
    dropped_path = output.with_name(f"{output.stem}.dropped.jsonl")
    spool_path, part, dropped_part = (Path(f"{path}.part") for path in (f"{output}.spool", output, dropped_path))
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with ExitStack() as stack:
            dropped = _Dropped(stack.enter_context(dropped_part.open("wb")), report)
            with spool_path.open("wb") as spool:
                drop = _check_all(rows, spool, recipe, report, dropped, advance, stack)
            if recipe.helpfulness:
                drop |= _unhelpful(spool_path, drop, output, recipe)
            _write_kept(spool_path, part, drop, dropped, report)
        os.replace(part, output)
        os.replace(dropped_part, dropped_path)
    except OSError as error:
        raise ThanosError(f"can't write {output}: {(error.strerror or str(error)).lower()}") from None
    finally:
        spool_path.unlink(missing_ok=True)
    if not report.dropped:
        dropped_path.unlink()
    return report


class _Dropped:
    """The file of dropped rows."""

    def __init__(self, file: Any, report: ValidationReport):
        self._file, self._report = file, report

    def write(self, row: dict[str, Any], line: int, fault: Fault) -> None:
        full = {"reason": fault.reason, "detail": fault.detail, "line": line, **row}
        self._file.write(json.dumps(full, ensure_ascii=False).encode() + b"\n")
        self._report.dropped[fault.reason] += 1


def _check_all(rows, spool, recipe: Recipe, report, dropped: _Dropped, advance, stack: ExitStack) -> dict[int, Fault]:
    """First pass. Returns what the comparison of rows with each other says: number of the spooled row -> fault."""
    similar = _Similar(recipe, stack)
    ids, lines = array("Q"), array("Q")
    for row in rows:
        report.read += 1
        fault, annotated = _read(row, recipe, report)
        if fault:
            dropped.write(_original(row), row.line, fault)
        else:
            similar.add(len(ids), annotated)
            ids.append(hash64(annotated.turn.dialogue.id))
            lines.append(row.line)
            spool.write(json.dumps([row.line, annotated.row()], ensure_ascii=False).encode() + b"\n")
        advance()
    faults = similar.faults(lines)
    for number, line in _repeated(ids, lines):
        faults[number] = Fault("repeated id", f"as line {line}")
    return faults


def _read(row: Row, recipe: Recipe, report: ValidationReport) -> tuple[Fault | None, AnnotatedTurn | None]:
    if row.dialogue is None:
        return Fault("unreadable", row.error), None
    try:
        annotated = read_annotated_turn(row.dialogue)
    except UnknownSkillError as error:
        report.unknown[error.label] += 1
        return Fault("unknown skill", str(error)), None
    except ThanosError as error:
        return Fault("unreadable", str(error)), None
    if (label := row.dialogue.meta["skill"]) != annotated.skill.value:
        report.relabelled[f"{label} -> {annotated.skill.value}"] += 1
    return check(annotated, recipe), annotated


def _original(row: Row) -> dict[str, Any]:
    if row.dialogue is None:
        return {"id": None, "text": row.text}
    dialogue = row.dialogue.model_dump(include={"id", "social_context", "turns"}, exclude_none=True)
    return {
        "id": dialogue["id"],
        "social_context": dialogue["social_context"],
        "dialogue": dialogue["turns"],
    } | row.dialogue.meta


class _Similar:
    """Near-duplicates of dialogues and of explanations."""

    def __init__(self, recipe: Recipe, stack: ExitStack):
        rules = recipe.near_duplicates
        self._limits = {"near-duplicate dialogue": rules.dialogue, "near-duplicate explanation": rules.explanation}
        self._limits = {name: limit for name, limit in self._limits.items() if limit is not None}
        self._sketches = {name: stack.enter_context(NearDuplicates()) for name in self._limits}

    def add(self, number: int, row: AnnotatedTurn) -> None:
        if sketches := self._sketches.get("near-duplicate dialogue"):
            turns = [*row.turn.dialogue.turns, *([row.turn.response] if row.turn.response else [])]
            text = "\n".join(turn.words() for turn in turns)
            # Longer and longer beginnings of one dialogue are alike without being duplicates.
            sketches.add(number, hash64(row.turn.id.dialogue_key), text)
        if sketches := self._sketches.get("near-duplicate explanation"):
            sketches.add(number, number, row.explanation)

    def faults(self, lines: array) -> dict[int, Fault]:
        """Of each pair the later row, unless the earlier one is dropped itself."""
        faults: dict[int, Fault] = {}
        for reason, sketches in self._sketches.items():
            for first, second in sketches.pairs(self._limits[reason]):
                if int(first) not in faults and int(second) not in faults:
                    faults[int(second)] = Fault(reason, f"as line {lines[int(first)]}")
        return faults


def _repeated(ids: array, lines: array) -> Iterator[tuple[int, int]]:
    """(number, line of the first) of the rows whose id an earlier row has."""
    values = np.frombuffer(ids, np.uint64) if ids else np.zeros(0, np.uint64)
    _, first, places = np.unique(values, return_index=True, return_inverse=True)
    for number in np.flatnonzero(first[places] != np.arange(len(values))).tolist():
        yield number, lines[int(first[places[number]])]


def _unhelpful(spool: Path, drop: dict[int, Fault], output: Path, recipe: Recipe) -> dict[int, Fault]:
    from thanos.data.helpfulness import unhelpful

    rows = ((number, row) for number, (_, row) in enumerate(_spooled(spool)) if number not in drop)
    scores = output.with_name(f"{output.stem}.helpfulness.jsonl")
    return {number: Fault("unhelpful", detail) for number, detail in unhelpful(rows, scores, recipe.helpfulness)}


def _write_kept(spool: Path, part: Path, drop: dict[int, Fault], dropped: _Dropped, report: ValidationReport) -> None:
    with part.open("wb") as out:
        for number, (line, row) in enumerate(_spooled(spool)):
            if fault := drop.get(number):
                dropped.write(row, line, fault)
                continue
            out.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
            report.kept += 1


def _spooled(path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
    with path.open("rb") as file:
        yield from map(json.loads, file)


def hash64(text: str) -> int:
    """64 bits of a text, the same on every machine and in every run."""
    return int.from_bytes(blake2b(text.encode(), digest_size=8).digest())
