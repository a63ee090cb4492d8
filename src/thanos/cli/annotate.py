"""thanos annotate: turns in, annotated turns out."""

import json
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(help="Annotate turns with skill-of-mind by a large language model.", no_args_is_help=True)


@app.command()
def agreement(
    a: Annotated[Path, typer.Argument(help="Annotated rows, JSONL.")],
    b: Annotated[Path, typer.Argument(help="Other annotations of the same turns.")],
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Compare two annotations: raw agreement, Cohen's kappa, and which skills are taken for which."""
    from thanos.cli.data_report import FaultLines, print_agreement
    from thanos.data.agreement import compare

    faults = FaultLines()
    result = compare(a, b, faults.add)
    faults.close()
    if as_json:
        typer.echo(json.dumps(result.as_json(), ensure_ascii=False))
    else:
        print_agreement(result)
    if faults.total:
        raise typer.Exit(1)
