"""Llama models in Hugging Face's and in llama.cpp's form: names of tensors, order of rows."""

import re
from dataclasses import dataclass

import numpy as np

PARTS = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}
WHOLES = {"model.embed_tokens": "token_embd", "model.norm": "output_norm", "lm_head": "output"}
_PARTS_BACK = {theirs: ours for ours, theirs in PARTS.items()}
_WHOLES_BACK = {theirs: ours for ours, theirs in WHOLES.items()}


@dataclass(frozen=True)
class Heads:
    """How many heads there are."""

    queries: int
    keys: int


def gguf_name(name: str) -> str | None:
    """model.layers.3.self_attn.q_proj.weight -> blk.3.attn_q.weight; None for what llama.cpp has no place for."""
    stem, _, kind = name.rpartition(".")
    if match := re.fullmatch(r"model\.layers\.(\d+)\.(.+)", stem):
        part = PARTS.get(match[2])
        return f"blk.{match[1]}.{part}.{kind}" if part else None
    return f"{WHOLES[stem]}.{kind}" if stem in WHOLES else None


def hugging_face_name(name: str) -> str | None:
    """The other way round; None for what transformers keeps elsewhere (rope_freqs)."""
    stem, _, kind = name.rpartition(".")
    if match := re.fullmatch(r"blk\.(\d+)\.(.+)", stem):
        part = _PARTS_BACK.get(match[2])
        return f"model.layers.{match[1]}.{part}.{kind}" if part else None
    return f"{_WHOLES_BACK[stem]}.{kind}" if stem in _WHOLES_BACK else None


def llama_cpp_rows(name: str, value: np.ndarray, heads: Heads) -> np.ndarray:
    """Put the rows of Q and K, weights and biases, in llama.cpp's order: the two rotary halves of a head interleaved.

    Args:
        name: Hugging Face's. Other tensors stay as they are.
        value: [heads * D, ...] with the halves of each head one after the other.
    """
    n = _heads_of(name, heads)
    return _swap(value, n, 2, len(value) // n // 2) if n else value


def hugging_face_rows(name: str, value: np.ndarray, heads: Heads) -> np.ndarray:
    """Undo `llama_cpp_rows`."""
    n = _heads_of(name, heads)
    return _swap(value, n, len(value) // n // 2, 2) if n else value


def _heads_of(name: str, heads: Heads) -> int:
    stem = name.rpartition(".")[0]
    return heads.queries if stem.endswith(".q_proj") else heads.keys if stem.endswith(".k_proj") else 0


def _swap(value: np.ndarray, heads: int, first: int, second: int) -> np.ndarray:
    return value.reshape(heads, first, second, *value.shape[1:]).swapaxes(1, 2).reshape(value.shape)
