"""How good a skill distribution is, on rows with one gold skill and perhaps a second fitting one."""

import numpy as np


def scores(logits: np.ndarray, skill: np.ndarray, also: np.ndarray) -> dict[str, float]:
    """logits: (rows, skills); skill, also: (rows,) indices, also -1 for none.

    Returns:
        top1, top1_also (either label counts), top3, macro_f1 (over the skills that occur as gold) and nll, the mean
        negative log-probability of the gold skill.
    """
    logits = logits.astype(np.float64)
    log_p = logits - np.logaddexp.reduce(logits, axis=1, keepdims=True)
    order = np.argsort(-logits, axis=1, kind="stable")
    first = order[:, 0]
    return {
        "top1": float((first == skill).mean()),
        "top1_also": float(((first == skill) | (first == also)).mean()),
        "top3": float((order[:, :3] == skill[:, None]).any(1).mean()),
        "macro_f1": macro_f1(first, skill),
        "nll": float(-log_p[np.arange(len(skill)), skill].mean()),
    }


def macro_f1(predicted: np.ndarray, skill: np.ndarray) -> float:
    """Mean over the skills that occur in `skill`."""
    each = []
    for k in np.unique(skill):
        hit = ((predicted == k) & (skill == k)).sum()
        each.append(2 * hit / ((predicted == k).sum() + (skill == k).sum()))
    return float(np.mean(each))
