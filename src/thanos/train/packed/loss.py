"""Cross-entropy of the trained tokens, without ever holding the logits of all of them."""

import torch
from torch import Tensor

from thanos.train.packed.elementwise import fused

ROWS = 1024
"""Logits are made for so many tokens at a time: 260 MB of them with a vocabulary of 128,256 in bfloat16."""


def token_loss(hidden: Tensor, head: Tensor, labels: Tensor, weights: Tensor) -> Tensor:
    """Sum of the cross-entropies of `labels` [C] times `weights` [C], float32.

    Args:
        hidden: [C, width], after the last norm.
        head: [vocabulary, width].
    """
    return _TokenLoss.apply(hidden, head, labels, weights)


class _TokenLoss(torch.autograd.Function):
    """The gradient is made together with the loss, while a chunk's logits are at hand."""

    @staticmethod
    def forward(ctx, hidden, head, labels, weights):
        need_hidden, need_head = hidden.requires_grad, head.requires_grad
        d_hidden = torch.empty_like(hidden) if need_hidden else None
        d_head = torch.zeros_like(head, dtype=torch.float32) if need_head else None
        total = torch.zeros((), device=hidden.device, dtype=torch.float32)
        for at in range(0, len(hidden), ROWS):
            rows = slice(at, at + ROWS)
            losses, d_logits = fused(_loss_and_gradient)(hidden[rows] @ head.T, labels[rows], weights[rows])
            total += losses.sum()
            if need_hidden:
                torch.mm(d_logits, head, out=d_hidden[rows])
            if need_head:
                d_head += d_logits.T @ hidden[rows]
        ctx.save_for_backward(d_hidden, d_head)
        ctx.dtype = head.dtype
        return total

    @staticmethod
    def backward(ctx, grad):
        d_hidden, d_head = ctx.saved_tensors
        scaled = lambda d, dtype: None if d is None else (d * grad).to(dtype)
        return scaled(d_hidden, ctx.dtype), scaled(d_head, ctx.dtype), None, None


def _loss_and_gradient(logits: Tensor, labels: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Weighted cross-entropies [C], float32, and their gradient by the logits [C, vocabulary]."""
    wide = logits.float()
    log_z = torch.logsumexp(wide, dim=-1, keepdim=True)
    column = torch.arange(logits.shape[1], device=logits.device)
    hit = column[None, :] == labels[:, None]
    losses = log_z[:, 0] - torch.where(hit, wide, 0.0).sum(-1)
    gradient = (torch.exp(wide - log_z) - hit.float()) * weights[:, None]
    return losses * weights, gradient.to(logits.dtype)
