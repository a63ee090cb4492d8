"""Runs of one task -> what the page's template shows of them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from thanos.bench.compare import compare_runs
from thanos.bench.read_runs import Run
from thanos.bench.report import charts
from thanos.bench.report.confusion import Matrix, matrix_of
from thanos.bench.report.numbers import Estimate, Scale, scale_of, title_of
from thanos.bench.report.rows import RowFindings, read_findings
from thanos.errors import ThanosError
from thanos.skills import Skill

BETTER = {
    "calibration_error": "less",
    "leaked_share": "less",
    "leaked_run": "less",
    "invalid_rate": "less",
    "no_label_rate": "less",
    "words": "neither",
    "tie_rate": "neither",
    "changed": "neither",
}
"""For which metrics more isn't better."""
NO_ESTIMATE: Estimate = {"value": None, "low": None, "high": None, "n": 0}


@dataclass(frozen=True)
class Cell:
    """One number of a table."""

    number: str
    interval: str
    n: int
    bar: Markup
    best: bool = False
    """The best of those that it is compared with."""


@dataclass(frozen=True)
class Table:
    """Named rows and columns of cells."""

    name: str
    columns: list[str]
    rows: list[tuple[str, list[Cell]]]
    units: list[str]
    """One a column."""
    groups: dict[str, str] | None = None
    """First row of a group -> the group's name."""

    @property
    def same_n(self) -> bool:
        """True if all cells of each row have the same n, so that it need be said only once."""
        return all(len({cell.n for cell in cells}) == 1 for _, cells in self.rows)


@dataclass(frozen=True)
class Lead:
    """How far a run is from the best one, on the rows that both have."""

    run: str
    number: str
    interval: str
    p: str
    n: int
    chart: Markup


@dataclass(frozen=True)
class Section:
    """Everything about one task."""

    name: str
    first: str
    """The task's first metric, its headline."""
    runs: list[Run]
    headline: Table | None
    """The first metric, one bar a model; None where it comes in variants."""
    leads: list[Lead]
    """Of the headline metric, where there are several runs."""
    metrics: Table | None
    """Metrics without variants; None if there are none."""
    arms: list[Table]
    """Where metrics come in variants (`bleu/plain`): one table a run, one row a variant."""
    sources: list[Table]
    labels: list[Table]
    matrices: list[Matrix]
    calibration: list[tuple[str, Markup]]
    findings: list[tuple[Run, RowFindings]]
    reference: dict[str, str]
    """What the numbers stand beside: name -> percentage."""


def section_of(name: str, runs: Sequence[Run]) -> Section:
    """Lay out the runs of one task, the best first."""
    first = next(iter(runs[0].metrics["metrics"]), None)
    value = lambda run: run.metrics["metrics"].get(first, NO_ESTIMATE)["value"]
    ordered = sorted(runs, key=lambda run: -1e9 if value(run) is None else value(run), reverse=True)
    metrics = list(dict.fromkeys(metric for run in ordered for metric in run.metrics["metrics"]))
    plain = [metric for metric in metrics if "/" not in metric]
    of_kind = [metric for metric in metrics if metric.partition("/")[0] == first.partition("/")[0]]
    by_source = of_kind if "/" in first else plain[:3]
    findings = [(run, read_findings(run.rows(), first)) for run in ordered]
    reference = {key: share for key, share in runs[0].metrics.get("reference", {}).items() if share is not None}
    estimates = lambda names: [
        (run.label, [run.metrics["metrics"].get(m, NO_ESTIMATE) for m in names]) for run in ordered
    ]
    return Section(
        name=name,
        first=title_of(first),
        runs=ordered,
        headline=None
        if "/" in first
        else _table(title_of(first), [first], estimates([first]), list(reference.values())),
        leads=_leads(ordered, first),
        metrics=_table("metrics", plain, estimates(plain)) if plain else None,
        arms=_arms(ordered, metrics),
        sources=_by_part(ordered, "per_source", by_source),
        labels=_by_label(ordered),
        matrices=[matrix for run in ordered if (matrix := matrix_of(run))],
        calibration=[
            (run.label, charts.calibration(found.bins))
            for run, found in findings
            if found.bins and "calibration_error" in metrics
        ],
        findings=findings,
        reference={title_of(key): f"{100 * share:.1f}%" for key, share in reference.items()},
    )


def _table(
    name: str,
    metrics: Sequence[str],
    rows: Iterable[tuple[str, Sequence[Estimate]]],
    marks: Sequence[float] = (),
    compared: bool = True,
) -> Table:
    """Every column gets the scale of its metric; where its rows are compared, the best one is marked."""
    rows = list(rows)
    scales = [scale_of(m, [estimates[i] for _, estimates in rows]) for i, m in enumerate(metrics)]
    best = [_best(metric, [estimates[i] for _, estimates in rows]) for i, metric in enumerate(metrics)]
    cells = [
        (
            label,
            [
                _cell(estimate, scale, marks, compared and top is not None and estimate["value"] == top)
                for estimate, scale, top in zip(estimates, scales, best, strict=True)
            ],
        )
        for label, estimates in rows
    ]
    return Table(name, [title_of(m) for m in metrics], cells, [scale.unit for scale in scales])


