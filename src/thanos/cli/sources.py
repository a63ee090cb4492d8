"""thanos sources: what dialogue sets there are, whether a file of one parses, and its dialogues."""

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(
    help="Public dialogue sets: list them, check a file, read its dialogues.", invoke_without_command=True
)

Name = Annotated[str, typer.Argument(help="A source by name, or `released` for rows that are annotated already.")]
File = Annotated[Optional[Path], typer.Argument(help="JSONL, JSON list or Parquet with the hub release's row schema.")]
Hub = Annotated[bool, typer.Option("--hub", help="Without FILE: fetch the hub release.")]
Split = Annotated[Optional[str], typer.Option(help="With --hub: which split.")]


@app.callback()
def sources(ctx: typer.Context) -> None:
    """List the sources; or check, or read, one of them."""
    if ctx.invoked_subcommand:
        return
    from rich.console import Console
    from rich.table import Table

    from thanos.sources import EVALUATION, TRAINING

    table = Table(show_edge=False, pad_edge=False)
    table.add_column("source", no_wrap=True)
    table.add_column("rows", justify="right", no_wrap=True)
    table.add_column("licence", no_wrap=True)
    table.add_column("hub id, and what the social context holds", overflow="fold")
    for group in (TRAINING, EVALUATION):
        for source in group:
            hub = source.hub_id + (f" ({source.config})" if source.config else "")
            table.add_row(source.name, f"{source.rows:,}", source.licence, f"{hub}\n[dim]{source.context}[/]")
        table.add_section()
    Console().print(table)


@app.command()
def check(name: Name, file: File = None, hub: Hub = False, split: Split = None) -> None:
    """Say how many rows of FILE give dialogues, and why the others don't.

    Exit code 1 if nothing parses or the file can't be read.
    """
    from thanos.cli.source_report import print_check, print_released
    from thanos.errors import ThanosError
    from thanos.sources import find_source, open_source
    from thanos.sources.released import NAME

    if name != NAME:
        find_source(name)
    try:
        if name == NAME:
            usable = print_released(*_released(file, hub, split))
        else:
            usable = print_check(name, open_source(name, file, hub=hub, split=split))
    except ThanosError as error:
        typer.echo(f"thanos: {error}", err=True)
        raise typer.Exit(1) from None
    if not usable:
        raise typer.Exit(1)


@app.command()
def read(
    name: Name,
    file: File = None,
    output: Annotated[
        Path, typer.Option("--output", "-o", help="JSONL; what was there is replaced when all is read.")
    ] = ...,
    limit: Annotated[Optional[int], typer.Option(min=1, help="Stop after N dialogues.")] = None,
    hub: Hub = False,
    split: Split = None,
) -> None:
    """Write the dialogues of FILE (or the annotated rows of `released`), one JSON row each.

    Rows that give none go to <output>.failed.jsonl with their reason; exit code 1 if there are any.
    """
    from thanos.cli.source_report import write_annotated, write_dialogues
    from thanos.longrun import count_lines, progress_bar
    from thanos.sources import open_source
    from thanos.sources.released import NAME

    with progress_bar(f"read {name}", count_lines(str(file)) if file else None) as advance:
        if name == NAME:
            written, failed = write_annotated(*_released(file, hub, split), output, limit, advance)
        else:
            written, failed = write_dialogues(open_source(name, file, hub=hub, split=split), output, limit, advance)
    what = "rows" if name == NAME else "dialogues"
    where = f", {failed} rows gave none (see {output.with_name(output.stem + '.failed.jsonl')})" if failed else ""
    typer.echo(f"thanos: {written} {what} in {output}{where}", err=True)
    if failed:
        raise typer.Exit(1)


def _released(file: Path | None, hub: bool, split: str | None):
    """(readings, report) of rows that are annotated already."""
    from thanos.errors import ThanosError
    from thanos.sources import rows_of_file, rows_of_hub
    from thanos.sources.released import HUB_ID, Report, read_released

    if file is None and not hub:
        raise ThanosError(f"released: give a file, or --hub to fetch {HUB_ID}")
    report = Report()
    return read_released(rows_of_file(file) if file else rows_of_hub(HUB_ID, split=split or "train"), report), report
