"""Statistics as pictures. One function a picture; each returns a matplotlib figure."""

from collections import Counter
from pathlib import Path
from typing import Any

from thanos.data.stats import Stats
from thanos.errors import ThanosError
from thanos.skills import CATEGORIES, Skill

COLOURS = dict(zip(CATEGORIES, ("#b5518f", "#2f8f9d", "#c98a1b", "#4f8a3a", "#4a66b0"), strict=True))
"""One a category, of about the same lightness; told apart with the common kinds of colour blindness."""
INK, FAINT = "#222222", "#d9d9d9"
DPI = 144


def draw_all(stats: Stats) -> dict[str, Any]:
    """Name -> figure.

    Raises:
        ThanosError: if matplotlib isn't installed, or there is nothing to draw.
    """
    try:
        import matplotlib
    except ModuleNotFoundError as error:
        raise ThanosError(f"plots need {error.name}: pip install 'thanos-skill-of-mind[data]'") from None
    if not stats.skills:
        raise ThanosError("nothing to draw: no row has a skill of the closed set")
    style = {
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": "#888888",
        "axes.titlelocation": "left",
        "axes.titlesize": 12,
        "axes.titleweight": "bold",
        "axes.axisbelow": True,
        "font.size": 9,
        "figure.constrained_layout.use": True,
        "svg.hashsalt": "thanos",
    }
    with matplotlib.rc_context(style):
        return {
            "skills": skills(stats),
            "skills-by-source": skills_by_source(stats),
            "categories": categories(stats),
            "lengths": lengths(stats),
            "label-noise": label_noise(stats),
        }


def save(figures: dict[str, Any], folder: Path) -> list[Path]:
    """Write each as PNG, without the date and version that would make two runs differ."""
    paths = []
    for name, figure in figures.items():
        paths.append(folder / f"{name}.png")
        figure.savefig(paths[-1], dpi=DPI, metadata={"Software": None})
    return paths


def skills(stats: Stats) -> Any:
    """How often each of the 39 skills occurs, the ones that never do included."""
    counts = stats.by_skill
    names = sorted((skill.value for skill in Skill), key=lambda name: (counts[name], name))
    figure, axes = _new(7.5, 8.5)
    axes.barh(
        names, [counts[name] for name in names], color=[COLOURS[Skill(name).category] for name in names], height=0.75
    )
    for y, name in enumerate(names):
        axes.text(counts[name], y, f"  {counts[name]:,}", va="center", fontsize=8, color=INK)
    axes.margins(y=0.01)
    axes.set_xlim(0, max(counts.values()) * 1.12)
    axes.grid(axis="x", color=FAINT)
    axes.tick_params(axis="y", length=0)
    axes.set_title(f"Skills of {stats.rows:,} turns")
    axes.set_xlabel("turns")
    axes.legend(handles=_category_handles(), loc="lower right", edgecolor="none", framealpha=1)
    return figure


def skills_by_source(stats: Stats) -> Any:
    """Share of each skill in each source: one row a skill, one column a source."""
    import numpy as np

    sources = sorted(stats.skills, key=lambda name: -stats.skills[name].total())
    names = [skill.value for skill in Skill]
    shares = np.array([[stats.skills[s][name] / stats.skills[s].total() for s in sources] for name in names])
    figure, axes = _new(4.2 + 0.62 * len(sources), 9.5)
    image = axes.imshow(np.sqrt(shares), cmap="Blues", vmin=0, vmax=1, aspect="auto")
    axes.set_yticks(range(len(names)), names)
    for label, name in zip(axes.get_yticklabels(), names, strict=True):
        label.set_color(COLOURS[Skill(name).category])
    axes.set_xticks(
        range(len(sources)), [f"{s} ({stats.skills[s].total():,})" for s in sources], rotation=40, ha="right"
    )
    for y, x in np.argwhere(shares >= 0.005):
        axes.text(
            x, y, f"{100 * shares[y, x]:.0f}", ha="center", va="center", fontsize=7.5,
            color="white" if image.norm(np.sqrt(shares[y, x])) > 0.6 else INK,
        )  # fmt: skip
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    figure.suptitle("Skills by source (%)", x=0.01, ha="left", fontsize=12, fontweight="bold")
    return figure


