"""thanos study: which of two replies people prefer."""

from pathlib import Path
from typing import Annotated, Optional

import typer

app = typer.Typer(help="Put pairs of replies before people, blinded, and score their answers.", no_args_is_help=True)

Folder = Annotated[Path, typer.Argument(help="Folder of `thanos study make`.")]


@app.command()
def make(
    runs: Annotated[list[Path], typer.Argument(help="Run folders of `thanos bench response`.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder of the study.")],
    compare: Annotated[
        Optional[list[str]],
        typer.Option(metavar="A,B", help="Pair these two; may be given again. Default: every two systems."),
    ] = None,
    items: Annotated[int, typer.Option(min=1, help="Dialogues for each of these pairs.")] = 50,
    seed: Annotated[int, typer.Option(help="Draws dialogues, sides and order.")] = 0,
    questions: Annotated[Optional[Path], typer.Option(help="YAML file. Default: the built-in questions.")] = None,
) -> None:
    """Draw pairs of replies, blind and shuffle them. A system is an arm of a run, or `reference`: what was really said.

    The key goes to OUTPUT/key.json: keep it from annotators. No other file says where a reply comes from.
    """
    from thanos.study.folder import write_study
    from thanos.study.make import draw_pairs, key_of, read_comparisons
    from thanos.study.questions import load_questions
    from thanos.study.runs import read_moments

    asked = load_questions(questions)
    moments, systems = read_moments(runs)
    draw = draw_pairs(moments, read_comparisons(compare or [], list(systems)), items, seed)
    study = write_study(output, asked, draw.items, key_of(draw, seed, systems))
    for reason, n in draw.left_out.items():
        typer.echo(f"thanos: {reason}: {n} dialogues left out", err=True)
    typer.echo(f"thanos: {len(study.items)} pairs in {output}; next: thanos study serve {output}", err=True)


@app.command()
def serve(
    folder: Folder,
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 8642,
) -> None:
    """Serve the page on which annotators answer, to this machine alone. Each answer is written down as it comes."""
    from thanos.study.folder import read_study
    from thanos.study.server import serve_study

    study = read_study(folder)
    serve_study(
        study, port, lambda url: typer.echo(f"thanos: {url} ({len(study.items)} pairs); Ctrl-C stops", err=True)
    )


@app.command()
def export(
    folder: Folder,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for `argilla.Dataset.from_disk`.")],
    annotators: Annotated[int, typer.Option(min=1, help="Answers that Argilla collects for each pair.")] = 3,
) -> None:
    """Write the pairs as an Argilla dataset, questions included."""
    from thanos.study.argilla import export_study
    from thanos.study.folder import read_study

    study = read_study(folder)
    export_study(study, output, annotators)
    typer.echo(f"thanos: {len(study.items)} records in {output}", err=True)


@app.command("import")
def import_(
    folder: Folder,
    records: Annotated[Path, typer.Argument(help="records.json that Argilla wrote, with responses.")],
) -> None:
    """Take over answers that were collected with Argilla."""
    from thanos.study.argilla import import_answers
    from thanos.study.folder import read_study

    appended, problems = import_answers(read_study(folder), records)
    _print_faults(problems)
    typer.echo(f"thanos: {appended} new answers in {folder}", err=True)
    if problems:
        raise typer.Exit(1)


@app.command()
def report(
    folder: Folder,
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="Folder for report.html and report.json. Default: FOLDER.")
    ] = None,
) -> None:
    """Win rates, mean ratings and Krippendorff's alpha, each with its 95% interval."""
    from thanos.cli.study_report import print_study
    from thanos.study.folder import read_study
    from thanos.study.page import write_study_page
    from thanos.study.score import score_study, write_scores

    study = read_study(folder)
    figures = score_study(study)
    _print_faults(figures["faults"])
    print_study(figures)
    where = output or folder
    write_scores(figures, where / "report.json")
    write_study_page(study, figures, where / "report.html")
    typer.echo(f"thanos: report.html and report.json are in {where}", err=True)
    if figures["faults"]:
        raise typer.Exit(1)


def _print_faults(problems: list[str]) -> None:
    from thanos.cli.data_report import FaultLines

    faults = FaultLines()
    for problem in problems:
        faults.add(problem)
    faults.close()
