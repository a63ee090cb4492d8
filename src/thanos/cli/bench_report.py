"""thanos bench report and compare: what finished runs say."""

import json as json_module
from pathlib import Path
from typing import Annotated

import typer


def report(
    runs: Annotated[list[Path], typer.Argument(help="Run folders, or folders that hold some.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="The page.")] = Path("report.html"),
) -> None:
    """Write one page about several runs, side by side; it needs no network and no other file."""
    from thanos.bench.report import write_report

    write_report(runs, output)
    typer.echo(f"thanos: {output}", err=True)


def compare(
    a: Annotated[Path, typer.Argument(help="A run folder.")],
    b: Annotated[Path, typer.Argument(help="Another one of the same task.")],
    json: Annotated[bool, typer.Option("--json", help="One JSON object instead of tables.")] = False,
    seed: Annotated[int, typer.Option(help="Of the bootstrap's draws.")] = 0,
) -> None:
    """Compare two runs on the rows that both have: B minus A, its 95% interval and p, by a paired bootstrap."""
    from thanos.bench.compare import compare_folders

    found = compare_folders(a, b, seed)
    if json:
        typer.echo(json_module.dumps(found.as_json(), ensure_ascii=False))
        return
    _print(found)
    for note in found.notes:
        typer.echo(f"thanos: {note}", err=True)


def _print(found) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(show_edge=False, pad_edge=False)
    names = ("metric", "A", "B", "B - A", "95%", "p", "n")
    for name in names:
        table.add_column(name, justify="left" if name == "metric" else "right")
    for d in found.differences:
        e = d.difference
        n = f"{e['n']:,}" + (f" ({d.unscored:,} unscored)" if d.unscored else "")
        interval = f"{e['low']:+.3f} to {e['high']:+.3f}"
        table.add_row(d.metric, f"{d.a:.3f}", f"{d.b:.3f}", f"{e['value']:+.3f}", interval, f"{d.p:.3f}", n)
    console = Console()
    head = f"{found.task}, {found.rows:,} rows of {found.dialogues:,} dialogues\nA: {found.a}\nB: {found.b}\n"
    console.print(head, highlight=False, markup=False)
    console.print(table)
