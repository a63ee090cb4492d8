"""thanos annotate: turns in, annotated turns out."""

import json
from pathlib import Path
from typing import Annotated, Optional

import typer

from thanos.cli.model_options import BaseUrl

app = typer.Typer(help="Annotate turns with skill-of-mind by a large language model.", no_args_is_help=True)


Turns = Annotated[str, typer.Argument(help="Turns to annotate, JSONL.")]
Model = Annotated[str, typer.Option("--model", "-m", help="openai/<model>.")]
PriceOption = Annotated[
    Optional[str], typer.Option("--price", metavar="IN,OUT", help="US dollars per million tokens in and out.")
]
Output = Annotated[Path, typer.Option("--output", "-o", help="Append rows here; run again to go on after a stop.")]


@app.command()
def run(
    turns: Turns,
    output: Output,
    model: Model,
    base_url: BaseUrl = None,
    price: PriceOption = None,
    max_cost: Annotated[
        Optional[float], typer.Option(min=0, help="US dollars for this OUTPUT, earlier runs included; needs --price.")
    ] = None,
    concurrency: Annotated[int, typer.Option(min=1, help="Requests in flight at a time.")] = 64,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds to wait for one answer.")] = 60.0,
    retries: Annotated[int, typer.Option(min=0, help="Tries after a failed one.")] = 8,
    ray: Annotated[
        bool,
        typer.Option("--ray", help="Over a Ray cluster: TURNS and OUTPUT are folders of JSONL or Parquet shards."),
    ] = False,
) -> None:
    """Annotate TURNS through an OpenAI-compatible endpoint.

    With --ray, TURNS may also be one file, and the concurrency is that of one process. OUTPUT gets part-*.jsonl.
    """
    from thanos.annotate.endpoint import Endpoint
    from thanos.annotate.run import annotate_file
    from thanos.cli.annotate_report import print_estimate, print_run, read_price

    prices = read_price(price, max_cost)
    if ray:
        _run_on_ray(turns, output, model, base_url, prices, max_cost, concurrency, timeout, retries)
        return
    endpoint = Endpoint(model, base_url, timeout, concurrency)
    result = annotate_file(turns, output, endpoint, prices, max_cost, concurrency, retries, print_estimate)
    print_run(result, output)
    if result.interrupted:
        raise typer.Exit(130)
    if result.tally.failed or result.tally.out_of_money:
        raise typer.Exit(1)


def _run_on_ray(turns: str, output: Path, model: str, base_url: str | None, price, max_cost, *how) -> None:
    from thanos.annotate.ray_run import annotate_on_ray
    from thanos.cli.annotate_report import print_ray
    from thanos.distributed import find_shards
    from thanos.longrun import progress_bar

    shards = find_shards(turns)
    with progress_bar("annotate shards", len(shards)) as advance:
        report = annotate_on_ray(turns, output, model, base_url, price, max_cost, *how, advance=advance, shards=shards)
    print_ray(report, output, price)
    if report.failed:
        raise typer.Exit(1)


@app.command()
def export(
    turns: Turns,
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for batch-0001.jsonl, ...")],
    model: Model,
    price: PriceOption = None,
) -> None:
    """Write the requests for TURNS as files for the OpenAI Batch API (50,000 requests or 200 MB a file)."""
    from thanos.annotate.batch_export import export as write
    from thanos.cli.annotate_report import print_export, read_price
    from thanos.longrun import count_lines, progress_bar

    prices = read_price(price)
    with progress_bar("export", count_lines(turns)) as advance:
        report = write(turns, output, model, advance)
    print_export(report, output, prices)
    if report.failed:
        raise typer.Exit(1)


@app.command("import")
def import_(
    turns: Annotated[str, typer.Argument(help="The turns that were exported; or rows with `parsed_generation` alone.")],
    output: Output,
    outputs: Annotated[Optional[list[Path]], typer.Argument(help="Output and error files of the batches.")] = None,
    model: Annotated[
        Optional[str], typer.Option("--model", "-m", help="openai/<model>: the one that was asked.")
    ] = None,
    price: PriceOption = None,
) -> None:
    """Read batch outputs into annotated rows; turns without a good answer are exported again.

    Outputs may be partial and hold failed and expired lines. What is missing goes to <stem>.missing/ beside OUTPUT.
    Rows of the original project, which hold their answer as `parsed_generation`, are read without OUTPUTS.
    """
    from thanos.annotate.batch_import import import_batches
    from thanos.annotate.original import import_original
    from thanos.cli.annotate_report import print_import, print_original, read_price
    from thanos.errors import ThanosError
    from thanos.longrun import count_lines, progress_bar

    prices = read_price(price)
    with progress_bar("import", count_lines(turns)) as advance:
        if not outputs:
            failed = print_original(import_original(turns, output, advance), output)
        elif model is None:
            raise ThanosError(
                "import needs --model openai/<model>: it is recorded, and asked again for what is missing"
            )
        else:
            failed = print_import(import_batches(turns, outputs, output, model, advance), output, prices)
    if failed:
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
