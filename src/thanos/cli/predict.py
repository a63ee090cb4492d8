"""thanos predict: dialogues in, skills-of-mind out."""

from pathlib import Path
from typing import Annotated, Optional

import typer

from thanos.cli.model_options import Adapter, BaseUrl, BatchSize, Concurrency, Mode, Model, PromptName, Retries, Timeout


def predict(
    file: Annotated[str, typer.Argument(help="JSONL, JSON or `Name: words` lines; - for standard input.")],
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="Append JSONL rows here; run again to go on after a stop.")
    ] = None,
    model: Model = "embedded",
    prompt: PromptName = None,
    mode: Mode = "explain",
    samples: Annotated[int, typer.Option(min=1, help="Average over N sampled explanations; 1 is greedy.")] = 1,
    context: Annotated[Optional[str], typer.Option(help="Social context of rows that have none.")] = None,
    max_tokens: Annotated[Optional[int], typer.Option(min=1, help="Most tokens of an explanation.")] = None,
    seed: Annotated[int, typer.Option(help="Seeds the samples.")] = 0,
    adapter: Adapter = None,
    batch_size: BatchSize = None,
    base_url: BaseUrl = None,
    concurrency: Concurrency = None,
    timeout: Timeout = None,
    retries: Retries = None,
    price: Annotated[
        Optional[str],
        typer.Option(metavar="IN,OUT", help="US dollars per million tokens in and out, to report the cost."),
    ] = None,
    ray: Annotated[bool, typer.Option("--ray", help="Over a Ray cluster ($RAY_ADDRESS, else this machine).")] = False,
) -> None:
    """Predict the next speaker's explanation and skill for every dialogue of FILE.

    Without -o: a table on a terminal, JSONL rows in a pipe. With --ray, FILE may also be a folder of JSONL or Parquet
    shards, and OUTPUT is a folder that gets part-*.jsonl or part-*.parquet.
    """
    from thanos.cli.long_run import end_run, to_file, to_screen
    from thanos.cli.report import parse_price
    from thanos.cli.table import PredictionTable
    from thanos.dialogue import read_rows
    from thanos.predict import Thanos
    from thanos.predict.row import output_row
    from thanos.predict.run import run_settings

    prices = parse_price(price)
    options = {
        "model": model,
        "prompt": prompt,
        "mode": mode,
        "samples": samples,
        "max_tokens": max_tokens,
        "seed": seed,
        "adapter": adapter,
        "batch_size": batch_size,
        "base_url": base_url,
        "concurrency": concurrency,
        "timeout": timeout,
        "retries": retries,
    }
    if ray:
        _on_ray(file, output, options, context)
        return
    thanos = Thanos(**options)
    rows = read_rows(file, context)
    if output:
        ended = to_file("predict", thanos.stream, output_row, run_settings(thanos), file, rows, output)
    else:
        ended = to_screen(thanos.stream, rows, PredictionTable().add)
    end_run(*ended, output, thanos.close, price=prices)


def _on_ray(file: str, output: Path | None, options: dict, context: str | None) -> None:
    from thanos.distributed import find_shards
    from thanos.errors import ThanosError
    from thanos.longrun import progress_bar
    from thanos.predict.ray_run import predict_on_ray

    if output is None or context is not None:
        raise ThanosError("--ray needs a folder for -o, and each row brings its own social context")
    shards = find_shards(file)
    with progress_bar("predict shards", len(shards)) as advance:
        report = predict_on_ray(file, output, options, advance, shards)
    failed = f", {report.failed} rows failed (see part-*.failed.jsonl)" if report.failed else ""
    there = f" ({report.there} were finished before)" if report.there else ""
    typer.echo(
        f"thanos: {report.shards} shards{there}, {report.counts.get('predicted', 0)} predicted{failed}", err=True
    )
    if report.failed:
        raise typer.Exit(1)
