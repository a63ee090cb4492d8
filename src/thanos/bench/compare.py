"""Two runs of one task, row by row: how large the difference is, and how sure.

Only rows that both runs have count, each against the same row of the other run. The interval is a percentile bootstrap
over dialogues; p is the share of resamples whose difference lies as far from the measured one as the measured one lies
from zero (Efron and Tibshirani, 1993, chapter 16; the same test as sacrebleu's paired bootstrap).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from thanos.bench.metrics.bootstrap import Number, Resample, number, ratio
from thanos.bench.metrics.classification import LabelCounts
from thanos.bench.metrics.overlap import ORDERS, bleu, bleu_features
from thanos.bench.read_runs import Row, Run, load_runs
from thanos.errors import ThanosError

SHOWN_IDS = 3


@dataclass(frozen=True)
class Difference:
    """One metric of A and B on the rows that both have."""

    metric: str
    a: float
    b: float
    difference: Number
    """B minus A; n are the rows that count, because both runs could score them."""
    p: float
    unscored: int
    """Rows that both have but that one of them couldn't score."""


@dataclass
class Comparison:
    """What the comparison found."""

    task: str
    a: str
    b: str
    rows: int = 0
    """Rows of both."""
    dialogues: int = 0
    differences: list[Difference] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What couldn't be paired, and settings that differ: one line each."""

    def as_json(self) -> dict[str, Any]:
        """For a file or a pipe."""
        return asdict(self)


def compare_folders(a: Path, b: Path, seed: int = 0) -> Comparison:
    """Compare two run folders.

    Raises:
        ThanosError: if they aren't runs of one task, or have no row in common.
    """
    runs = [_one(path) for path in (a, b)]
    if runs[0].task != runs[1].task:
        raise ThanosError(f"can't compare the task {runs[0].task} with {runs[1].task}: give two runs of one task")
    return compare_runs(*runs, seed=seed)


def compare_runs(a: Run, b: Run, seed: int = 0) -> Comparison:
    """Compare two runs of one task."""
    names = (a.label, b.label) if a.label != b.label else (str(a.folder), str(b.folder))
    found = Comparison(a.task, *names)
    rows_a, rows_b = (_by_key(run, found.notes) for run in (a, b))
    for name, mine, others in ((names[0], rows_a, rows_b), (names[1], rows_b, rows_a)):
        _note_unpaired(name, [key for key in mine if key not in others], found.notes)
    shared = [key for key in rows_a if key in rows_b]
    same = [key for key in shared if _subject(rows_a[key]) == _subject(rows_b[key])]
    if len(same) < len(shared):
        changed = [key for key in shared if key not in set(same)]
        found.notes.append(f"{_count(changed, 'row')} left out: dialogue or target differ{_examples(changed)}")
    if not same:
        raise ThanosError(f"{names[0]} and {names[1]} have no row in common: run both on the same data, limit and seed")
    found.notes += _settings(a, b)
    pairs = [(rows_a[key], rows_b[key]) for key in same]
    clusters = [row.get("cluster") or row["id"] for row, _ in pairs]
    found.rows, found.dialogues = len(pairs), len(set(clusters))
    resample = Resample(clusters, seed)
    metrics = dict.fromkeys(name for row, _ in pairs for name in row.get("credit", {}))
    found.differences = [d for metric in metrics if (d := _difference(metric, pairs, resample))]
    found.differences += _of_whole_sets(a, pairs, resample)
    return found


def paired_bootstrap(a: Sequence[float | None], b: Sequence[float | None], resample: Resample) -> tuple[Number, float]:
    """The mean of b - a with its interval, and p.

    Args:
        a: One value a row; None where it couldn't be scored, then the row doesn't count.
        b: The same rows of the other run.
        resample: Made of the rows' clusters.

    Returns:
        The difference; and p, two-sided and never below 1 / (draws + 1).
    """
    # The difference of means is the mean of differences.
    both = [(x, y) if None not in (x, y) else None for x, y in zip(a, b, strict=True)]
    features = np.array([(pair[1] - pair[0], 1.0) if pair else (0.0, 0.0) for pair in both])
    sums = resample.totals(features)
    means = ratio(sums[:, 0], sums[:, 1])
    return number(means, int(features[:, 1].sum())), p_value(means)


def p_value(differences: np.ndarray) -> float:
    """How often a draw lies as far from the measured difference as that lies from zero.

    Args:
        differences: [1 + draws]; the first is the measured one.
    """
    measured, draws = differences[0], differences[1:][~np.isnan(differences[1:])]
    # Equal sums may differ in their last digits by the order of their terms.
    extreme = np.count_nonzero(np.abs(draws - measured) >= abs(measured) * (1 - 1e-5))
    return float((1 + extreme) / (1 + len(draws)))


