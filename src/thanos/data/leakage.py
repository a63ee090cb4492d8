"""Leakage: an explanation that gives the reply away.

An explanation is thought before the reply exists, so it may speak of everything said so far, but not of what only the
reply says. Two measures of that, both blind to words that the dialogue or the social context already held.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from thanos.data.words import content_words, words


@dataclass(frozen=True)
class Leakage:
    """How much of a reply its explanation gives away."""

    share: float
    """Of the reply's new content words, the part that the explanation has too; 0 if the reply has none."""
    shared: int
    """How many words that is."""
    copied: int
    """Most words in a row that explanation and reply have in common, without a run that was said before."""


def leakage(explanation: str, response: str, known: Iterable[str]) -> Leakage:
    """Compare an explanation with the reply.

    Args:
        known: The texts that were there before the reply: turns, names, social context.
    """
    earlier = [words(text) for text in known]
    before = content_words([word for text in earlier for word in text])
    reply, thought = words(response), words(explanation)
    new = content_words(reply) - before
    shared = new & content_words(thought)
    share = len(shared) / len(new) if new else 0.0
    said = "\n".join(f" {' '.join(text)} " for text in earlier)
    return Leakage(share, len(shared), _longest_new_run(thought, reply, said))


def _longest_new_run(a: list[str], b: list[str], said: str) -> int:
    """Length of the longest run of words that both lists hold and `said` doesn't.

    O(len(a) * len(b)) by the usual table of common suffixes, of which only one row is kept.
    """
    longest, row = 0, [0] * (len(b) + 1)
    for i, word in enumerate(a, start=1):
        before = 0
        for j, other in enumerate(b, start=1):
            before, row[j] = row[j], before + 1 if word == other else 0
            if row[j] > longest and f" {' '.join(a[i - row[j] : i])} " not in said:
                longest = row[j]
    return longest
