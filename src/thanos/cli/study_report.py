"""What the study commands print."""

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table


def print_study(figures: dict[str, Any]) -> None:
    """Win rates (with wins/ties/losses), ratings and agreement as tables."""
    wins = _table("question", "pair", "win rate", "95%", "w/t/l", "dialogues")
    for row in figures["wins"]:
        counts = f"{row['wins']}/{row['ties']}/{row['losses']}"
        pair = escape(f"{row['a']} against {row['b']}")
        wins.add_row(row["question"], pair, *_number(row["win_rate"], ".1%"), counts, str(row["dialogues"]))
    ratings = _table("statement", "system", "mean", "95%", "ratings")
    for row in figures["ratings"]:
        mean = row["mean"]
        ratings.add_row(row["question"], escape(row["system"]), *_number(mean, ".2f"), str(mean["n"]))
    agreement = _table("question", "scale", "alpha", "95%", "judged by several")
    for row in figures["agreement"]:
        alpha = row["alpha"]
        agreement.add_row(row["question"], row["level"], *_number(alpha, ".2f"), str(alpha["n"]))
    console = Console()
    for table in (wins, ratings, agreement):
        if table.rows:
            console.print(table)
            console.print()


def _table(*columns: str) -> Table:
    table = Table(show_edge=False, pad_edge=False)
    for i, column in enumerate(columns):
        table.add_column(column, justify="left" if i < 2 else "right", no_wrap=i > 0)
    return table


def _number(number: dict[str, Any], form: str) -> tuple[str, str]:
    if number["value"] is None:
        return "–", ""
    return f"{number['value']:{form}}", f"{number['low']:{form}} to {number['high']:{form}}"
