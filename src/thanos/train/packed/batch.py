"""Token sequences -> one packed batch."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import torch


@dataclass(frozen=True)
class Example:
    """One prompt with the text that is to follow it."""

    prompt: list[int]
    """Token ids, chat template included, up to where the assistant begins to write."""
    completion: list[int]
    """Token ids of the assistant's text and its end token: exactly these are trained."""
    weight: float = 1.0
    """How many times its tokens count."""


@dataclass(frozen=True)
class Layout:
    """Where the sequences of a packed batch lie. B sequences, N tokens, C of which are followed by a trained one."""

    starts: torch.Tensor
    """[B + 1], int32: sequence i has the tokens starts[i] to starts[i + 1]."""
    longest: int
    tails: torch.Tensor
    """[B + 1], int32: the same for the positions in `keep` alone. They are the last ones of each sequence."""
    longest_tail: int
    keep: torch.Tensor
    """[C], int64: positions whose next token is trained."""


def pack(examples: Sequence[Example]) -> dict[str, Any]:
    """Lay examples one after the other.

    The last token of an example predicts nothing, so it isn't among the inputs.

    Returns:
        input_ids and position_ids [1, N], labels [C] (the trained tokens in their order), their weights [C], and the
        fields of `Layout`.
    """
    ids, positions, labels, weights, keep, starts, tails = [], [], [], [], [], [0], [0]
    for example in examples:
        inputs = (example.prompt + example.completion)[:-1]
        first = starts[-1] + len(example.prompt) - 1
        ids += inputs
        positions += range(len(inputs))
        labels += example.completion
        weights += [example.weight] * len(example.completion)
        starts.append(starts[-1] + len(inputs))
        tails.append(tails[-1] + len(example.completion))
        keep += range(first, starts[-1])
    return {
        "input_ids": torch.tensor([ids]),
        "position_ids": torch.tensor([positions]),
        "labels": torch.tensor(labels),
        "weights": torch.tensor(weights),
        "starts": torch.tensor(starts, dtype=torch.int32),
        "longest": max(b - a for a, b in pairwise(starts)),
        "tails": torch.tensor(tails, dtype=torch.int32),
        "longest_tail": max(len(example.completion) for example in examples),
        "keep": torch.tensor(keep),
    }
