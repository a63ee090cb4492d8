"""thanos annotate: turns in, annotated turns out."""

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from thanos.cli.model_options import BaseUrl

app = typer.Typer(help="Annotate turns with skill-of-mind by a large language model.", no_args_is_help=True)


Turns = Annotated[str, typer.Argument(help="Turns to annotate, JSONL.")]
Output = Annotated[Path, typer.Option("--output", "-o", help="Append rows here; run again to go on after a stop.")]


@app.command()
def run(
    turns: Turns,
    output: Output,
    model: Annotated[str, typer.Option("--model", "-m", help="openai/<model>.")],
    base_url: BaseUrl = None,
    price: Annotated[
        Optional[str], typer.Option(metavar="IN,OUT", help="US dollars per million tokens in and out.")
    ] = None,
    max_cost: Annotated[
        Optional[float], typer.Option(min=0, help="US dollars for this OUTPUT, earlier runs included; needs --price.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests in flight at a time.")] = 64,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for one answer.")] = 60.0,
    retries: Annotated[int, typer.Option(min=0, help="Tries after a failed one.")] = 8,
) -> None:
    """Annotate TURNS through an OpenAI-compatible endpoint."""
    from thanos.annotate.endpoint import Endpoint
    from thanos.annotate.run import annotate_file
    from thanos.cli.annotate_report import print_estimate, print_run, read_price

    prices = read_price(price, max_cost)
    endpoint = Endpoint(model, base_url, timeout, concurrency)
    result = annotate_file(turns, output, endpoint, prices, max_cost, concurrency, retries, print_estimate)
    print_run(result, output)
    if result.interrupted:
        raise typer.Exit(130)
    if result.tally.failed or result.tally.out_of_money:
        raise typer.Exit(1)


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
