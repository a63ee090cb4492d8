"""Replies of several systems to the same dialogues -> blinded pairs in a shuffled order."""

import random
from collections import Counter
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from thanos.errors import ThanosError
from thanos.study.folder import Item

REFERENCE = "reference"
"""The system that stands for what was really said."""


@dataclass
class Moment:
    """A dialogue up to a turn, and what each system says next."""

    id: str
    social_context: str
    dialogue: list[dict[str, str]]
    speaker: str
    replies: dict[str, str] = field(default_factory=dict)
    """System -> reply; the systems that failed here are missing."""


@dataclass(frozen=True)
class Draw:
    """Pairs, and what is known of them behind the blind."""

    items: list[Item]
    pairs: dict[str, dict[str, str]]
    """Item -> `{"row", "left", "right"}`: the row's id and the system on each side."""
    left_out: Counter[str]
    """Why moments gave no pair -> how often."""


def read_comparisons(asked: list[str], systems: list[str]) -> list[tuple[str, str]]:
    """`A,B` -> (A, B). Without any, every pair of systems, what was really said left out.

    Raises:
        ThanosError: for something else than two known names.
    """
    found = []
    for text in asked:
        names = [name.strip() for name in text.split(",")]
        if len(names) != 2 or names[0] == names[1] or not set(names) <= set(systems):
            raise ThanosError(f"--compare {text!r}: write A,B with two of: {', '.join(systems)}")
        found.append((names[0], names[1]))
    return found or list(combinations([name for name in systems if name != REFERENCE], 2))


def draw_pairs(moments: list[Moment], comparisons: list[tuple[str, str]], number: int, seed: int) -> Draw:
    """Draw `number` moments for each comparison.

    Which moments are drawn, who stands on which side (as often left as right) and the order of the items depend on the
    seed alone. Every comparison gets the same moments as far as they give a pair; a moment where the two replies are
    the same word for word gives none, because there is nothing to choose between.

    Raises:
        ThanosError: if nothing can be paired.
    """
    rng = random.Random(seed)
    order = sorted(moments, key=lambda moment: moment.id)
    rng.shuffle(order)
    drawn: list[tuple[Moment, str, str]] = []
    left_out: Counter[str] = Counter()
    for pair in comparisons:
        fitting = []
        for moment in order:
            if len(fitting) == number:
                break
            if reason := _unfit(moment, pair):
                left_out[f"{pair[0]}, {pair[1]}: {reason}"] += 1
            else:
                fitting.append(moment)
        swap = [i % 2 == 1 for i in range(len(fitting))]
        rng.shuffle(swap)
        for moment, swapped in zip(fitting, swap, strict=True):
            drawn.append((moment, *(pair[::-1] if swapped else pair)))
    if not drawn:
        reasons = "; ".join(f"{reason} ({n})" for reason, n in left_out.most_common(3))
        raise ThanosError(f"no pair can be made: {reasons or 'there are no replies'}")
    rng.shuffle(drawn)
    items, pairs = [], {}
    digits = len(str(len(drawn)))
    for number, (moment, left, right) in enumerate(drawn, start=1):
        id = f"{number:0{digits}}"
        items.append(
            Item(
                id=id,
                social_context=moment.social_context,
                dialogue=moment.dialogue,
                speaker=moment.speaker,
                left=moment.replies[left],
                right=moment.replies[right],
            )
        )
        pairs[id] = {"row": moment.id, "left": left, "right": right}
    return Draw(items, pairs, left_out)


def key_of(draw: Draw, seed: int, runs: dict[str, Any]) -> dict[str, Any]:
    """What `write_study` keeps in key.json.

    Args:
        runs: System -> what is known of the run that it comes from.
    """
    return {"seed": seed, "systems": runs, "left_out": dict(draw.left_out), "pairs": draw.pairs}


def _unfit(moment: Moment, pair: tuple[str, str]) -> str:
    a, b = (moment.replies.get(system, "").split() for system in pair)
    if not a or not b:
        return "no reply of one of them"
    return "the same words" if a == b else ""
