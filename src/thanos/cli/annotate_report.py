"""What the annotate commands print."""

from pathlib import Path

import typer

from thanos.annotate.batch_export import ExportReport
from thanos.annotate.batch_import import ImportReport
from thanos.annotate.cost import Price
from thanos.annotate.original import OriginalReport
from thanos.annotate.run import Estimate, RunResult
from thanos.cli.data_report import FaultLines, print_counts
from thanos.cli.report import parse_price
from thanos.distributed import RayReport
from thanos.engines.protocol import Usage
from thanos.errors import ThanosError


def read_price(text: str | None, max_cost: float | None = None) -> Price | None:
    """The price, if given; a limit can't be kept without one."""
    prices = parse_price(text)
    if max_cost is not None and prices is None:
        raise ThanosError("--max-cost needs --price IN,OUT: US dollars per million tokens in and out")
    return Price(*prices) if prices else None


def print_estimate(estimate: Estimate) -> None:
    """Before the run."""
    cost = f", about ${estimate.price.of(estimate.usage):.2f}" if estimate.price else ""
    limit = f"; at most ${estimate.limit:g} in all" if estimate.limit is not None else ""
    typer.echo(f"thanos: {estimate.turns} turns to annotate, about {_tokens(estimate.usage)}{cost}{limit}", err=True)


def print_run(result: RunResult, output: Path) -> None:
    """After the run."""
    tally, budget = result.tally, result.budget
    faults = FaultLines()
    for line, reason in tally.errors:
        faults.add(f"line {line}: {reason}")
    failed = f", {tally.failed} failed (see {output.with_name(output.stem + '.failed.jsonl')})" if tally.failed else ""
    before = f" ({result.resumed} were there before)" if result.resumed else ""
    cost = f", ${budget.price.of(tally.usage):.4f}" if budget.price else ""
    typer.echo(f"thanos: {tally.annotated} annotated{before}{failed}, {tally.retried} tries again", err=True)
    typer.echo(f"thanos: {_tokens(tally.usage)}{cost}", err=True)
    if result.resumed and budget.price:
        typer.echo(f"thanos: with all earlier runs {_tokens(budget.spent)}, ${budget.cost:.4f}", err=True)
    if tally.out_of_money:
        typer.echo(f"thanos: stopped before ${budget.limit:g}; give more and run again to go on", err=True)
    if result.interrupted:
        typer.echo(f"thanos: stopped; the rows are in {output}, the same command goes on", err=True)


def print_ray(report: RayReport, output: Path, price: Price | None) -> None:
    """After a run over Ray."""
    counts = report.counts
    usage = Usage(counts.get("prompt_tokens", 0), counts.get("completion_tokens", 0))
    there = f" ({report.there} were finished before)" if report.there else ""
    failed = f", {report.failed} failed (see part-*.failed.jsonl)" if report.failed else ""
    cost = f", ${price.of(usage):.4f}" if price else ""
    typer.echo(f"thanos: {report.shards} shards{there} in {output}", err=True)
    typer.echo(f"thanos: {counts.get('annotated', 0)} annotated{failed}; {_tokens(usage)}{cost}", err=True)


def print_export(report: ExportReport, folder: Path, price: Price | None) -> None:
    """After an export."""
    faults = FaultLines()
    for line, reason in report.errors:
        faults.add(f"line {line}: {reason}")
    failed = f", {report.failed} rows can't be asked about" if report.failed else ""
    cost = f", about ${price.of(report.expected):.2f}" if price else ""
    files = f"{len(report.files)} file{'s' * (len(report.files) != 1)}"
    typer.echo(f"thanos: {report.turns} requests in {files} of {folder}{failed}", err=True)
    typer.echo(f"thanos: about {_tokens(report.expected)}{cost}", err=True)


def print_import(report: ImportReport, output: Path, price: Price | None) -> bool:
    """After an import. Returns whether something is missing."""
    print_counts("missing because", report.reasons)
    there = f" ({report.there} were there before)" if report.there else ""
    cost = f", ${price.of(report.usage):.4f}" if price else ""
    typer.echo(f"thanos: {report.written} rows written{there}; {_tokens(report.usage)}{cost}", err=True)
    if report.unreadable or report.foreign:
        typer.echo(
            f"thanos: of the outputs, {report.unreadable} lines are no answers and {report.foreign} answers belong to "
            "other turns",
            err=True,
        )
    if report.again and report.again.files:
        folder = output.with_name(f"{output.stem}.missing")
        typer.echo(f"thanos: the {report.again.turns} that are missing are in {folder}, to be sent again", err=True)
    return bool(report.reasons)


def print_original(report: OriginalReport, output: Path) -> bool:
    """After an import of the original project's rows. Returns whether something is missing."""
    print_counts("missing because", report.reasons)
    print_counts("label read as", report.relabelled)
    print_counts("unknown label", report.unknown)
    there = f" ({report.there} were there before)" if report.there else ""
    several = f"; {report.several} name several skills" if report.several else ""
    typer.echo(f"thanos: {report.written} rows written to {output}{there}{several}", err=True)
    return bool(report.reasons)


def _tokens(usage: Usage) -> str:
    return f"{usage.prompt_tokens:,} tokens in and {usage.completion_tokens:,} out"
