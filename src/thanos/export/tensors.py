"""A model's tensors under Hugging Face's names, read one at a time."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
import torch
from safetensors import SafetensorError, safe_open

from thanos.engines.embedded.gguf_file import open_gguf
from thanos.errors import ThanosError
from thanos.export.llama_names import Heads, hugging_face_name, hugging_face_rows


@dataclass(frozen=True)
class Tensors:
    """What a model holds, without holding it."""

    shapes: dict[str, tuple[int, ...]]
    """Hugging Face's name -> shape."""
    read: Callable[[str], np.ndarray]
    """Name -> float32 array of that shape."""


def open_tensors(files: Path) -> Tensors:
    """Open a folder of safetensors files, or a llama GGUF file (its tensors are dequantised, its rows put in order).

    Raises:
        ThanosError: if it holds no such thing.
    """
    return _open_gguf(files) if files.suffix == ".gguf" else _open_folder(files)


def gguf_reader(path: Path) -> gguf.GGUFReader:
    """An open GGUF file.

    Raises:
        ThanosError: if it can't be read.
    """
    try:
        return open_gguf(path)
    except (OSError, ValueError) as error:
        raise ThanosError(f"can't read {path}: {error}") from None


def read_array(path: Path, name: str) -> np.ndarray:
    """One tensor of a safetensors file, as float32."""
    with safe_open(path, framework="pt") as file:  # numpy has no bfloat16
        return file.get_tensor(name).to(torch.float32).numpy()


def array_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Name -> shape of all tensors of a safetensors file.

    Raises:
        ThanosError: if it can't be read.
    """
    try:
        with safe_open(path, framework="pt") as file:
            return {name: tuple(file.get_slice(name).get_shape()) for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise ThanosError(f"can't read {path}: {str(error).splitlines()[0]}") from None


def _open_folder(folder: Path) -> Tensors:
    place: dict[str, Path] = {}
    shapes: dict[str, tuple[int, ...]] = {}
    for path in sorted(folder.glob("*.safetensors")):
        found = array_shapes(path)
        place |= dict.fromkeys(found, path)
        shapes |= found
    if not shapes:
        raise ThanosError(f"{folder} holds no *.safetensors")
    return Tensors(shapes, lambda name: read_array(place[name], name))


def _open_gguf(path: Path) -> Tensors:
    reader = gguf_reader(path)
    architecture = reader.fields["general.architecture"].contents()
    if architecture != "llama":
        raise ThanosError(f"{path} has the architecture {architecture}; a GGUF base must be a llama model")
    count = lambda name: reader.fields[f"llama.attention.{name}"].contents()
    heads = Heads(count("head_count"), count("head_count_kv"))
    stored = {name: tensor for tensor in reader.tensors if (name := hugging_face_name(tensor.name))}

    def read(name: str) -> np.ndarray:
        tensor = stored[name]
        value = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
        return hugging_face_rows(name, value, heads)

    return Tensors({name: tuple(map(int, tensor.shape[::-1])) for name, tensor in stored.items()}, read)