def _cell(estimate: Estimate, scale: Scale, marks: Sequence[float] = (), best: bool = False) -> Cell:
    drawn = charts.bar(estimate["value"], estimate["low"], estimate["high"], scale.top, marks)
    return Cell(scale.number(estimate["value"]), scale.interval(estimate), estimate["n"], drawn, best)


def _leads(runs: Sequence[Run], metric: str) -> list[Lead]:
    """Each run against the first one; runs without a row in common with it are left out."""
    found = []
    for run in runs[1:]:
        try:
            comparison = compare_runs(runs[0], run)
        except ThanosError:
            continue
        found += [(run.label, d.difference, d.p) for d in comparison.differences if d.metric == metric]
    reach = max((abs(x) for _, e, _ in found for x in (e["value"], e["low"], e["high"])), default=0) or 1
    scale = scale_of(metric, [estimate for _, estimate, _ in found])
    return [
        Lead(
            label,
            f"{scale.factor * e['value']:+.{scale.decimals}f}",
            scale.interval(e),
            f"{p:.3f}" if p >= 0.001 else "below 0.001",
            e["n"],
            charts.difference(e["value"], e["low"], e["high"], 1.05 * reach),
        )
        for label, e, p in found
    ]


def _best(metric: str, estimates: Sequence[Estimate]) -> float | None:
    """The best of several values; None where there is nothing to choose from."""
    values = [estimate["value"] for estimate in estimates if estimate["value"] is not None]
    if len(set(values)) < 2 or BETTER.get(metric.partition("/")[0]) == "neither":
        return None
    return min(values) if BETTER.get(metric.partition("/")[0]) == "less" else max(values)


def _arms(runs: Sequence[Run], metrics: Sequence[str]) -> list[Table]:
    """`bleu/plain`, `bleu/both` -> a table with the rows plain and both and the column bleu."""
    names = [metric.partition("/") for metric in metrics if "/" in metric]
    # Variants with a metric in common share a table: arms are one kind, pairs of arms another.
    kinds: list[tuple[dict[str, None], list[str]]] = []
    for variant in dict.fromkeys(variant for _, _, variant in names):
        its_own = dict.fromkeys(name for name, _, v in names if v == variant)
        known = next((kind for kind in kinds if kind[0].keys() & its_own.keys()), None)
        if known is None:
            kinds.append(known := ({}, []))
        known[0].update(its_own)
        known[1].append(variant)
    tables = []
    for columns, variants in kinds:
        for run in runs:
            values = run.metrics["metrics"]
            rows = [(v, [values.get(f"{c}/{v}", NO_ESTIMATE) for c in columns]) for v in variants]
            tables.append(_table(run.label, list(columns), rows))
    return tables


def _by_part(runs: Sequence[Run], key: str, metrics: Sequence[str]) -> list[Table]:
    """One table a metric: parts of the data down, models across."""
    parts = list(dict.fromkeys(part for run in runs for part in run.metrics.get(key, {})))
    tables = []
    for metric in metrics if parts else ():
        rows = [
            (part, [run.metrics.get(key, {}).get(part, {}).get(metric, NO_ESTIMATE) for run in runs]) for part in parts
        ]
        tables.append(_models_table(metric, runs, rows))
    return tables


def _by_label(runs: Sequence[Run]) -> list[Table]:
    """Of one model precision, recall and F1; of several one table each."""
    names = list(dict.fromkeys(m for run in runs for part in run.metrics.get("per_skill", {}).values() for m in part))
    if len(runs) > 1:
        tables = _by_part(runs, "per_skill", sorted(names, key=lambda name: name != "f1"))
    else:
        parts = runs[0].metrics.get("per_skill", {})
        rows = [(label, [part.get(name, NO_ESTIMATE) for name in names]) for label, part in parts.items()]
        tables = [_table("labels", names, rows, compared=False)] if rows else []
    return [_grouped(table) for table in tables]


def _models_table(metric: str, runs: Sequence[Run], rows: list[tuple[str, list[Estimate]]]) -> Table:
    scale = scale_of(metric, [estimate for _, estimates in rows for estimate in estimates])
    cells = []
    for part, estimates in rows:
        top = _best(metric, estimates)
        cells.append((part, [_cell(e, scale, best=top is not None and e["value"] == top) for e in estimates]))
    return Table(title_of(metric), [run.label for run in runs], cells, [scale.unit] * len(runs))


def _grouped(table: Table) -> Table:
    """Put skills in the order of the taxonomy, under their categories."""
    skills = {skill.value: skill for skill in Skill}
    if not all(label in skills for label, _ in table.rows):
        return table
    order = {name: i for i, name in enumerate(skills)}
    rows = sorted(table.rows, key=lambda row: order[row[0]])
    groups: dict[str, str] = {}
    for label, _ in rows:
        if skills[label].category not in groups.values():
            groups[label] = skills[label].category
    return Table(table.name, table.columns, rows, table.units, groups)
