"""A folder that transformers and vLLM load: safetensors, configuration, tokenizer."""

from collections.abc import Callable, Iterable
from itertools import count
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from thanos.export.tensors import Tensors

DTYPES = {"f32": torch.float32, "f16": torch.float16, "bf16": torch.bfloat16}
SHARD_BYTES = 2 << 30
"""A file is held in memory until it's whole."""


def write_hf_folder(
    tensors: Tensors, config: Any, tokenizer: Any, files: Path, quantisation: str, output: Path,
    advance: Callable[[], None],
) -> None:  # fmt: skip
    """Write the folder.

    Args:
        tensors: What to write.
        config: The model's transformers configuration.
        tokenizer: Its tokenizer, chat template included.
        files: The model that it came from, for its generation settings.
        quantisation: A name of `DTYPES`.
        output: A folder that isn't there yet.
        advance: Called for each tensor.
    """
    output.mkdir(parents=True)
    dtype = DTYPES[quantisation]
    _write_weights(tensors, dtype, output, advance)
    config.dtype = dtype
    config.architectures = config.architectures or [_architecture(config)]
    config.save_pretrained(output)
    _generation_config(config, files).save_pretrained(output)
    tokenizer.save_pretrained(output)


def _write_weights(tensors: Tensors, dtype: torch.dtype, output: Path, advance: Callable[[], None]) -> None:
    import json

    shards = list(_shards(tensors.shapes, dtype.itemsize))
    places: dict[str, str] = {}
    for number, names in zip(count(1), shards, strict=False):
        file = f"model-{number:05}-of-{len(shards):05}.safetensors" if len(shards) > 1 else "model.safetensors"
        shard = {}
        for name in names:
            shard[name] = torch.from_numpy(tensors.read(name)).to(dtype).contiguous()
            advance()
        save_file(shard, output / file, metadata={"format": "pt"})
        places |= dict.fromkeys(names, file)
    if len(shards) > 1:
        size = sum(_bytes(shape, dtype.itemsize) for shape in tensors.shapes.values())
        index = {"metadata": {"total_size": size}, "weight_map": places}
        (output / "model.safetensors.index.json").write_text(json.dumps(index, indent=2), encoding="utf-8")


def _shards(shapes: dict[str, tuple[int, ...]], itemsize: int) -> Iterable[list[str]]:
    """Names for one file after another."""
    names, size = [], 0
    for name, shape in shapes.items():
        more = _bytes(shape, itemsize)
        if names and size + more > SHARD_BYTES:
            yield names
            names, size = [], 0
        names.append(name)
        size += more
    yield names


def _bytes(shape: tuple[int, ...], itemsize: int) -> int:
    return torch.Size(shape).numel() * itemsize


def _architecture(config: Any) -> str:
    """A GGUF file doesn't name the class, which vLLM wants to know."""
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    return MODEL_FOR_CAUSAL_LM_MAPPING_NAMES[config.model_type]


def _generation_config(config: Any, files: Path) -> Any:
    from transformers import GenerationConfig

    if (files / "generation_config.json").is_file():
        return GenerationConfig.from_pretrained(files)
    return GenerationConfig.from_model_config(config)
