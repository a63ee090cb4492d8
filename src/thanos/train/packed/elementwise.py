"""What lies between the matrix products: norms, rotary positions, the gate. On a GPU each is one fused kernel.

Forward and backward are written out, so that each reads its inputs once and keeps only what it needs.
"""

from collections.abc import Callable
from functools import cache
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import silu


def add_norm(x: Tensor, change: Tensor | None, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    """Residual stream [N, width] plus what a block changed, and its RMS norm times `weight` (which isn't trained)."""
    return _AddNorm.apply(x, change, weight, eps)


def rotate(qkv: Tensor, cos: Tensor, sin: Tensor, heads: int, kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    """Joint projection [N, (heads + 2 kv_heads) D] -> q, k with rotary positions and v, [N, heads, D] each.

    Args:
        cos: [N, D].
    """
    return _Rotate.apply(qkv, cos, sin, heads, kv_heads)


def turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions for heads [N, heads, D]."""
    return _Turn.apply(x, cos, sin)


def gate(joint: Tensor) -> Tensor:
    """silu(first half) * second half: [N, 2 inner] -> [N, inner]."""
    return _Gate.apply(joint)


class _AddNorm(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, change, weight, eps):
        total, normed = fused(_add_norm)(x, change, weight, eps)
        ctx.save_for_backward(total, weight)
        ctx.eps, ctx.changed = eps, change is not None
        return total, normed

    @staticmethod
    def backward(ctx, d_total, d_normed):
        total, weight = ctx.saved_tensors
        dx = fused(_add_norm_backward)(d_total, d_normed, total, weight, ctx.eps)
        return dx, dx if ctx.changed else None, None, None


def _add_norm(x: Tensor, change: Tensor | None, weight: Tensor, eps: float) -> tuple[Tensor, Tensor]:
    total = x if change is None else x + change
    wide = total.float()
    normed = wide * torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    return total, weight * normed.to(total.dtype)


def _add_norm_backward(d_total: Tensor, d_normed: Tensor, total: Tensor, weight: Tensor, eps: float) -> Tensor:
    wide = total.float()
    scale = torch.rsqrt(wide.pow(2).mean(-1, keepdim=True) + eps)
    unit = wide * scale
    d = d_normed.float() * weight.float()
    dx = scale * (d - unit * (d * unit).mean(-1, keepdim=True))
    return (d_total.float() + dx).to(total.dtype)


class _Rotate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, qkv, cos, sin, heads, kv_heads):
        ctx.save_for_backward(cos, sin)
        return fused(_rotate)(qkv, cos, sin, heads, kv_heads)

    @staticmethod
    def backward(ctx, dq, dk, dv):
        cos, sin = ctx.saved_tensors
        return fused(_rotate_backward)(dq, dk, dv, cos, sin), None, None, None, None


def _rotate(qkv: Tensor, cos: Tensor, sin: Tensor, heads: int, kv_heads: int) -> tuple[Tensor, Tensor, Tensor]:
    parts = qkv.view(qkv.shape[0], heads + 2 * kv_heads, -1)
    q, k, v = parts.split((heads, kv_heads, kv_heads), dim=1)
    return _turn(q, cos, sin), _turn(k, cos, sin), v.contiguous()


def _rotate_backward(dq: Tensor, dk: Tensor, dv: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    return torch.cat((_turn(dq, cos, -sin), _turn(dk, cos, -sin), dv), dim=1).flatten(1)


class _Turn(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, cos, sin):
        ctx.save_for_backward(cos, sin)
        return fused(_turn)(x, cos, sin)

    @staticmethod
    def backward(ctx, d):
        cos, sin = ctx.saved_tensors
        return fused(_turn)(d, cos, -sin), None, None


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Each half of a head with the other: the transpose of this is the same with -sin, as both halves share angles."""
    first, second = x.chunk(2, dim=-1)
    return x * cos[:, None] + torch.cat((-second, first), dim=-1) * sin[:, None]


class _Gate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, joint):
        ctx.save_for_backward(joint)
        return fused(_gate)(joint)

    @staticmethod
    def backward(ctx, d):
        (joint,) = ctx.saved_tensors
        return fused(_gate_backward)(joint, d)


def _gate(joint: Tensor) -> Tensor:
    opened, up = joint.chunk(2, dim=-1)
    return silu(opened) * up


def _gate_backward(joint: Tensor, d: Tensor) -> Tensor:
    opened, up, d = *(half.float() for half in joint.chunk(2, dim=-1)), d.float()
    s = torch.sigmoid(opened)
    return torch.cat((d * up * s * (1 + opened * (1 - s)), d * opened * s), dim=-1).to(joint.dtype)


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """The function as one kernel on a GPU; as it stands on a CPU, where compiling takes longer than it gains."""
    return _compiled(function) if torch.cuda.is_available() else function


@cache
def _compiled(function: Callable[..., Any]) -> Callable[..., Any]:
    quick = torch.compile(function)

    def run(*args: Any) -> Any:
        # Every batch has another number of rows; everything else stays, and is better known when compiling.
        rows = args[0].shape[0]
        for arg in args:
            if isinstance(arg, Tensor) and arg.shape[0] == rows:
                torch._dynamo.maybe_mark_dynamic(arg, 0)
        return quick(*args)

    return run
