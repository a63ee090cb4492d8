"""What the data commands print."""

import json
from collections import Counter
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from thanos.cli.table import COLOURS
from thanos.data.agreement import Agreement
from thanos.data.split import PARTS, SplitReport
from thanos.data.standoff import JoinReport
from thanos.data.stats import Stats
from thanos.errors import ThanosError
from thanos.skills import CATEGORIES, Skill

SHOWN = 20
"""Most lines of one table."""
SHOWN_FAULTS = 5


class FaultLines:
    """Prints the first faults as they come, and in the end how many more there were."""

    def __init__(self) -> None:
        self.total = 0

    def add(self, text: str) -> None:
        """Print one."""
        self.total += 1
        if self.total <= SHOWN_FAULTS:
            typer.echo(f"thanos: {text}", err=True)

    def close(self) -> None:
        """Say how many weren't shown."""
        if self.total > SHOWN_FAULTS:
            typer.echo(f"thanos: and {self.total - SHOWN_FAULTS} more", err=True)


def print_counts(title: str, counts: Counter[str]) -> None:
    """A table of the most frequent; nothing if there is none."""
    if not counts:
        return
    table = _table(title, "rows")
    for name, n in counts.most_common(SHOWN):
        table.add_row(name, f"{n:,}")
    if len(counts) > SHOWN:
        table.add_row(f"and {len(counts) - SHOWN} more kinds", f"{sum(n for _, n in counts.most_common()[SHOWN:]):,}")
    _show(table)


def print_split(report: SplitReport) -> None:
    """Rows and dialogues of each part."""
    table = _table("part", "dialogues", "rows")
    for name in reversed(PARTS):
        if report.dialogues[name]:
            table.add_row(name, f"{report.dialogues[name]:,}", f"{report.rows[name]:,}")
    _show(table)
    faults = FaultLines()
    for line, reason in report.faults:
        faults.add(f"line {line}: {reason}")
    if report.bad > len(report.faults):
        typer.echo(f"thanos: and {report.bad - len(report.faults)} more rows that can't be read", err=True)
    typer.echo(
        f"thanos: {report.joined} dialogues have a near-duplicate; {report.moved} changed sides to be with it", err=True
    )


def print_stats(stats: Stats) -> None:
    """Skills and categories, then the rest in a few lines."""
    total = max(1, stats.by_skill.total())
    sources = sorted(stats.skills, key=lambda name: -stats.skills[name].total())
    table = _table("skill", "turns", "share", "most in")
    for category in CATEGORIES:
        table.add_section()
        n = stats.by_category()[category]
        table.add_row(f"[bold {COLOURS[category]}]{category}[/]", f"{n:,}", f"{n / total:.1%}", "")
        for skill in (skill for skill in Skill if skill.category == category):
            n = stats.by_skill[skill.value]
            top = max(sources, key=lambda s: stats.skills[s][skill.value]) if n else ""
            table.add_row(f"  {skill.value}", f"{n:,}", f"{n / total:.1%}", top)
    _show(table)
    print_counts("source", Counter({name: stats.skills[name].total() for name in sources}))
    print_counts("label noise", stats.noise)
    print_counts("label read as", stats.relabelled)
    print_counts("unknown label", stats.unknown)
    typer.echo(
        f"thanos: {stats.rows:,} rows of {stats.dialogues:,} dialogues; "
        f"explanations of {_range(stats.explanation_words)} words, replies of {_range(stats.response_words)}, "
        f"after {_range(stats.turns)} turns (5%, median, 95%)",
        err=True,
    )


def write_stats(stats: Stats, folder: Path) -> None:
    """Plots, page and numbers into a folder."""
    from thanos.data.page import write_page
    from thanos.data.plots import draw_all, save

    figures = draw_all(stats)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        pictures = save(figures, folder)
        write_page(stats, pictures, folder / "stats.html")
        numbers = json.dumps(stats.as_json(), ensure_ascii=False, indent=1)
        (folder / "stats.json").write_text(numbers + "\n", encoding="utf-8")
    except OSError as error:
        raise ThanosError(f"can't write into {folder}: {(error.strerror or str(error)).lower()}") from None
    typer.echo(f"thanos: {len(pictures)} plots, stats.html and stats.json are in {folder}", err=True)


def print_agreement(result: Agreement) -> None:
    """The three figures, and what is mistaken for what."""
    unlike = Counter({f"{a} | {b}": n for (a, b), n in result.confusion.items() if a != b})
    print_counts("skill of the first | of the second", unlike)
    table = _table("two annotations", "")
    table.add_row("turns in both", f"{result.items:,}")
    table.add_row("turns in one alone", f"{result.only_a:,} and {result.only_b:,}")
    table.add_row("same skill", f"{result.raw:.1%}")
    table.add_row("same skill, or the other's second one", f"{result.within_also / result.items:.1%}")
    table.add_row("Cohen's kappa", f"{result.kappa:.3f}")
    _show(table)


def print_join(report: JoinReport, output: Path) -> None:
    """After a join."""
    print_counts("source of what wasn't found", Counter(report.sources))
    if report.changed:
        shown = ", ".join(report.changed[:3])
        typer.echo(f"thanos: {len(report.changed)} dialogues say something else now, e.g. {shown}", err=True)
    missing = f", {report.missing} not found" if report.missing else ""
    typer.echo(f"thanos: {report.joined} rows joined in {output}{missing}", err=True)


def _range(counts: Counter[int]) -> str:
    from thanos.data.plots import quantile

    return ", ".join(str(quantile(counts, q)) for q in (0.05, 0.5, 0.95))


def _table(first: str, *numbers: str) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    table.add_column(first)
    for name in numbers:
        table.add_column(name, justify="left" if name == "most in" else "right")
    return table


def _show(table: Table) -> None:
    console = Console(highlight=False)
    console.print(table)
    console.print()
