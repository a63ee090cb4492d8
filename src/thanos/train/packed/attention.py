"""Causal attention of each packed sequence to itself."""

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from thanos.train.packed.batch import Layout


def attend(q: Tensor, k: Tensor, v: Tensor, layout: Layout, scale: float, tails: bool = False) -> Tensor:
    """Attention of queries [N or C, H, D] to keys and values [N, Hkv, D], each sequence for itself.

    Args:
        tails: Queries are given for `layout.keep` alone.

    Returns:
        [N or C, H, D].
    """
    starts, longest = (layout.tails, layout.longest_tail) if tails else (layout.starts, layout.longest)
    # PyTorch's FlashAttention has no float32.
    if q.is_cuda and q.dtype in (torch.bfloat16, torch.float16):
        return _Flash.apply(q, k, v, starts, layout.starts, longest, layout.longest, scale)
    return _one_by_one(q, k, v, starts.tolist(), layout.starts.tolist(), scale)


class _Flash(torch.autograd.Function):
    """PyTorch's FlashAttention for sequences of different lengths; with fewer queries than keys, the queries are last.

    `torch.nn.attention.varlen.varlen_attn` runs the same kernels, but its arguments change from release to release.
    """

    @staticmethod
    def forward(ctx, q, k, v, starts_q, starts_k, longest_q, longest_k, scale):
        out, lse, rng, unused, _ = torch.ops.aten._flash_attention_forward(
            q, k, v, starts_q, starts_k, longest_q, longest_k, 0.0, True, False, scale=scale
        )
        ctx.save_for_backward(q, k, v, out, lse, rng, unused, starts_q, starts_k)
        ctx.sizes = longest_q, longest_k, scale
        return out

    @staticmethod
    def backward(ctx, grad):
        q, k, v, out, lse, rng, unused, starts_q, starts_k = ctx.saved_tensors
        longest_q, longest_k, scale = ctx.sizes
        dq, dk, dv = torch.ops.aten._flash_attention_backward(
            grad.contiguous(), q, k, v, out, lse, starts_q, starts_k, longest_q, longest_k, 0.0, True, rng, unused,
            scale=scale,
        )  # fmt: skip
        return dq, dk, dv, None, None, None, None, None


def _one_by_one(q: Tensor, k: Tensor, v: Tensor, starts_q: list[int], starts_k: list[int], scale: float) -> Tensor:
    outs = []
    for i in range(len(starts_k) - 1):
        own, seen = slice(starts_q[i], starts_q[i + 1]), slice(starts_k[i], starts_k[i + 1])
        heads = [x[None].transpose(1, 2) for x in (q[own], k[seen], v[seen])]
        queries, keys = heads[0].shape[2], heads[1].shape[2]
        ahead = keys - queries
        mask = q.new_ones(queries, keys, dtype=torch.bool).tril(ahead) if ahead else None
        out = scaled_dot_product_attention(*heads, attn_mask=mask, is_causal=not ahead, scale=scale, enable_gqa=True)
        outs.append(out[0].transpose(0, 1))
    return torch.cat(outs)
