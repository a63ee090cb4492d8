"""Rotary positions of Llama 3.1 and later, as llama.cpp wants them."""

from typing import Any

import numpy as np

from thanos.errors import ThanosError


def frequency_factors(config: Any) -> np.ndarray | None:
    """By how much each rotary frequency is lowered, float32 [head_dim / 2]; None where none is.

    Raises:
        ThanosError: for another kind of stretching than "llama3".
    """
    from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

    rope = config.rope_parameters
    kind = rope.get("rope_type", "default")
    if kind == "default":
        return None
    if kind != "llama3":
        raise ThanosError(f"--to gguf can't write rotary positions of the type {kind!r}; use --to hf")
    stretched = ROPE_INIT_FUNCTIONS[kind](config, None)[0].numpy().astype(np.float64)
    plain = rope["rope_theta"] ** -(np.arange(len(stretched)) / len(stretched))
    return (plain / stretched).astype(np.float32)