def categories(stats: Stats) -> Any:
    """The mixture of the five categories, in each source and in all."""
    sources = sorted(stats.skills, key=lambda name: stats.skills[name].total())
    rows = {f"{name} ({stats.skills[name].total():,})": stats.by_category(name) for name in sources}
    rows[f"all ({stats.by_skill.total():,})"] = stats.by_category()
    figure, axes = _new(8, 1.6 + 0.36 * len(rows))
    for y, counts in enumerate(rows.values()):
        left = 0.0
        for category in CATEGORIES:
            share = counts[category] / counts.total()
            axes.barh(y, share, left=left, color=COLOURS[category], height=0.72, edgecolor="white", linewidth=0.8)
            if share >= 0.06:
                axes.text(left + share / 2, y, f"{share:.0%}", ha="center", va="center", color="white", fontsize=8)
            left += share
    axes.set_yticks(range(len(rows)), list(rows))
    axes.set_xlim(0, 1)
    axes.set_xticks([])
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)
    axes.margins(y=0.01)
    axes.set_title("Categories by source", pad=10)
    figure.legend(handles=_category_handles(), loc="outside lower center", ncols=3, frameon=False)
    return figure


def lengths(stats: Stats) -> Any:
    """Three histograms: turns before the reply, words of explanations and of replies."""
    figure, all_axes = _new(10, 3.2, columns=3)
    panels = (
        (stats.turns, "Turns before the reply", "turns"),
        (stats.explanation_words, "Length of explanations", "words"),
        (stats.response_words, "Length of replies", "words"),
    )
    for axes, (counts, title, unit) in zip(all_axes, panels, strict=True):
        _histogram(axes, counts, unit)
        axes.set_title(title)
    all_axes[0].set_ylabel("rows")
    return figure


def label_noise(stats: Stats) -> Any:
    """What is amiss, and the labels behind it."""
    lines = [(f"{kind}: all", n) for kind, n in stats.noise.most_common()]
    lines += [(label, n) for label, n in stats.relabelled.most_common(12)]
    lines += [(f"unknown: {label}", n) for label, n in stats.unknown.most_common(12)]
    figure, axes = _new(8, 1.0 + 0.3 * max(3, len(lines)) if lines else 0.8)
    axes.set_title(f"Label noise in {stats.rows:,} rows")
    if not lines:
        axes.set_axis_off()
        axes.text(
            0, 0.5, "None: every row has one of the 39 skills, spelled as in the list, and an explanation.", va="center"
        )
        return figure
    names = [_shorten(name) for name, _ in lines]
    axes.barh(range(len(lines)), [n for _, n in lines], color=[INK if ": all" in name else "#999999" for name in names])
    for y, (_, n) in enumerate(lines):
        axes.text(n, y, f"  {n:,} ({n / max(1, stats.rows):.1%})", va="center", fontsize=8)
    axes.set_yticks(range(len(lines)), [name.removesuffix(": all") for name in names])
    axes.set_ylim(max(len(lines), 3) - 0.4, -0.6)
    axes.set_xlim(0, max(n for _, n in lines) * 1.25)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x", color=FAINT)
    axes.set_xlabel("rows")
    return figure


def _new(width: float, height: float, columns: int = 1) -> tuple[Any, Any]:
    """A figure that no display is needed for, and its axes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height))
    return figure, figure.subplots(1, columns)


def _category_handles() -> list[Any]:
    from matplotlib.patches import Patch

    return [Patch(color=COLOURS[category], label=category.removesuffix(" Skills")) for category in CATEGORIES]


def _histogram(axes: Any, counts: Counter[int], unit: str) -> None:
    """Bars up to the 99.5th percentile; the rest is one last bar."""
    axes.set_xlabel(unit)
    axes.grid(axis="y", color=FAINT)
    if not counts:
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center")
        return
    seen, end = 0, max(counts)
    for value in sorted(counts):
        seen += counts[value]
        if seen >= 0.995 * counts.total():
            end = value
            break
    width = max(1, (end - min(counts)) // 40 + 1)
    bars: Counter[int] = Counter()
    for value, n in counts.items():
        bars[min(value, end + 1) // width * width] += n
    axes.bar(list(bars), list(bars.values()), width=width * 0.92, align="edge", color=COLOURS[CATEGORIES[1]])
    middle = quantile(counts, 0.5)
    axes.axvline(middle + 0.5, color=INK, linewidth=1)
    axes.text(middle + 0.5, 1.0, f" median {middle}", transform=axes.get_xaxis_transform(), va="top", fontsize=8)
    if end < max(counts):
        axes.text(1.0, 0.88, f"longest {max(counts):,}", transform=axes.transAxes, ha="right", va="top", fontsize=8)


def quantile(counts: Counter[int], q: float) -> int:
    """The least value that at least the share q of the counted items doesn't exceed; 0 of nothing."""
    seen = 0
    for value in sorted(counts):
        seen += counts[value]
        if seen >= q * counts.total():
            return value
    return 0


def _shorten(text: str, length: int = 60) -> str:
    return text if len(text) <= length else text[: length - 1] + "…"
