"""The confusion matrix of a run, by label and by category."""

from dataclasses import dataclass

from markupsafe import Markup

from thanos.bench.read_runs import Run
from thanos.bench.report import charts
from thanos.skills import CATEGORIES, Skill


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix of one run."""

    run: str
    heat: Markup
    categories: Markup | None
    """The same by category, where the labels are skills."""


def matrix_of(run: Run) -> Matrix | None:
    """The matrix of a run; None for tasks without labels."""
    confusion = run.metrics.get("confusion")
    if not confusion or not confusion["rows"]:
        return None
    rows, columns, counts = _in_order(confusion["rows"], confusion["columns"], confusion["counts"])
    cell = charts.CELL if len(columns) > 12 else 40
    return Matrix(run.label, charts.heat_map(rows, columns, counts, cell), _category_matrix(rows, columns, counts))


def _in_order(
    rows: list[str], columns: list[str], counts: list[list[int]]
) -> tuple[list[str], list[str], list[list[int]]]:
    """Skills in the order of the taxonomy, so that related ones stand together; other labels keep their order."""
    order = {skill.value: i for i, skill in enumerate(Skill)}
    down = sorted(range(len(rows)), key=lambda i: order.get(rows[i], len(order)))
    across = sorted(range(len(columns)), key=lambda i: order.get(columns[i], len(order)))
    return [rows[i] for i in down], [columns[i] for i in across], [[counts[i][j] for j in across] for i in down]


def _category_matrix(rows: list[str], columns: list[str], counts: list[list[int]]) -> Markup | None:
    known: dict[str, str] = {skill.value: skill.category for skill in Skill}
    if not all(row in known for row in rows):
        return None
    extra = [column for column in columns if column not in known]
    across = [*CATEGORIES, *extra]
    summed = {category: dict.fromkeys(across, 0) for category in CATEGORIES}
    for row, line in zip(rows, counts, strict=True):
        for column, n in zip(columns, line, strict=True):
            summed[known[row]][known.get(column, column)] += n
    return charts.heat_map(CATEGORIES, across, [list(summed[c].values()) for c in CATEGORIES], 46)
