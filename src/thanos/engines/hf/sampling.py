"""Pick the next token of every row of a batch: greedy, or sampled with the row's own generator."""

from collections.abc import Sequence

import torch

from thanos.engines.protocol import Request


def pick_tokens(
    logits: torch.Tensor, requests: Sequence[Request], generators: Sequence[torch.Generator]
) -> torch.Tensor:
    """Next tokens [B] from logits [B, vocab].

    A sampled row draws from its own seeded generator, so what it writes depends neither on the rows beside it nor on
    the batch size (up to rounding of the logits).
    """
    tokens = logits.argmax(-1)
    for i, request in enumerate(requests):
        if request.temperature > 0:
            p = (logits[i] / request.temperature).softmax(-1)
            if request.top_p < 1:
                p = _nucleus(p, request.top_p)
            tokens[i] = torch.multinomial(p, 1, generator=generators[i])[0]
    return tokens


def _nucleus(p: torch.Tensor, top_p: float) -> torch.Tensor:
    """Zero all but the most probable tokens that together reach top_p (multinomial normalises)."""
    ordered, order = p.sort(descending=True)
    beyond = ordered.cumsum(-1) - ordered > top_p
    return torch.zeros_like(p).scatter(-1, order, ordered.masked_fill(beyond, 0.0))
