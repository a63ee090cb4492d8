"""How good a skill distribution is, on rows with one gold skill and perhaps a second fitting one.

python score.py --work work work/runs/final.npz ...        # a table of dev and validation scores
"""

import argparse
from pathlib import Path

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


def main(work: Path, runs: list[Path]) -> None:
    from train import Data

    data = Data(work / "data.npz")
    for file in runs:
        logits = np.load(file)
        for name in ("dev", "validation"):
            rows = data.of(name)
            found = scores(logits[name], data.skill[rows], data.also[rows])
            print(f"{file.stem:20}{name:12}" + "".join(f"  {k} {v:.3f}" for k, v in found.items()))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("runs", type=Path, nargs="+")
    main(**vars(parser.parse_args()))
