"""Words in common with a reference: BLEU of a whole set of texts, ROUGE of each."""

from functools import cache

import numpy as np
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU

from thanos.bench.metrics.bootstrap import Number, Resample, number

ORDERS = 4
ROUGE_TYPES = ("rouge1", "rouge2", "rougeL")


def bleu_counts(text: str, reference: str) -> list[int]:
    """What BLEU is made of: matches of 1- to 4-grams, their totals, length of the text, length of the reference."""
    score = _bleu().corpus_score([text], [[reference]])
    return [*score.counts, *score.totals, score.sys_len, score.ref_len]


def bleu(counts: np.ndarray, order: int) -> np.ndarray:
    """BLEU of summed counts, 0 to 100, as sacrebleu's: brevity penalty and exponential smoothing.

    Args:
        counts: [..., 10], sums of `bleu_counts`.
        order: Longest n-gram, 1 to 4.
    """
    matches, totals = counts[..., :order], counts[..., ORDERS : ORDERS + order]
    length, reference = counts[..., -2], counts[..., -1]
    unmatched = (matches == 0) & (totals > 0)
    halvings = np.cumsum(unmatched, axis=-1)
    above = np.where(unmatched, 0.5**halvings, matches)
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.where(totals > 0, np.log(above / np.maximum(totals, 1)), -np.inf).sum(-1) / order
        penalty = np.where(length < reference, np.exp(1 - reference / length), 1.0)
    score = 100 * penalty * np.exp(logs)
    return np.where((matches.sum(-1) == 0) | (length == 0), 0.0, score)


def bleu_numbers(counts: list[list[int] | None], resample: Resample) -> dict[str, Number]:
    """BLEU-1 to BLEU-4 of rows; None is left out."""
    n = sum(row is not None for row in counts)
    if not n:
        return {f"bleu{order}": number(np.full(1, np.nan), 0) for order in range(1, ORDERS + 1)}
    totals = resample.totals(bleu_features(counts))
    return {f"bleu{order}": number(bleu(totals, order), n) for order in range(1, ORDERS + 1)}


def bleu_features(counts: list[list[int] | None]) -> np.ndarray:
    """[rows, 10]: `bleu_counts` of each row, zeros for None."""
    return np.array([row or [0] * (2 * ORDERS + 2) for row in counts], dtype=float).reshape(len(counts), -1)


def rouge(text: str, reference: str) -> dict[str, float]:
    """ROUGE-1, -2 and -L: F-measure of stemmed words, 0 to 1, as rouge-score's."""
    return {name: score.fmeasure for name, score in _rouge().score(reference, text).items()}


@cache
def _bleu() -> BLEU:
    return BLEU(max_ngram_order=ORDERS)


@cache
def _rouge() -> RougeScorer:
    return RougeScorer(list(ROUGE_TYPES), use_stemmer=True)
