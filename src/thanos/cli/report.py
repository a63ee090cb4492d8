"""The last lines of a run, on standard error."""

from pathlib import Path

import typer

from thanos.errors import ThanosError
from thanos.predict.run import Tally

SHOWN_ERRORS = 5


def parse_price(text: str | None) -> tuple[float, float] | None:
    """ "0.15,0.60" -> dollars per million tokens in and out."""
    if text is None:
        return None
    try:
        given, made = (float(part) for part in text.split(","))
    except ValueError:
        raise ThanosError(f"--price {text!r}: expected two numbers, e.g. 0.15,0.60") from None
    return given, made


def print_summary(
    tally: Tally, output: Path | None, done: str = "predicted", price: tuple[float, float] | None = None
) -> None:
    """Failures with their reasons, then what was done; a plain success without -o says nothing."""
    for line, error in tally.errors[:SHOWN_ERRORS]:
        typer.echo(f"thanos: line {line}: {error}", err=True)
    if tally.failed > SHOWN_ERRORS:
        typer.echo(f"thanos: and {tally.failed - SHOWN_ERRORS} more", err=True)
    parts = [f"{tally.done} {done}"]
    if tally.invalid:
        parts.append(f"{tally.invalid} without a valid skill")
    if tally.failed:
        where = f" (see {output.with_name(output.stem + '.failed.jsonl')})" if output else ""
        parts.append(f"{tally.failed} failed{where}")
    if price:
        usage = tally.usage
        cost = (usage.prompt_tokens * price[0] + usage.completion_tokens * price[1]) / 1e6
        parts.append(f"{usage.prompt_tokens} tokens in, {usage.completion_tokens} out, ${cost:.4f}")
    elif output:
        parts.append(f"{tally.usage.prompt_tokens} tokens in, {tally.usage.completion_tokens} out")
    if output or tally.failed or tally.invalid or price:
        typer.echo(f"thanos: {', '.join(parts)}", err=True)
