"""A whole file through a predictor, however long it is."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from thanos.dialogue import Dialogue, Row
from thanos.engines.protocol import Usage
from thanos.longrun import Journal, Stop
from thanos.predict.predictor import Prediction, Thanos, in_order
from thanos.predict.row import output_row


@dataclass
class Tally:
    """What a run did."""

    predicted: int = 0
    invalid: int = 0
    """Predictions in which no skill of the closed set could be read."""
    errors: list[tuple[int, str]] = field(default_factory=list)
    """(line, reason) of the first failures."""
    failed: int = 0
    usage: Usage = field(default_factory=Usage)

    def count(self, prediction: Prediction) -> None:
        """Add a prediction."""
        self.predicted += 1
        self.invalid += not prediction.skill_of_mind.valid
        self.usage += prediction.usage

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


def predict_rows(
    thanos: Thanos,
    rows: Iterable[Row],
    on_result: Callable[[int, Prediction], None],
    on_error: Callable[[Row, str], None],
    ordered: bool = False,
) -> None:
    """Predict every row that holds a dialogue; report each result and each error with its line.

    Args:
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

    results = thanos.stream(dialogues())
    for prediction in in_order(results) if ordered else results:
        line = lines.pop(prediction.index)
        if prediction.skill_of_mind.error:
            on_error(Row(line, prediction.dialogue), prediction.skill_of_mind.error)
        else:
            on_result(line, prediction)


def predict_file(
    thanos: Thanos, rows: Iterable[Row], journal: Journal, stop: Stop, advance: Callable[[], None], tally: Tally
) -> None:
    """Predict into a journal, leaving out what it already holds, and keep count. The order of rows may change."""

    def due() -> Iterator[Row]:
        for row in stop.until(rows):
            if not (row.dialogue and journal.holds(row.line, row.dialogue.id)):
                yield row

    def on_result(line: int, prediction: Prediction) -> None:
        journal.append(line, prediction.dialogue.id, output_row(prediction))
        tally.count(prediction)
        advance()

    def on_error(row: Row, error: str) -> None:
        journal.fail(row.line, row.dialogue.id if row.dialogue else None, error)
        tally.fail(row.line, error)
        advance()

    predict_rows(thanos, due(), on_result, on_error)