def _difference(metric: str, pairs: list[tuple[Row, Row]], resample: Resample) -> Difference | None:
    a, b = ([row.get("credit", {}).get(metric) for row in rows] for rows in zip(*pairs, strict=True))
    scored = [None not in credit for credit in zip(a, b, strict=True)]
    if not any(scored):
        return None
    difference, p = paired_bootstrap(a, b, resample)
    mean = lambda values: fmean(value for value, good in zip(values, scored, strict=True) if good)
    return Difference(metric, mean(a), mean(b), difference, p, scored.count(False))


def _of_whole_sets(run: Run, pairs: list[tuple[Row, Row]], resample: Resample) -> list[Difference]:
    """Metrics that aren't means over rows: macro-F1 and BLEU."""
    draws = {}
    rows_a, rows_b = (list(rows) for rows in zip(*pairs, strict=True))
    labels = (run.metrics.get("confusion") or {}).get("labels")
    if labels:
        draws["macro_f1"] = [LabelCounts(rows, labels, resample).macro_f1_draws() for rows in (rows_a, rows_b)]
    for name, pick in _bleu_parts(rows_a[0].get("bleu_counts")):
        counts = [resample.totals(bleu_features([pick(row) for row in rows])) for rows in (rows_a, rows_b)]
        draws[name] = [bleu(totals, ORDERS) for totals in counts]
    found = []
    for name, (a, b) in draws.items():
        found.append(Difference(name, float(a[0]), float(b[0]), number(b - a, len(pairs)), p_value(b - a), 0))
    return found


def _bleu_parts(counts: Any) -> list[tuple[str, Callable[[Row], list[int]]]]:
    """(metric, how to take its counts from a row): one for a list of counts, one an arm for a mapping of them."""
    if isinstance(counts, dict):
        return [(f"bleu{ORDERS}/{arm}", lambda row, arm=arm: row["bleu_counts"][arm]) for arm in counts]
    return [(f"bleu{ORDERS}", lambda row: row["bleu_counts"])] if counts else []


def _one(path: Path) -> Run:
    runs = load_runs([path])
    if len(runs) > 1:
        raise ThanosError(f"{path} holds {len(runs)} runs: give the folder of one, such as {runs[0].folder}")
    return runs[0]


def _by_key(run: Run, notes: list[str]) -> dict[tuple[str, int], Row]:
    """(id, seed) -> row; of rows with the same key, only the first."""
    rows: dict[tuple[str, int], Row] = {}
    repeated = []
    for row in run.rows():
        key = (row["id"], row.get("seed", 0))
        if key in rows:
            repeated.append(key)
        else:
            rows[key] = row
    if repeated:
        notes.append(f"{run.label}: {_count(repeated, 'row')} left out: id and seed occur before{_examples(repeated)}")
    return rows


def _note_unpaired(name: str, keys: list[tuple[str, int]], notes: list[str]) -> None:
    if keys:
        notes.append(f"{_count(keys, 'row')} of {name} not paired: the other run lacks them{_examples(keys)}")


def _subject(row: Row) -> tuple[Any, ...]:
    """What a row is about; the same for every model."""
    return row.get("dialogue"), row.get("target"), row.get("also")


def _settings(a: Run, b: Run) -> Iterator[str]:
    """Settings that differ and may be a cause of the difference, too; not those that show in the rows themselves."""
    one, other = (run.about.get("config") or {} for run in (a, b))
    for name in sorted({*one, *other} - {"model", "rows", "samples"}):
        if one.get(name) != other.get(name):
            yield f"the runs differ in {name}: {_brief(one.get(name))} and {_brief(other.get(name))}"
    before, after = ((run.metrics.get("versions") or {}).get("task") for run in (a, b))
    if before != after:
        yield f"the runs differ in the task's version: {before} and {after}"


def _brief(value: Any) -> str:
    text = str(value)
    return text if len(text) <= 60 else text[:59] + "…"


def _count(keys: list, noun: str) -> str:
    return f"{len(keys):,} {noun}{'' if len(keys) == 1 else 's'}"


def _examples(keys: list[tuple[str, int]]) -> str:
    shown = ", ".join(id if not seed else f"{id} seed {seed}" for id, seed in keys[:SHOWN_IDS])
    return f" ({shown}{', …' if len(keys) > SHOWN_IDS else ''})"
