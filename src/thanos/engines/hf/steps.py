"""Running a padded batch through a model piece by piece: prompt, then token by token, then the choices.

Two ways behind the same two methods. `EagerSteps` works for every causal model. `GraphSteps` (on a GPU, for models
whose layers all attend to everything) holds keys and values in buffers of a fixed size and replays one-token steps as a
CUDA graph: launching a step's kernels one by one takes several times as long as running them.
"""

import inspect
from typing import Any, Protocol

import torch
from torch.nn.attention.bias import causal_lower_right
from transformers import AttentionInterface, AttentionMaskInterface, DynamicCache, StaticCache
from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward
from transformers.masking_utils import sdpa_mask

BUCKET = 128
"""Buffers hold a multiple of this many tokens, so that a graph serves batches of about the same length."""
GROUPED = "thanos_grouped_sdpa"


class Steps(Protocol):
    """A batch on its way through the model."""

    def run(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """Append tokens [B, T] and return the logits [B, vocab], float32, after the last of them.

        Args:
            mask: [B, tokens so far + T], 1 where a token counts; a hidden token also takes no position.
        """
        ...

    def rewind(self, n: int) -> None:
        """Forget the last n tokens."""
        ...


def cache_argument(model: Any) -> str:
    """The name of the argument that takes the cache: newer releases warn of the older name."""
    return "cache" if "cache" in inspect.signature(model.forward).parameters else "past_key_values"


def positions_of(mask: torch.Tensor, n: int) -> torch.Tensor:
    """Position [B, n] of each of the last n tokens: hidden ones before it don't count."""
    return (mask.long().cumsum(-1) - 1).clamp(min=0)[:, -n:]


def prefill(model: Any, cache: Any, ids: torch.Tensor, mask: torch.Tensor, plain: bool) -> None:
    """Run prompts [B, T], padded on the right, after what the cache holds.

    Args:
        mask: [B, cached + T], 1 where a token counts.
        plain: Use causal attention without a mask; what pads see is never looked at. Needs `use_grouped_attention`.
    """
    extra = {"attention_mask": mask}
    if plain:
        # A mask of four dimensions is passed on as it is; this one only keeps a real one from being made.
        extra = {"attention_mask": torch.zeros(1, 1, 1, 1, device=ids.device), "thanos_plain": True}
    positions = positions_of(mask, ids.shape[1])
    model(
        input_ids=ids,
        position_ids=positions,
        use_cache=True,
        logits_to_keep=1,
        **extra,
        **{cache_argument(model): cache},
    )


class EagerSteps:
    """Steps with a cache that grows."""

    def __init__(self, model: Any, cache: Any):
        """Start from a cache, empty or with the batch's common head."""
        self._model, self._name, self.cache = model, cache_argument(model), cache

    def run(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See `Steps.run`."""
        out = self._model(
            input_ids=tokens,
            attention_mask=mask.long(),
            position_ids=positions_of(mask, tokens.shape[1]),
            use_cache=True,
            logits_to_keep=1,
            **{self._name: self.cache},
        )
        return out.logits[:, -1].float()

    def rewind(self, n: int) -> None:
        """See `Steps.rewind`."""
        if n:
            self.cache.crop(-n)


class GraphSteps:
    """Steps in buffers of a fixed size. One object serves many batches of the same shape, one after the other."""

    def __init__(self, model: Any, rows: int, room: int):
        """Make room for `rows` sequences of `room` tokens."""
        self._model, self._name = model, cache_argument(model)
        self.rows, self.room = rows, room
        self._cache = StaticCache(config=model.config, max_cache_len=room)
        self._graph: torch.cuda.CUDAGraph | None = None
        device = model.device
        self._tokens = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self._positions = torch.zeros(rows, 1, dtype=torch.long, device=device)
        self._visible = torch.zeros(rows, 1, 1, room, dtype=torch.bool, device=device)

    @staticmethod
    def fits(model: Any) -> bool:
        """True if the model can be run so: on a GPU, every layer attending to all that came before."""
        if model.device.type != "cuda":
            return False
        return all(type(layer).__name__ == "DynamicLayer" for layer in DynamicCache(config=model.config).layers)

    def begin(self, cache: Any) -> None:
        """Take over the keys and values of a prompt from a growing cache."""
        for layer in self._cache.layers:
            layer.cumulative_length.zero_()
        for i, layer in enumerate(cache.layers):
            self._cache.update(layer.keys, layer.values, i)
            layer.keys = layer.values = None  # one layer at a time, so that both caches are never held whole

    def run(self, tokens: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
        """See `Steps.run`."""
        n = mask.shape[1]
        if tokens.shape[1] > 1:
            return self._forward(tokens, positions_of(mask, tokens.shape[1]), self._visible_to(mask, tokens.shape[1]))
        # In place and few: on a GPU each of these small kernels costs more to launch than to run.
        self._tokens.copy_(tokens)
        self._positions.copy_(mask.sum(1, keepdim=True).sub_(1).clamp_(min=0))
        self._visible[:, 0, 0, :n] = mask.bool()
        self._visible[:, 0, 0, n - 1] = True  # a hidden token sees itself: attention to nothing is not a number
        self._visible[:, 0, 0, n:] = False
        if not tokens.is_cuda:
            return self._forward(self._tokens, self._positions, self._visible)
        if self._graph is None:
            self._capture()
        self._graph.replay()
        return self._logits

    def rewind(self, n: int) -> None:
        """See `Steps.rewind`."""
        for layer in self._cache.layers:
            layer.cumulative_length.sub_(n)

    def _visible_to(self, mask: torch.Tensor, new: int) -> torch.Tensor:
        """What each new token attends to, [B, 1, new, room]: what counts, up to itself, and always itself."""
        before = mask.shape[1] - new
        padded = torch.nn.functional.pad(mask.bool(), (0, self.room - mask.shape[1]))
        place = torch.arange(self.room, device=mask.device)
        own = before + torch.arange(new, device=mask.device)
        visible = padded[:, None, :] & (place[None, :] <= own[:, None])
        return (visible | (place[None, :] == own[:, None]))[:, None]

    def _forward(self, tokens: torch.Tensor, positions: torch.Tensor, visible: torch.Tensor) -> torch.Tensor:
        out = self._model(
            input_ids=tokens,
            attention_mask=visible,
            position_ids=positions,
            use_cache=True,
            logits_to_keep=1,
            **{self._name: self._cache},
        )
        return out.logits[:, -1].float()

    def _capture(self) -> None:
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            for _ in range(2):  # kernels are chosen and workspaces allocated outside of the graph
                self._forward(self._tokens, self._positions, self._visible)
                self.rewind(1)
        torch.cuda.current_stream().wait_stream(stream)
        self._graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(self._graph):
            self._logits = self._forward(self._tokens, self._positions, self._visible)


def _grouped_attention(module, query, key, value, attention_mask, **kwargs):
    """Attention for `prefill(plain=True)` and for steps of one token; everything else is left to transformers.

    One token: its heads that share keys become rows of one query, so that keys needn't be copied for each head.
    """
    groups = query.shape[1] // key.shape[1]
    if kwargs.pop("thanos_plain", False):
        key, value = repeat_kv(key, groups), repeat_kv(value, groups)
        causal = causal_lower_right(query.shape[2], key.shape[2])
        out = torch.nn.functional.scaled_dot_product_attention(query, key, value, causal, scale=kwargs.get("scaling"))
        return out.transpose(1, 2).contiguous(), None
    if query.shape[2] != 1 or groups == 1:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    rows, heads, _, width = query.shape
    packed = query.view(rows, heads // groups, groups, width)
    out = torch.nn.functional.scaled_dot_product_attention(
        packed, key, value, attn_mask=attention_mask, scale=kwargs.get("scaling")
    )
    return out.reshape(rows, 1, heads, width), None


def use_grouped_attention(model: Any) -> None:
    """Let a model run one-token steps on its key heads as they are."""
    AttentionInterface.register(GROUPED, _grouped_attention)
    AttentionMaskInterface.register(GROUPED, sdpa_mask)
    model.set_attn_implementation(GROUPED)
