"""Distinct-n (Li et al., 2016): how many of all n-grams in a set of texts are different ones."""

from collections import Counter, defaultdict
from collections.abc import Sequence

import numpy as np

from thanos.bench.metrics.bootstrap import Number
from thanos.data.words import words

ORDERS = (1, 2, 3)


def distinct(texts: Sequence[str], clusters: Sequence[str], order: int) -> Number:
    """Different n-grams per n-gram of all texts together.

    The share falls as texts are added, so only sets of the same rows can be compared. A bootstrap would count the
    n-grams of a row that is drawn twice as repeated; the interval is that of the jackknife over clusters (Efron and
    Tibshirani, 1993, chapter 11).

    Args:
        texts: One a row; n counts those with an n-gram.
        clusters: The cluster of each row.
        order: n, from 1.
    """
    totals: Counter[str] = Counter()
    homes: dict[tuple[str, ...], set[str]] = defaultdict(set)
    n = 0
    for text, cluster in zip(texts, clusters, strict=True):
        grams = _ngrams(words(text), order)
        n += bool(grams)
        totals[cluster] += len(grams)
        for gram in grams:
            homes[gram].add(cluster)
    total, different = totals.total(), len(homes)
    if not total:
        return {"value": None, "low": None, "high": None, "n": 0}
    own = Counter(next(iter(home)) for home in homes.values() if len(home) == 1)
    value = different / total
    without = np.array([(different - own[c]) / (total - size) for c, size in totals.items() if size < total])
    k = len(without)
    spread = 1.96 * float(np.sqrt((k - 1) / k * ((without - without.mean()) ** 2).sum())) if k > 1 else 0.0
    return {"value": value, "low": max(0.0, value - spread), "high": min(1.0, value + spread), "n": n}


def _ngrams(tokens: list[str], order: int) -> list[tuple[str, ...]]:
    return [tuple(tokens[i : i + order]) for i in range(len(tokens) - order + 1)]
