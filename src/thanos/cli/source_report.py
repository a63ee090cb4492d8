"""What `thanos sources check` prints and `thanos sources read` writes."""

from collections import Counter
from collections.abc import Callable, Iterable
from pathlib import Path

import typer

from thanos.cli.whole_files import whole_files
from thanos.sources import Reading, dialogue_row
from thanos.sources.released import AnnotatedReading, Report

SHOWN_LABELS = 20


class Reasons:
    """Reasons with how often and where they were met first."""

    def __init__(self) -> None:
        self._count: Counter[str] = Counter()
        self._first: dict[str, int] = {}

    def add(self, reason: str, line: int) -> None:
        """Count one."""
        self._count[reason] += 1
        self._first.setdefault(reason, line)

    def print(self) -> None:
        """One line a reason, the most frequent first."""
        for reason, n in self._count.most_common():
            typer.echo(f"  {n:>7,} × {reason} (first: line {self._first[reason]})")


def print_check(name: str, readings: Iterable[Reading]) -> bool:
    """Report on a source's rows. Returns whether any gave a dialogue."""
    rows = used = dialogues = turns = 0
    parts: Counter[str] = Counter()
    notes: Counter[str] = Counter()
    reasons = Reasons()
    for reading in readings:
        rows += reading.rows
        used += reading.rows if reading.dialogues else 0
        for dialogue in reading.dialogues:
            dialogues += 1
            turns += len(dialogue.turns)
            parts[dialogue.meta.get("part", "whole")] += 1
            notes["empty turns left out"] += dialogue.meta.get("empty_turns", 0)
            notes["placeholders in the text"] += dialogue.meta.get("placeholders", 0)
        for reason in reading.reasons:
            reasons.add(reason, reading.line)
    typer.echo(f"{name}: {rows:,} rows, {used:,} of them gave {dialogues:,} dialogues with {turns:,} turns")
    words = {"partial": "only a part of the dialogue", "context": "only an opening, without the response"}
    for part, text in words.items():
        if parts[part]:
            typer.echo(f"  {parts[part]:>7,} × {text}")
    for note, n in notes.items():
        if n:
            typer.echo(f"  {n:>7,} × {note}")
    reasons.print()
    return dialogues > 0


def print_released(readings: Iterable[AnnotatedReading], report: Report) -> bool:
    """Report on annotated rows. Returns whether any could be used."""
    rows = used = 0
    reasons = Reasons()
    for reading in readings:
        rows += 1
        used += reading.row is not None
        if reading.row is None:
            reasons.add(reading.reason, reading.line)
    typer.echo(f"released: {rows:,} rows, {used:,} of them usable")
    if report.columns:
        found = ", ".join(f"{part} = {name!r}" for part, name in vars(report.columns).items() if name)
        typer.echo(f"  columns: {found}")
    labels = report.labels
    if report.several:
        typer.echo(f"  {report.several:>7,} × more than one skill (the second one becomes `also`)")
    if labels.changed:
        typer.echo(f"  {len(labels.changed):>7,} spellings were brought to one of the {len(labels.mapped)} skills met")
    reasons.print()
    for label, n in labels.unmapped.most_common(SHOWN_LABELS):
        typer.echo(f"  {n:>7,} × no skill: {label!r}")
    if len(labels.unmapped) > SHOWN_LABELS:
        typer.echo(f"          and {len(labels.unmapped) - SHOWN_LABELS} more labels")
    return used > 0


def write_dialogues(
    readings: Iterable[Reading], output: Path, limit: int | None, advance: Callable[[], None]
) -> tuple[int, int]:
    """Write dialogues and reasons. Returns (dialogues written, rows or groups of rows that gave none)."""
    written = failed = 0
    with whole_files(output) as (write, fail):
        for reading in readings:
            for dialogue in reading.dialogues:
                write(dialogue_row(dialogue))
                written += 1
                if written == limit:
                    return written, failed
            for reason in reading.reasons:
                fail({"id": None, "line": reading.line, "error": reason})
            failed += not reading.dialogues
            for _ in range(reading.rows):
                advance()
    return written, failed


def write_annotated(
    readings: Iterable[AnnotatedReading], report: Report, output: Path, limit: int | None, advance: Callable[[], None]
) -> tuple[int, int]:
    """Write annotated rows and reasons. Returns (rows written, rows that gave none)."""
    written = failed = 0
    with whole_files(output) as (write, fail):
        for reading in readings:
            if reading.row is None:
                fail({"id": None, "line": reading.line, "error": reading.reason})
                failed += 1
            else:
                write(reading.row)
                written += 1
                if written == limit:
                    return written, failed
            advance()
    return written, failed
