"""The embedded engine's tuning file: what was changed in its base."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from thanos.engines.embedded.base import base_path
from thanos.engines.embedded.tuning import write_tuning
from thanos.errors import ThanosError
from thanos.export.adapter import changed_names, with_adapter
from thanos.export.llama_names import gguf_name
from thanos.export.source import Source
from thanos.export.tensors import Tensors, open_tensors


@dataclass(frozen=True)
class Tuned:
    """The embedded engine's base, before and after."""

    base: Tensors
    tuned: Tensors
    names: list[str]
    """The matrices that changed."""
    left_out: list[str]
    """Norms that changed: a tuning file holds matrices alone."""


def find_changes(source: Source) -> Tuned:
    """Compare a model with the embedded engine's base.

    Raises:
        ThanosError: if it has another shape, or nothing changed.
    """
    base = open_tensors(base_path())
    if source.adapter:
        tuned = with_adapter(base, source.adapter)
        changed = changed_names(source.adapter)
    else:
        tuned = open_tensors(source.files)
        for name, shape in base.shapes.items():
            if tuned.shapes.get(name) != shape:
                raise ThanosError(f"{source.files} isn't the embedded engine's base tuned: {name} differs in shape")
        changed = {name for name in base.shapes if not np.array_equal(base.read(name), tuned.read(name))}
    matrices = [name for name in base.shapes if name in changed and len(base.shapes[name]) > 1]
    if not matrices:
        raise ThanosError(f"{source.adapter or source.files} changes no matrix of the embedded engine's base")
    return Tuned(base, tuned, matrices, sorted(changed - set(matrices)))


def write_tuning_file(found: Tuned, output: Path, advance: Callable[[], None]) -> float:
    """Write the file.

    Returns:
        The share of the changes' square that is lost, from 0 to 1; see `thanos.engines.embedded.ternary`.
    """
    return write_tuning(output, _Changes(found, advance))


class _Changes(Mapping):
    """GGUF name -> tuned less base; each is computed when it's asked for."""

    def __init__(self, found: Tuned, advance: Callable[[], None]):
        self._found, self._advance = found, advance
        self._names = {str(gguf_name(name)): name for name in found.names}

    def __getitem__(self, name: str) -> np.ndarray:
        ours = self._names[name]
        self._advance()
        return self._found.tuned.read(ours) - self._found.base.read(ours)

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)
