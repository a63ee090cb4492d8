"""The base weights as numpy arrays, with what tuning changed."""

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

from thanos.engines.embedded.gguf_file import open_gguf
from thanos.engines.embedded.tuning import Tuning
from thanos.errors import EngineError


@dataclass(frozen=True)
class Shape:
    """The sizes of a llama model."""

    layers: int
    heads: int
    kv_heads: int
    head_dim: int
    hidden: int
    vocab: int
    rope_theta: float
    norm_eps: float


def load_weights(path: Path, tuning: Tuning | None = None) -> tuple[Shape, dict[str, np.ndarray]]:
    """Dequantise every tensor of a GGUF file to float32, the rows of Q and K in Hugging Face's order.

    Args:
        path: A llama-architecture GGUF file.
        tuning: Changes to be added.

    Raises:
        EngineError: if the tuning is of another base.
    """
    reader = open_gguf(path)
    shape = _read_shape(reader)
    weights = {}
    for tensor in reader.tensors:
        value = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        if tensor.name.endswith("attn_q.weight"):
            value = _unpermute(value, shape.heads)
        elif tensor.name.endswith("attn_k.weight"):
            value = _unpermute(value, shape.kv_heads)
        weights[tensor.name] = value
    for name, change in tuning.changes() if tuning else ():
        if name not in weights or weights[name].shape != change.shape:
            raise EngineError(f"{tuning.path} is of another base: its {name} has the shape {change.shape}")
        weights[name] = weights[name] + change
    return shape, weights


def _read_shape(reader: gguf.GGUFReader) -> Shape:
    def field(name: str):
        return reader.fields[f"llama.{name}"].contents()

    heads, hidden = field("attention.head_count"), field("embedding_length")
    return Shape(
        layers=field("block_count"),
        heads=heads,
        kv_heads=field("attention.head_count_kv"),
        head_dim=hidden // heads,
        hidden=hidden,
        vocab=field("vocab_size"),
        rope_theta=field("rope.freq_base"),
        norm_eps=field("attention.layer_norm_rms_epsilon"),
    )


def _unpermute(weight: np.ndarray, heads: int) -> np.ndarray:
    """Undo llama.cpp's row order of a Q or K projection [heads * D, in].

    llama.cpp stores the two rotary halves of each head interleaved; Hugging Face keeps them one after the other.
    """
    rows, width = weight.shape
    return weight.reshape(heads, rows // heads // 2, 2, width).swapaxes(1, 2).reshape(rows, width)
