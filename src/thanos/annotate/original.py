"""Rows that the original project's batches ended in -> annotated rows of this project."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from thanos.errors import ThanosError
from thanos.longrun import Journal
from thanos.sources.released import Report, read_released
from thanos.sources.rows import rows_of_file

SETTINGS = {"model": "original", "prompt": "original"}


@dataclass
class OriginalReport:
    """What became of the rows."""

    written: int = 0
    there: int = 0
    several: int = 0
    """Rows with more than one skill; the second became `also`."""
    reasons: Counter[str] = field(default_factory=Counter)
    relabelled: Counter[str] = field(default_factory=Counter)
    unknown: Counter[str] = field(default_factory=Counter)


def import_original(rows: str, output: Path, advance: Callable[[], None] = lambda: None) -> OriginalReport:
    """Read rows that hold `dialogue` with the response as its last turn, and `parsed_generation`.

    Raises:
        ThanosError: if a file can't be read or written, or its columns aren't those.
    """
    report, labels = OriginalReport(), Report()
    if rows == "-":
        raise ThanosError("import reads its rows from a file, not from standard input")
    with Journal(output, SETTINGS) as journal:
        report.there = journal.resumed
        for reading in read_released(rows_of_file(Path(rows)), labels):
            advance()
            if reading.row is None:
                journal.fail(reading.line, None, reading.reason)
                report.reasons[reading.reason] += 1
                continue
            row = dict(reading.row)
            id = row.pop("id")
            if not journal.holds(reading.line, id):
                journal.append(reading.line, id, row)
                report.written += 1
    report.several = labels.several
    report.relabelled = Counter({f"{label} -> {skill}": 1 for label, skill in labels.labels.changed.items()})
    report.unknown = labels.labels.unmapped
    return report
