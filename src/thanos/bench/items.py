"""What a task asks about: dialogues so far, each with the label that a person gave."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import Any

from thanos.dialogue import Dialogue


@dataclass(frozen=True)
class Item:
    """One question."""

    id: str
    source: str
    cluster: str
    """Its dialogue: `<source>:<dialogue id>`."""
    dialogue: Dialogue
    """The turns so far and what is known of the speakers."""
    target: str | list[str]
    """The right label; a list if any of several is right."""
    extra: dict[str, Any] = field(default_factory=dict)
    """What else scoring needs; kept with the sample, never shown to the model."""


@dataclass
class Items:
    """The usable items of a task, and why others were left out."""

    kept: list[Item] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)
    """Reason -> items."""


def choose(items: Iterable[Item], seen: frozenset[str], left_out: Counter[str]) -> Items:
    """Leave out dialogues that training has seen, and ids met before."""
    chosen = Items(left_out=Counter(left_out))
    met: set[str] = set()
    for item in items:
        if item.cluster in seen:
            chosen.left_out["its dialogue is in the training rows"] += 1
        elif item.id in met:
            chosen.left_out["the same id twice"] += 1
        else:
            met.add(item.id)
            chosen.kept.append(item)
    return chosen


def draw(items: list[Item], limit: int | None, seed: int) -> list[Item]:
    """`limit` items by a hash of seed and id: a larger limit draws the same ones and more. Their order stays."""
    if limit is None or limit >= len(items):
        return items
    hashed = sorted((blake2b(f"{seed}:{item.id}".encode(), digest_size=8).digest(), item.id) for item in items)
    drawn = {id for _, id in hashed[:limit]}
    return [item for item in items if item.id in drawn]
