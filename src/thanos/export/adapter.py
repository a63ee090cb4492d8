"""A PEFT LoRA adapter, merged into a base tensor by tensor (LoRA: arXiv 2106.09685; rsLoRA: arXiv 2312.03732)."""

from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np

from thanos.errors import ThanosError
from thanos.export.source import read_json
from thanos.export.tensors import Tensors, array_shapes, read_array

WEIGHTS = "adapter_model.safetensors"
PREFIX = "base_model.model."
CHANGES_ITS_BASE = ("pissa", "olora", "corda", "loftq")
"""Ways to begin that change the base too, so that the saved matrices alone don't give the tuned model."""


@dataclass(frozen=True)
class Product:
    """What is added to a weight: scale * B @ A."""

    a: str
    b: str
    scale: float


def with_adapter(base: Tensors, folder: Path) -> Tensors:
    """The base's tensors as the adapter changes them; each is computed when it's read.

    Raises:
        ThanosError: if the adapter is of another base, or of a kind that can't be added to the weights.
    """
    path = folder / WEIGHTS
    products, whole = _parts(read_json(folder / "adapter_config.json"), path)
    shapes = array_shapes(path)
    for name, product in products.items():
        _check_fits(base, folder, name, (shapes[product.b][0], shapes[product.a][1]))
    for name, key in whole.items():
        _check_fits(base, folder, name, shapes[key])

    def read(name: str) -> np.ndarray:
        value = read_array(path, whole[name]) if name in whole else base.read(name)
        if product := products.get(name):
            value = value + np.float32(product.scale) * (read_array(path, product.b) @ read_array(path, product.a))
        return value

    return Tensors(base.shapes, read)


def changed_names(folder: Path) -> set[str]:
    """The tensors that an adapter changes."""
    products, whole = _parts(read_json(folder / "adapter_config.json"), folder / WEIGHTS)
    return products.keys() | whole.keys()


def _parts(config: dict[str, Any], path: Path) -> tuple[dict[str, Product], dict[str, str]]:
    """What the file holds: products, and tensors that stand for the base's own (`modules_to_save`)."""
    _check_kind(config, path)
    products: dict[str, Product] = {}
    whole: dict[str, str] = {}
    shapes = array_shapes(path)
    for key, shape in shapes.items():
        name = key.removeprefix(PREFIX)
        if name.endswith(".lora_B.weight"):
            continue
        module, is_product, _ = name.partition(".lora_A.weight")
        if is_product:
            b = key.replace(".lora_A.", ".lora_B.")
            if b not in shapes:
                raise ThanosError(f"{path} has {key} without its lora_B")
            products[f"{module}.weight"] = Product(key, b, _scale(config, module, rank=shape[0]))
        elif "lora_" in name or "trainable_tokens" in name:
            raise ThanosError(f"can't merge {path}: {key} isn't a plain product of two matrices")
        else:
            whole[name.replace(".base_layer.", ".")] = key
    if not products and not whole:
        raise ThanosError(f"{path} holds no tensors")
    return products, whole


def _check_kind(config: dict[str, Any], path: Path) -> None:
    kind, begin = config.get("peft_type"), str(config.get("init_lora_weights", "")).lower()
    if kind != "LORA":
        raise ThanosError(f"can't merge {path}: it's of the kind {kind}, not LORA")
    if config.get("use_dora") or config.get("fan_in_fan_out"):
        raise ThanosError(f"can't merge {path}: DoRA and transposed layers aren't supported")
    if begin.startswith(CHANGES_ITS_BASE):
        raise ThanosError(f"can't merge {path}: its init_lora_weights {begin!r} changed the base too")


def _scale(config: dict[str, Any], module: str, rank: int) -> float:
    from peft.utils.other import get_pattern_key

    patterns = config.get("alpha_pattern") or {}
    alpha = patterns.get(get_pattern_key(list(patterns), module), config["lora_alpha"])
    return alpha / (sqrt(rank) if config.get("use_rslora") else rank)


def _check_fits(base: Tensors, folder: Path, name: str, shape: tuple[int, ...]) -> None:
    there = base.shapes.get(name)
    if there is None:
        raise ThanosError(f"{folder} is an adapter of another base: this one has no {name}; give --base")
    if there != shape:
        form = lambda sizes: " x ".join(map(str, sizes))
        raise ThanosError(
            f"{folder} is an adapter of another base: {name} is {form(there)} here, not {form(shape)}; give --base"
        )
