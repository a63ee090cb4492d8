"""Stage 3: what the teachers say becomes soft targets for the students.

    python label.py --work work --teachers results/teacher0-all.npz ... --students results/a-all.npz ... --out soft.npz

Each teacher was trained on all folds but its own. A labelled row gets the word of the teacher that hasn't seen its
label, an unlabelled one the mean of all. Rows whose response isn't known get the students' mean, for a teacher has
nothing more to go by there. One temperature, fitted to the labelled rows that no teacher had seen, makes the
teachers' certainty honest.
"""

import argparse
from pathlib import Path

import numpy as np
from score import scores
from train import Data


def log_softmax(x: np.ndarray) -> np.ndarray:
    return x - np.logaddexp.reduce(x, axis=-1, keepdims=True)


def mean(logits: list[np.ndarray]) -> np.ndarray:
    """Log of the mean probability."""
    return np.logaddexp.reduce([log_softmax(x) for x in logits], axis=0) - np.log(len(logits))


def main(work: Path, teachers: list[Path], students: list[Path], out: Path) -> None:
    data = Data(work / "data.npz")
    read = lambda files: [np.load(f)["logits"].astype(np.float32) for f in files]
    each = read(teachers)
    soft = mean(each)
    known = np.diff(np.concatenate(([0], data.response_ends))) > 0
    unseen = np.flatnonzero((data.skill >= 0) & known)
    annotated = np.concatenate((data.of("gold"), data.of("dev")))
    for i in np.concatenate((annotated, data.of("original"))):
        soft[i] = log_softmax(each[i % len(each)][i])
    fit = np.intersect1d(unseen, annotated)
    nll = lambda t: scores(soft[fit] / t, data.skill[fit], data.also[fit])["nll"]
    temperature = min(np.arange(0.6, 3.0, 0.05), key=nll)
    print(f"teachers: temperature {temperature:.2f}, {len(fit)} annotated rows, each by the one that had not seen it:",
          scores(soft[fit] / temperature, data.skill[fit], data.also[fit]))  # fmt: skip
    soft = log_softmax(soft / temperature)
    if students:
        soft[~known] = mean(read(students))[~known]
    np.savez_compressed(out, logits=soft.astype(np.float16))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--work", type=Path, default=Path("work"))
    parser.add_argument("--teachers", type=Path, nargs="+", required=True)
    parser.add_argument("--students", type=Path, nargs="*", default=[])
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    main(**vars(args))
