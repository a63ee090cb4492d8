"""GGUF files, opened once: parsing a file's metadata takes seconds, and several stages need it."""

from functools import lru_cache
from pathlib import Path

import gguf


def open_gguf(path: Path) -> gguf.GGUFReader:
    """An open file, its tensors mapped into memory. The last two are kept, unless they were written anew."""
    return _open(path, path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _open(path: Path, written: int) -> gguf.GGUFReader:
    return gguf.GGUFReader(str(path))
