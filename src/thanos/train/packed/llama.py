"""The forward pass of a Llama with LoRA on packed rows, up to the loss of the trained tokens.

Exactly what transformers and PEFT compute (a test compares them), less what isn't needed: the last layer's queries and
everything after its keys and values are computed only where a trained token follows.
"""

from dataclasses import dataclass
from typing import Any

import torch
import torch.utils.checkpoint
from torch import Tensor, nn

from thanos.train.packed.attention import attend
from thanos.train.packed.batch import Layout
from thanos.train.packed.elementwise import add_norm, gate, rotate, turn
from thanos.train.packed.lora_linear import LoraGroup, refresh
from thanos.train.packed.loss import token_loss

ATTENTION = ("q_proj", "k_proj", "v_proj", "o_proj")
MLP = ("gate_proj", "up_proj", "down_proj")


def fits(model: Any, adapter: str = "default") -> bool:
    """True for LlamaForCausalLM whose seven kinds of linear layers all have a plain LoRA, without dropout or bias."""
    if type(model).__name__ != "LlamaForCausalLM" or model.config.hidden_act != "silu":
        return False
    layers = [getattr(layer.self_attn, name) for layer in model.model.layers for name in ATTENTION]
    layers += [getattr(layer.mlp, name) for layer in model.model.layers for name in MLP]
    return all(_plain_lora(layer, adapter) for layer in layers)


def _plain_lora(layer: Any, adapter: str) -> bool:
    return (
        type(layer).__name__ == "Linear"
        and type(layer).__module__.startswith("peft.")
        and type(layer.base_layer) is nn.Linear
        and layer.base_layer.bias is None
        and list(layer.lora_A) == [adapter]
        and not layer.use_dora[adapter]
        and isinstance(layer.lora_dropout[adapter], nn.Identity)
    )


@dataclass(frozen=True)
class _Block:
    qkv: LoraGroup
    o: LoraGroup
    gate_up: LoraGroup
    down: LoraGroup
    norms: tuple[Tensor, Tensor]


class PackedLlama:
    """Runs a model's own weights; the model stays as usable as before."""

    def __init__(self, model: Any, adapter: str = "default", checkpointing: bool = False):
        """Join the weights of layers that read the same input.

        Args:
            model: A model that `fits`.
            checkpointing: Compute each layer's activations again in the backward pass instead of keeping them.
        """
        self._model, self._checkpointing = model, checkpointing
        config = model.config
        self._heads, self._kv_heads, self._eps = (
            config.num_attention_heads,
            config.num_key_value_heads,
            config.rms_norm_eps,
        )
        self._blocks = [_block(layer, adapter) for layer in model.model.layers]
        last = self._blocks[-1]
        self._last_q, self._last_kv = last.qkv.take(0, 1), last.qkv.take(1, 3)
        groups = [group for b in self._blocks for group in (b.qkv, b.o, b.gate_up, b.down)]
        groups.remove(last.qkv)
        self._groups = [*groups, self._last_q, self._last_kv]

    def loss(self, input_ids: Tensor, position_ids: Tensor, labels: Tensor, weights: Tensor, layout: Layout) -> Tensor:
        """Weighted sum of the cross-entropies of a packed batch's trained tokens; see `pack` for the arguments."""
        return token_loss(self.hidden(input_ids, position_ids, layout), self._model.lm_head.weight, labels, weights)

    def hidden(self, input_ids: Tensor, position_ids: Tensor, layout: Layout) -> Tensor:
        """Hidden states [C, width] after the last norm, at the positions that `layout` keeps."""
        refresh(self._groups)
        body = self._model.model
        x = body.embed_tokens(input_ids)[0]
        cos, sin = (angle[0] for angle in body.rotary_emb(x, position_ids))
        change = None
        for block in self._blocks[:-1]:
            args = (block, x, change, cos, sin, layout)
            if self._checkpointing and torch.is_grad_enabled():
                x, change = torch.utils.checkpoint.checkpoint(self._layer, *args, use_reentrant=False)
            else:
                x, change = self._layer(*args)
        x, change = self._last_layer(x, change, cos, sin, layout)
        return add_norm(x, change, body.norm.weight, self._eps)[1]

    def _layer(
        self, block: _Block, x: Tensor, change: Tensor | None, cos: Tensor, sin: Tensor, layout: Layout
    ) -> tuple[Tensor, Tensor]:
        """Residual stream and what the block before adds to it -> the same after this block."""
        x, normed = add_norm(x, change, block.norms[0], self._eps)
        q, k, v = rotate(block.qkv(normed), cos, sin, self._heads, self._kv_heads)
        return self._after_attention(block, x, attend(q, k, v, layout, q.shape[-1] ** -0.5))

    def _last_layer(
        self, x: Tensor, change: Tensor | None, cos: Tensor, sin: Tensor, layout: Layout
    ) -> tuple[Tensor, Tensor]:
        block, keep = self._blocks[-1], layout.keep
        x, normed = add_norm(x, change, block.norms[0], self._eps)
        kv = self._last_kv(normed).unflatten(-1, (2 * self._kv_heads, -1))
        k, v = turn(kv[:, : self._kv_heads], cos, sin), kv[:, self._kv_heads :]
        q = turn(self._last_q(normed[keep]).unflatten(-1, (self._heads, -1)), cos[keep], sin[keep])
        return self._after_attention(block, x[keep], attend(q, k, v, layout, q.shape[-1] ** -0.5, tails=True))

    def _after_attention(self, block: _Block, x: Tensor, attended: Tensor) -> tuple[Tensor, Tensor]:
        x, normed = add_norm(x, block.o(attended.flatten(1)), block.norms[1], self._eps)
        return x, block.down(gate(block.gate_up(normed)))


def _block(layer: Any, adapter: str) -> _Block:
    own, mlp = layer.self_attn, layer.mlp
    return _Block(
        LoraGroup([own.q_proj, own.k_proj, own.v_proj], adapter),
        LoraGroup([own.o_proj], adapter),
        LoraGroup([mlp.gate_proj, mlp.up_proj], adapter),
        LoraGroup([mlp.down_proj], adapter),
        (layer.input_layernorm.weight, layer.post_attention_layernorm.weight),
    )
