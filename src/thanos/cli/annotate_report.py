"""What the annotate commands print."""

from pathlib import Path

import typer

from thanos.annotate.cost import Price
from thanos.annotate.run import Estimate, RunResult
from thanos.cli.data_report import FaultLines
from thanos.cli.report import parse_price
from thanos.engines.protocol import Usage
from thanos.errors import ThanosError


def read_price(text: str | None, max_cost: float | None) -> Price | None:
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


def _tokens(usage: Usage) -> str:
    return f"{usage.prompt_tokens:,} tokens in and {usage.completion_tokens:,} out"
