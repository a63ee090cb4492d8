"""Precision, recall, F1 and the confusion matrix, with intervals; they equal scikit-learn's."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from thanos.bench.metrics.bootstrap import Number, Resample, number, ratio

NO_LABEL = "(no label)"
"""Column of predictions that the task's map takes to no label."""
INVALID = "(invalid)"
"""Column of outputs without a skill."""

Row = dict[str, Any]


def true_label(row: Row) -> str:
    """The label that a row counts for: of several right ones the predicted one, or else the first."""
    target = row["target"]
    if isinstance(target, str):
        return target
    return row["prediction"] if row["prediction"] in target else target[0]


def columns_of(row: Row) -> str:
    """Where a row's prediction stands in the confusion matrix."""
    if not row["valid"]:
        return INVALID
    return row["prediction"] if row["prediction"] is not None else NO_LABEL


class LabelCounts:
    """True positives, predictions and targets of every label, in the rows and in every draw."""

    def __init__(self, rows: Sequence[Row], labels: Sequence[str], resample: Resample):
        """Count.

        Args:
            rows: Of rows.jsonl.
            labels: All labels of the task.
            resample: Made of the rows' clusters.
        """
        self.labels = list(labels)
        place = {label: i for i, label in enumerate(self.labels)}
        n, c = len(rows), len(self.labels)
        features = np.zeros((n, 3 * c))
        for i, row in enumerate(rows):
            target, predicted = true_label(row), row["prediction"] if row["valid"] else None
            features[i, 2 * c + place[target]] = 1
            if predicted is not None:
                features[i, c + place[predicted]] = 1
                features[i, place[predicted]] = predicted == target
        sums = resample.totals(features) if n else np.zeros((1, 3 * c))
        self.hits, self.predicted, self.true = sums[:, :c], sums[:, c : 2 * c], sums[:, 2 * c :]
        self.n = n

    def macro_f1(self) -> Number:
        """Mean F1 of the labels that occur among the targets."""
        return number(self.macro_f1_draws(), self.n)

    def macro_f1_draws(self) -> np.ndarray:
        """[1 + draws]: the same of the rows themselves, then of each draw."""
        f1 = ratio(2 * self.hits, self.predicted + self.true)
        there = self.true > 0
        return ratio(np.where(there, f1, 0).sum(1), there.sum(1).astype(float))

    def balanced_accuracy(self) -> Number:
        """Mean recall of the labels that occur among the targets; 1 / labels for any constant answer."""
        there = self.true > 0
        recall = ratio(self.hits, self.true)
        return number(ratio(np.where(there, recall, 0).sum(1), there.sum(1).astype(float)), self.n)

    def label(self, label: str) -> dict[str, Number]:
        """Precision (over its predictions), recall and F1 (over its targets) of one label."""
        i = self.labels.index(label)
        hits, predicted, true = self.hits[:, i], self.predicted[:, i], self.true[:, i]
        return {
            "precision": number(ratio(hits, predicted), int(predicted[0])),
            "recall": number(ratio(hits, true), int(true[0])),
            "f1": number(ratio(2 * hits, predicted + true), int(true[0] or predicted[0])),
        }

    def matthews(self, label: str) -> Number:
        """Matthews' correlation of one label against the rest: 0 for any constant answer."""
        i = self.labels.index(label)
        hits, predicted, true = self.hits[:, i], self.predicted[:, i], self.true[:, i]
        n = self.true.sum(1)
        spread = np.sqrt(predicted * (n - predicted)) * np.sqrt(true * (n - true))
        correlation = ratio(hits * n - predicted * true, spread)
        return number(np.where((spread == 0) & (n > 0), 0.0, correlation), self.n)

    def per_label(self) -> dict[str, dict[str, Number]]:
        """`label` of every label that is a target or a prediction of some row."""
        met = (self.true[0] > 0) | (self.predicted[0] > 0)
        return {label: self.label(label) for label, there in zip(self.labels, met, strict=True) if there}


def confusion(rows: Sequence[Row], labels: Sequence[str]) -> dict[str, Any]:
    """Targets down, predictions across; labels that occur nowhere are left out."""
    pairs = [(true_label(row), columns_of(row)) for row in rows]
    down = [label for label in labels if any(label == true for true, _ in pairs)]
    across = [label for label in labels if label in down or any(label == column for _, column in pairs)]
    across += [NO_LABEL, INVALID]
    counts = np.zeros((len(down), len(across)), int)
    for true, column in pairs:
        counts[down.index(true), across.index(column)] += 1
    return {"labels": list(labels), "rows": down, "columns": across, "counts": counts.tolist()}
