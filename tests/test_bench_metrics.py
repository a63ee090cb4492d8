"""The benchmark's numbers against the libraries that define them, and the intervals against theory."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

pytest.importorskip("sacrebleu")
pytest.importorskip("rouge_score")
sklearn_metrics = pytest.importorskip("sklearn.metrics")

from rouge_score.rouge_scorer import RougeScorer  # noqa: E402
from sacrebleu.metrics import BLEU  # noqa: E402
from sklearn.calibration import calibration_curve  # noqa: E402

from thanos.bench.metrics.bootstrap import DRAWS, Resample, number  # noqa: E402
from thanos.bench.metrics.calibration import BINS, bin_of, calibration_error  # noqa: E402
from thanos.bench.metrics.classification import INVALID, NO_LABEL, LabelCounts, confusion  # noqa: E402
from thanos.bench.metrics.groups import reference  # noqa: E402
from thanos.bench.metrics.overlap import bleu_counts, bleu_numbers, rouge  # noqa: E402

LABELS = ("a", "b", "c", "d")
CLOSE = 1e-6


def row(target, prediction, valid=True, cluster="x", **more):
    return {"target": target, "prediction": prediction, "valid": valid, "cluster": cluster, **more}


def counted(rows):
    return LabelCounts(rows, LABELS, Resample([r["cluster"] for r in rows]))


answers = st.lists(st.tuples(st.sampled_from(LABELS), st.sampled_from((*LABELS, None))), min_size=1, max_size=40)


@given(answers)
def test_f1_precision_recall_and_balanced_accuracy_are_scikit_learns(pairs):
    counts = counted([row(target, prediction) for target, prediction in pairs])
    true, predicted = [t for t, _ in pairs], [p or "none" for _, p in pairs]
    there = sorted(set(true))
    expected = sklearn_metrics.f1_score(true, predicted, labels=there, average="macro", zero_division=0)
    assert counts.macro_f1()["value"] == pytest.approx(expected, abs=CLOSE)
    recall = sklearn_metrics.recall_score(true, predicted, labels=there, average="macro", zero_division=0)
    assert counts.balanced_accuracy()["value"] == pytest.approx(recall, abs=CLOSE)
    for label in there:
        for name, score in (
            ("precision", sklearn_metrics.precision_score),
            ("recall", sklearn_metrics.recall_score),
            ("f1", sklearn_metrics.f1_score),
        ):
            ours = counts.label(label)[name]["value"]
            theirs = score(true, predicted, labels=[label], average="macro", zero_division=0)
            assert ours == pytest.approx(theirs, abs=CLOSE) if ours is not None else label not in predicted


@given(answers)
def test_matthews_correlation_is_scikit_learns(pairs):
    counts = counted([row(target, prediction) for target, prediction in pairs])
    for label in LABELS:
        theirs = sklearn_metrics.matthews_corrcoef([t == label for t, _ in pairs], [p == label for _, p in pairs])
        assert counts.matthews(label)["value"] == pytest.approx(theirs, abs=CLOSE)


@given(answers)
def test_confusion_matrix_is_scikit_learns(pairs):
    rows = [row(target, prediction, valid=i % 5 > 0) for i, (target, prediction) in enumerate(pairs)]
    ours = confusion(rows, LABELS)
    predicted = [INVALID if not r["valid"] else r["prediction"] or NO_LABEL for r in rows]
    names = [*LABELS, NO_LABEL, INVALID]
    theirs = sklearn_metrics.confusion_matrix([r["target"] for r in rows], predicted, labels=names)
    for i, target in enumerate(ours["rows"]):
        for j, column in enumerate(ours["columns"]):
            assert ours["counts"][i][j] == theirs[names.index(target), names.index(column)]
    assert np.sum(ours["counts"]) == len(rows)


def test_an_invalid_row_is_wrong_whatever_was_predicted():
    counts = counted([row("a", "a"), row("a", "a", valid=False)])
    assert counts.label("a")["recall"]["value"] == 0.5
    assert counts.label("a")["precision"]["n"] == 1


def test_of_several_right_labels_any_counts():
    counts = counted([row(["a", "b"], "b"), row(["a", "b"], "c")])
    assert counts.label("b")["recall"]["value"] == 1.0
    assert counts.label("a")["recall"]["value"] == 0.0
    assert reference([row(["a", "b"], "b"), row("a", "c")], LABELS, 1.0)["majority_label"] == 1.0


confidences = st.lists(st.tuples(st.floats(0, 1), st.booleans()), min_size=1, max_size=60)


@given(confidences)
def test_calibration_error_agrees_with_scikit_learns_curve(pairs):
    rows = [
        {"skill": "a", "scores": {"a": p}, "valid": True, "cluster": str(i), "credit": {"top1": float(right)}}
        for i, (p, right) in enumerate(pairs)
    ]
    p, right = np.array([p for p, _ in pairs]), np.array([right for _, right in pairs])
    accuracy, confidence = calibration_curve(right, p, n_bins=BINS)
    sizes = np.bincount([bin_of(x) for x in p], minlength=BINS)
    expected = (sizes[sizes > 0] * np.abs(accuracy - confidence)).sum() / len(p)
    found = calibration_error(rows, Resample([r["cluster"] for r in rows]))
    assert found["value"] == pytest.approx(expected, abs=CLOSE)
    assert found["n"] == len(pairs)


def test_rows_without_probabilities_have_no_calibration():
    rows = [{"skill": "a", "scores": {}, "valid": True, "cluster": "x", "credit": {"top1": 1.0}}]
    assert calibration_error(rows, Resample(["x"])) == {"value": None, "low": None, "high": None, "n": 0}


words = st.lists(
    st.sampled_from(
        ["the", "cat", "sat", "on", "a", "mat", "and", "it", "was,", "well:", "happy", "running", "runs", "."]
    ),
    max_size=14,
)
texts = st.lists(st.tuples(words.map(" ".join), words.map(" ".join)), min_size=1, max_size=6)


@given(texts)
def test_bleu_is_sacrebleus(pairs):
    counts = [bleu_counts(text, gold) for text, gold in pairs]
    ours = bleu_numbers(counts, Resample([str(i) for i in range(len(pairs))]))
    for order in range(1, 5):
        theirs = BLEU(max_ngram_order=order).corpus_score([text for text, _ in pairs], [[gold for _, gold in pairs]])
        assert ours[f"bleu{order}"]["value"] == pytest.approx(theirs.score, abs=CLOSE)


@given(texts)
@settings(max_examples=30)
def test_rouge_is_rouge_scores(pairs):
    scorer = RougeScorer(["rouge1", "rouge2", "rougeL"], use_stemmer=True)
    for text, gold in pairs:
        theirs = {name: score.fmeasure for name, score in scorer.score(gold, text).items()}
        assert rouge(text, gold) == pytest.approx(theirs, abs=CLOSE)


def test_bleu_of_nothing_is_zero_and_of_no_rows_unknown():
    assert bleu_numbers([bleu_counts("", "a b c")], Resample(["x"]))["bleu1"]["value"] == 0.0
    assert bleu_numbers([None], Resample(["x"]))["bleu4"] == {"value": None, "low": None, "high": None, "n": 0}


def test_the_interval_of_a_mean_is_what_theory_says():
    values = np.random.default_rng(1).random(2000)
    found = Resample([str(i) for i in range(2000)]).mean(values)
    half = 1.96 * values.std() / np.sqrt(2000)
    assert found["value"] == pytest.approx(values.mean())
    assert found["high"] - found["low"] == pytest.approx(2 * half, rel=0.08)


def test_rows_of_one_dialogue_are_drawn_together():
    values = [float(i % 2) for i in range(40) for _ in range(10)]
    alone = Resample([str(i) for i in range(400)]).mean(values)
    together = Resample([str(i // 10) for i in range(400)]).mean(values)
    width = lambda found: found["high"] - found["low"]
    assert width(together) == pytest.approx(np.sqrt(10) * width(alone), rel=0.15)


def test_unscored_is_not_wrong():
    found = Resample(["a", "b", "c"]).mean([1.0, None, 1.0])
    assert (found["value"], found["n"]) == (1.0, 2)
    assert Resample(["a"]).mean([None])["value"] is None


def test_the_same_rows_give_the_same_interval():
    clusters, values = [str(i // 3) for i in range(90)], np.random.default_rng(0).random(90)
    assert Resample(clusters).mean(values) == Resample(clusters).mean(values)
    assert Resample([]).mean([]) == {"value": None, "low": None, "high": None, "n": 0}


def test_draws_with_nothing_to_divide_by_are_left_out():
    values = np.full(DRAWS + 1, np.nan)
    values[:3] = 0.5
    assert number(values, 7) == {"value": 0.5, "low": 0.5, "high": 0.5, "n": 7}
