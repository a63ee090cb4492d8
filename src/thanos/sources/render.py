"""Small pieces that social contexts are made of."""

import re
from collections.abc import Iterable

_ENDED = re.compile(r"[.!?…][\"'”’]?$")


def bullets(title: str, items: Iterable[str]) -> str:
    """A title and one `- item` a line; "" if there are no items."""
    lines = [f"- {item}" for item in items if item]
    return "\n".join([title, *lines]) if lines else ""


def lines(*parts: str) -> str:
    """The parts that aren't empty, one below the other."""
    return "\n".join(part for part in parts if part)


def sentences(*parts: str) -> str:
    """The parts that aren't empty, one after the other, each with a full stop unless it ends in a mark of its own."""
    return " ".join(part if _ENDED.search(part) else f"{part}." for part in parts if part)


def article(noun: str) -> str:
    """`a lawyer`, `an 18-year-old`."""
    vowel = noun[:1].lower() in "aeiou" or noun.startswith(("8", "11", "18"))
    return f"{'an' if vowel else 'a'} {noun}"
