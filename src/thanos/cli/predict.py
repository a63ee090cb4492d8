"""thanos predict: dialogues in, skills-of-mind out."""

import os
import sys
from pathlib import Path
from typing import Annotated, Optional

import typer

from thanos.cli.model_options import Adapter, BaseUrl, BatchSize, Concurrency, Model, PromptName, Retries, Timeout


def predict(
    file: Annotated[str, typer.Argument(help="JSONL, JSON or `Name: words` lines; - for standard input.")],
    output: Annotated[
        Optional[Path], typer.Option("--output", "-o", help="Append JSONL rows here; run again to go on after a stop.")
    ] = None,
    model: Model = "embedded",
    prompt: PromptName = None,
    mode: Annotated[str, typer.Option(help="explain: think, then choose. direct: choose at once.")] = "explain",
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
    from thanos.cli.report import parse_price, print_summary
    from thanos.dialogue import read_rows
    from thanos.predict import Thanos

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
        tally, interrupted = _to_file(thanos, file, rows, output)
    else:
        tally, interrupted = _to_screen(thanos, rows)
    print_summary(tally, prices, output)
    if interrupted:
        sys.stdout.flush()
        os._exit(130)  # threads that still wait for a stalled server mustn't hold the exit up
    thanos.close()
    if tally.failed:
        raise typer.Exit(1)


def _to_file(thanos, file: str, rows, output: Path):
    from thanos.longrun import Journal, count_lines, graceful_stop, progress_bar
    from thanos.predict.run import Tally, predict_file, run_settings

    tally = Tally()
    with Journal(output, run_settings(thanos)) as journal, graceful_stop() as stop:
        with progress_bar("predict", count_lines(file), journal.resumed) as advance:
            try:
                predict_file(thanos, rows, journal, stop, advance, tally)
            except KeyboardInterrupt:
                stop.asked = True
        if journal.resumed:
            typer.echo(f"thanos: {journal.resumed} rows were already in {output}", err=True)
        if stop.asked:
            typer.echo(f"thanos: stopped; {journal.finished} rows are in {output}, the same command goes on", err=True)
    return tally, stop.asked


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


def _to_screen(thanos, rows):
    from thanos.cli.table import PredictionTable
    from thanos.predict.run import Tally, predict_rows

    tally, table = Tally(), PredictionTable()

    def on_result(line, prediction) -> None:
        table.add(line, prediction)
        tally.count(prediction)

    interrupted = False
    try:
        predict_rows(thanos, rows, on_result, lambda row, error: tally.fail(row.line, error), ordered=True)
    except KeyboardInterrupt:
        interrupted = True
    return tally, interrupted
