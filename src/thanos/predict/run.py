"""A whole file through a predictor, or through whatever else turns dialogues into results, however long it is."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol

from thanos.dialogue import Dialogue, Row
from thanos.engines.protocol import Usage
from thanos.longrun import Journal, Stop
from thanos.predict.predictor import Thanos, in_order


class Result(Protocol):
    """What came of one dialogue, e.g. a `Prediction`."""

    index: int
    """The dialogue's place among those that went in, from 0."""
    dialogue: Dialogue
    error: str
    """Why it failed: one line. Empty if it didn't."""
    valid: bool
    """False if no skill of the closed set could be read."""
    usage: Usage


@dataclass
class Tally:
    """What a run did."""

    done: int = 0
    invalid: int = 0
    """Results in which no skill of the closed set could be read."""
    errors: list[tuple[int, str]] = field(default_factory=list)
    """(line, reason) of the first failures."""
    failed: int = 0
    usage: Usage = field(default_factory=Usage)

    def count(self, result: Result) -> None:
        """Add a result."""
        self.done += 1
        self.invalid += not result.valid
        self.usage += result.usage

    def fail(self, line: int, error: str) -> None:
        """Add a failure; only the first hundred reasons are kept."""
        self.failed += 1
        if len(self.errors) < 100:
            self.errors.append((line, error))


def run_settings(thanos: Thanos) -> dict[str, str | int]:
    """What makes two runs comparable; every output row carries it."""
    options = thanos.options
    settings: dict[str, str | int] = {
        "model": thanos.model,
        "prompt": f"{thanos.prompt.name}-{thanos.prompt.version}",
        "mode": options.mode,
    }
    return settings | ({"samples": options.samples} if options.samples > 1 else {})


def run_rows(
    stream: Callable[[Iterable[Dialogue]], Iterator[Result]],
    rows: Iterable[Row],
    on_result: Callable[[int, Result], None],
    on_error: Callable[[Row, str], None],
    ordered: bool = False,
) -> None:
    """Send every row that holds a dialogue through a stream; report each result and each error with its line.

    Args:
        stream: For example `Thanos.stream`.
        ordered: Report results in the order of the rows instead of as they come.
    """
    lines: dict[int, int] = {}

    def dialogues() -> Iterator[Dialogue]:
        index = 0
        for row in rows:
            if row.dialogue is None:
                on_error(row, row.error)
                continue
            lines[index] = row.line
            index += 1
            yield row.dialogue

    results = stream(dialogues())
    for result in in_order(results) if ordered else results:
        line = lines.pop(result.index)
        if result.error:
            on_error(Row(line, result.dialogue), result.error)
        else:
            on_result(line, result)


def run_file(
    stream: Callable[[Iterable[Dialogue]], Iterator[Result]],
    to_row: Callable[[Result], dict[str, Any]],
    rows: Iterable[Row],
    journal: Journal,
    stop: Stop,
    advance: Callable[[], None],
    tally: Tally,
) -> None:
    """`run_rows` into a journal, leaving out what it already holds, and keep count. The order of rows may change."""

    def due() -> Iterator[Row]:
        for row in stop.until(rows):
            if not (row.dialogue and journal.holds(row.line, row.dialogue.id)):
                yield row

    def on_result(line: int, result: Result) -> None:
        journal.append(line, result.dialogue.id, to_row(result))
        tally.count(result)
        advance()

    def on_error(row: Row, error: str) -> None:
        journal.fail(row.line, row.dialogue.id if row.dialogue else None, error)
        tally.fail(row.line, error)
        advance()

    run_rows(stream, due(), on_result, on_error)
