"""Linear layers that read the same input, frozen, each with its own low-rank addition: y_i = x W_i' + s (x A_i') B_i'.

PEFT makes the layers and keeps their weights; this computes what they compute in fewer and larger products, without
casts of activations and without gradients of W.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn


@dataclass(frozen=True)
class _Part:
    """One layer's share of a group."""

    columns: slice
    """Of the joint output."""
    ranks: slice
    """Of the joint inner product."""
    scale: float


class LoraGroup:
    """PEFT's LoRA layers over one input, as one product."""

    def __init__(self, layers: Sequence[nn.Module], adapter: str):
        """Join the frozen weights; each layer's own becomes a view of the joint one, so that nothing is held twice."""
        self.joint = torch.cat([layer.base_layer.weight.detach() for layer in layers])
        self.parameters = [p for layer in layers for p in (layer.lora_A[adapter].weight, layer.lora_B[adapter].weight)]
        self.parts: list[_Part] = []
        row = rank = 0
        for layer in layers:
            weight, a = layer.base_layer.weight, layer.lora_A[adapter].weight
            part = _Part(slice(row, row + len(weight)), slice(rank, rank + len(a)), float(layer.scaling[adapter]))
            weight.data = self.joint[part.columns]
            self.parts.append(part)
            row, rank = part.columns.stop, part.ranks.stop
        self._new_copies(rank)

    def take(self, start: int, stop: int) -> "LoraGroup":
        """Layers start to stop of this group as a group of their own, on the same weights."""
        some = object.__new__(LoraGroup)
        parts, first = self.parts[start:stop], self.parts[start]
        some.joint = self.joint[first.columns.start : parts[-1].columns.stop]
        some.parameters = self.parameters[2 * start : 2 * stop]
        shift = lambda s, by: slice(s.start - by, s.stop - by)
        some.parts = [
            _Part(shift(p.columns, first.columns.start), shift(p.ranks, first.ranks.start), p.scale) for p in parts
        ]
        some._new_copies(some.parts[-1].ranks.stop)
        return some

    def __call__(self, x: Tensor) -> Tensor:
        """[N, in] -> [N, sum of the layers' out]. The copies must be fresh: see `refresh`."""
        return _LoraLinear.apply(x, self, *self.parameters)

    def _new_copies(self, ranks: int) -> None:
        like = self.joint
        self.a = like.new_empty(ranks, like.shape[1])
        """All A's, [sum of ranks, in], in the type of the products."""
        self.b = [like.new_empty(b.shape) for b in self.parameters[1::2]]

    @property
    def copies(self) -> list[Tensor]:
        """Places for the parameters in the type of the products, in the order of `parameters`."""
        pairs = zip(self.parts, self.b, strict=True)
        return [tensor for part, b in pairs for tensor in (self.a[part.ranks], b)]


@torch.no_grad()
def refresh(groups: Sequence[LoraGroup]) -> None:
    """Bring the groups' copies up to date with their parameters, which are float32 and which the optimizer moves."""
    copies = [tensor for group in groups for tensor in group.copies]
    parameters = [parameter for group in groups for parameter in group.parameters]
    torch._foreach_copy_(copies, parameters)


class _LoraLinear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, group: LoraGroup, *parameters: Tensor) -> Tensor:
        inner = x @ group.a.T
        y = x @ group.joint.T
        for part, b in zip(group.parts, group.b, strict=True):
            y[:, part.columns].addmm_(inner[:, part.ranks], b.T, alpha=part.scale)
        ctx.save_for_backward(x, inner)
        ctx.group = group
        return y

    @staticmethod
    def backward(ctx: Any, dy: Tensor) -> tuple[Tensor | None, ...]:
        x, inner = ctx.saved_tensors
        group = ctx.group
        d_inner = torch.empty_like(inner)
        grads: list[Tensor] = []
        for part, b in zip(group.parts, group.b, strict=True):
            own = dy[:, part.columns]
            d_inner[:, part.ranks].addmm_(own, b, beta=0, alpha=part.scale)
            db = wide_product(own.T, inner[:, part.ranks])
            grads += [None, db if part.scale == 1 else db.mul_(part.scale)]
        da = wide_product(d_inner.T, x)
        grads[::2] = [da[part.ranks] for part in group.parts]
        dx = None
        if ctx.needs_input_grad[0]:
            dx = dy @ group.joint
            dx.addmm_(d_inner, group.a)
        return dx, None, *grads


def wide_product(a: Tensor, b: Tensor) -> Tensor:
    """a @ b in float32, without rounding the result to the inputs' type first where the device can do so."""
    if a.is_cuda and a.dtype != torch.float32:
        return torch.mm(a, b, out_dtype=torch.float32)
    return (a @ b).float()
