"""The history of a run as a picture."""

from pathlib import Path
from typing import Any

from thanos.train.accuracy import METRIC

LOSSES = {"loss": ("training loss", "#9aa5b1", 1.2), "eval_loss": ("validation loss", "#c98a1b", 1.8)}
SCORES = {
    METRIC: ("skill accuracy", "#2f8f9d", 1.8),
    "eval_also_accuracy": ("with second skills", "#4a66b0", 1.4),
    "eval_rewards/accuracies": ("chosen over rejected", "#b5518f", 1.4),
}
"""Key in the log -> label, colour, width of the line."""


def draw_curves(history: list[dict[str, float]], path: Path, title: str, best: int) -> None:
    """Write losses and accuracies over the steps as PNG.

    Args:
        history: The trainer's log: each entry has `step` and what was logged at it.
        best: The step whose weights are kept; its accuracy is marked.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    style = {"axes.spines.top": False, "axes.spines.right": False, "font.size": 9, "axes.axisbelow": True}
    with rc_context(style | {"axes.edgecolor": "#888888", "figure.constrained_layout.use": True}):
        figure = Figure(figsize=(9, 3.6))
        left, right = figure.subplots(1, 2)
        _lines(left, history, LOSSES)
        left.set_ylabel("nats a token" if title.endswith("sft") else "loss")
        _lines(right, history, SCORES)
        right.set_ylim(0, 1.05)
        right.set_yticks([0, 0.2, 0.4, 0.6, 0.8, 1])
        right.yaxis.set_major_formatter(lambda y, _: f"{y:.0%}")
        _mark(right, history, best)
        for axes in (left, right):
            axes.set_xlabel("step")
            axes.set_xlim(0, 1.04 * max((entry["step"] for entry in history), default=1))
            axes.xaxis.get_major_locator().set_params(integer=True)
            axes.grid(axis="y", color="#d9d9d9")
            axes.legend(edgecolor="none", framealpha=0.8)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        figure.savefig(path, dpi=144, metadata={"Software": None})


def _lines(axes: Any, history: list[dict[str, float]], wanted: dict[str, tuple[str, str, float]]) -> None:
    for key, (label, colour, width) in wanted.items():
        points = [(entry["step"], entry[key]) for entry in history if key in entry]
        if points:
            steps, values = zip(*points, strict=True)
            marker = "o" if len(points) <= 30 and key != "loss" else None
            axes.plot(steps, values, label=label, color=colour, linewidth=width, marker=marker, markersize=3)


def _mark(axes: Any, history: list[dict[str, float]], best: int) -> None:
    value = next((entry[METRIC] for entry in history if METRIC in entry and entry["step"] == best), None)
    if value is not None:
        place = {"xytext": (0, 7), "textcoords": "offset points", "ha": "center", "fontweight": "bold"}
        axes.annotate(f"{value:.1%}", (best, value), **place)
