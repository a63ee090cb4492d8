"""thanos data: annotated turns -> a dataset."""

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(help="Validate, split, describe and publish annotated turns.", no_args_is_help=True)


@app.command()
def validate(
    file: Annotated[str, typer.Argument(help="Annotated rows, JSONL; - for standard input.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Where the rows that pass go.")],
    recipe: Annotated[Optional[str], typer.Option(help="YAML file of rules. Default: the built-in ones.")] = None,
) -> None:
    """Keep the rows of FILE that obey a recipe; the others go to <stem>.dropped.jsonl beside OUTPUT, with reasons."""
    from thanos.cli.data_report import print_counts
    from thanos.data.recipe import load_recipe
    from thanos.data.validate import validate as run
    from thanos.dialogue import read_rows
    from thanos.longrun import count_lines, progress_bar

    rules = load_recipe(recipe)
    with progress_bar("validate", count_lines(file)) as advance:
        report = run(read_rows(file), output, rules, advance)
    print_counts("dropped because", report.dropped)
    print_counts("label read as", report.relabelled)
    print_counts("unknown label", report.unknown)
    dropped = report.dropped.total()
    where = f" (see {output.with_name(output.stem + '.dropped.jsonl')})" if dropped else ""
    typer.echo(f"thanos: {report.kept} of {report.read} rows kept, {dropped} dropped{where}", err=True)
    if not report.kept:
        raise typer.Exit(1)


@app.command()
def split(
    file: Annotated[Path, typer.Argument(help="Annotated rows, JSONL.")],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for train.jsonl, validation.jsonl, test.jsonl.")
    ],
    validation: Annotated[float, typer.Option(min=0, max=1, help="Share of the dialogues.")] = 0.05,
    test: Annotated[float, typer.Option(min=0, max=1, help="Share of the dialogues.")] = 0.05,
) -> None:
    """Split FILE by dialogue, so that no dialogue and no near-duplicate of one is on two sides."""
    from thanos.cli.data_report import print_split
    from thanos.data.split import split as run
    from thanos.longrun import count_lines, progress_bar

    lines = count_lines(str(file))
    with progress_bar("split", lines and 3 * lines) as advance:
        report = run(file, output, {"validation": validation, "test": test}, advance)
    print_split(report)
    if report.bad:
        raise typer.Exit(1)


@app.command()
def stats(
    files: Annotated[list[Path], typer.Argument(help="Annotated rows, JSONL.")],
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="Folder for PNG plots, stats.html and stats.json.")
    ] = None,
) -> None:
    """Count skills by source, categories, lengths, turns and label noise."""
    from thanos.cli.data_report import FaultLines, print_stats, write_stats
    from thanos.data.stats import collect_stats
    from thanos.longrun import count_lines, progress_bar

    counts = [count_lines(str(file)) for file in files]
    faults = FaultLines()
    with progress_bar("stats", None if None in counts else sum(counts)) as advance:
        result = collect_stats(files, advance, lambda line, reason: faults.add(f"line {line}: {reason}"))
    faults.close()
    print_stats(result)
    if output:
        write_stats(result, output)
    if result.bad:
        raise typer.Exit(1)


@app.command()
def publish(
    folder: Annotated[Path, typer.Argument(help="Holds train.jsonl, validation.jsonl, test.jsonl of `data split`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder to publish.")],
    title: Annotated[str, typer.Option(help="Of the dataset card.")] = "Skill-of-mind",
) -> None:
    """Write Parquet files, a dataset card, and the stand-off form without dialogue text."""
    from thanos.cli.data_report import FaultLines
    from thanos.data.publish import publish as run
    from thanos.longrun import progress_bar

    with progress_bar("publish", None) as advance:
        report = run(folder, output, title, advance)
    faults = FaultLines()
    for fault in report.faults:
        faults.add(fault)
    parts = ", ".join(f"{n:,} {name}" for name, n in report.rows.items())
    failed = f"; {report.bad} rows can't be published" if report.bad else ""
    typer.echo(f"thanos: {parts} in {output}{failed}", err=True)
    if report.bad:
        raise typer.Exit(1)


@app.command()
def join(
    annotations: Annotated[list[Path], typer.Argument(help="Stand-off files, Parquet or JSONL.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="JSONL with dialogues and annotations.")],
    turns: Annotated[Optional[str], typer.Option(help="Rows of `thanos turns` to take the dialogues from.")] = None,
    data: Annotated[Optional[Path], typer.Option(help="Folder with <source>.jsonl, .json or .parquet.")] = None,
    hub: Annotated[bool, typer.Option("--hub", help="Fetch the sources from the hub.")] = False,
) -> None:
    """Join the stand-off form with dialogues that are read from their sources again."""
    from thanos.cli.data_report import print_join
    from thanos.data.join import join_files

    report = join_files(annotations, output, turns=turns, data=data, hub=hub)
    print_join(report, output)
    if report.missing or report.changed:
        raise typer.Exit(1)
