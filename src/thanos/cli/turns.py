"""thanos turns: draw the turns that are to be annotated."""

from pathlib import Path
from typing import Annotated, Optional

import typer


def turns(
    recipe: Annotated[str, typer.Argument(help="A YAML file, or `paper` for the numbers of the paper's dataset.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="JSONL; what was there is replaced when all is drawn.")
    ],
    data: Annotated[
        Optional[Path], typer.Option(help="Folder with <source>.jsonl, .json or .parquet for sources without `file`.")
    ] = None,
    hub: Annotated[bool, typer.Option("--hub", help="Fetch the sources that have no file from the hub.")] = False,
) -> None:
    """Draw turns from dialogue sets: each row is a dialogue up to a turn, and that turn as the response.

    The same recipe and files give the same rows. Rows are in the form that `thanos annotate` and `thanos predict` read.
    """
    from thanos.cli.whole_files import whole_files
    from thanos.longrun import count_lines, progress_bar
    from thanos.turns import find_files, load_recipe, sample_source

    plan = load_recipe(recipe)
    files = find_files(plan, data, hub)
    total = 0
    with whole_files(output) as (write, _):
        for name, share in plan.sources.items():
            lines = count_lines(str(files[name])) if files[name] else None
            with progress_bar(f"draw from {name}", lines) as advance:
                sample = sample_source(name, files[name], share, plan, advance)
            for row in sample.rows:
                write(row)
            total += len(sample.rows)
            typer.echo(f"thanos: {name}: {_summary(sample, share.turns)}", err=True)
    typer.echo(f"thanos: {total:,} turns in {output}", err=True)
    if not total:
        raise typer.Exit(1)


def _summary(sample, asked: int) -> str:
    words = f"{len(sample.rows):,} turns from {sample.eligible:,} of {sample.dialogues:,} dialogues"
    if len(sample.rows) < asked:
        words += f" (asked for {asked:,}; there are no more)"
    if sample.unusable:
        words += f"; {sample.unusable:,} rows gave no dialogue"
    if sample.repeated:
        words += f"; {sample.repeated:,} left out because their id was drawn already"
    return words
