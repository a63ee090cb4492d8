"""Figures of a study -> report.html."""

from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup

from thanos.bench.metrics.bootstrap import Number
from thanos.bench.report import charts
from thanos.bench.report.page import write_page
from thanos.study.folder import Study
from thanos.study.score import Figures


def write_study_page(study: Study, figures: Figures, path: Path) -> None:
    """Write the page; the same figures give the same bytes.

    Raises:
        ThanosError: if jinja2 is missing, or the file can't be written.
    """
    choices = {
        choice.text: [
            row | {"chart": _bar(row["win_rate"], marks=[0.5])} for row in _about(choice.name, figures["wins"])
        ]
        for choice in study.questions.choices
    }
    ratings = {
        (rating.text, len(rating.scale)): [
            row | {"chart": _bar(row["mean"], 1, len(rating.scale))} for row in _about(rating.name, figures["ratings"])
        ]
        for rating in study.questions.ratings
    }
    agreement = [row | {"chart": _centred(row["alpha"])} for row in figures["agreement"]]
    values = figures | {"choices": choices, "ratings": ratings, "agreement": agreement}
    write_page("study.html.jinja", path, title=study.questions.title, **values)


def _about(question: str, rows: list[Figures]) -> list[Figures]:
    return [row for row in rows if row["question"] == question]


def _bar(number: Number, start: float = 0, end: float = 1, marks: Sequence[float] = ()) -> Markup:
    """A bar on a scale from start to end."""
    shifted = [None if number[key] is None else number[key] - start for key in ("value", "low", "high")]
    return charts.bar(*shifted, end - start, marks)


def _centred(number: Number) -> Markup | str:
    """A point on a scale from -1 to 1."""
    return "" if number["value"] is None else charts.difference(number["value"], number["low"], number["high"], 1)
