"""A tuning file: how a tuned model differs from the base, and the head that reads a skill off it.

A .npz archive with, for each changed tensor, `NAME/digits`, `NAME/size` and `NAME/width` (see `ternary`), and
optionally `head.weight` [skills, hidden], `head.bias` [skills] and `head.names` [skills]. NAME is that of the base's
GGUF file, e.g. blk.3.attn_q.weight, with the rows of Q and K in Hugging Face's order.
"""

import hashlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from thanos.engines.embedded.ternary import from_ternary, to_ternary
from thanos.errors import EngineError

SHIPPED = Path(__file__).parent / "tuned.npz"
"""The tuning of the default model; tuned.md beside it is its card."""


@dataclass(frozen=True)
class SkillHead:
    """A linear layer on the state after the prompt's last token: the probability of each skill, before any words."""

    names: tuple[str, ...]
    weight: np.ndarray
    """float [skills, hidden]"""
    bias: np.ndarray
    """float [skills]"""

    def probabilities(self, hidden: np.ndarray) -> dict[str, float]:
        """State [hidden] -> name -> probability."""
        logits = self.weight @ hidden + self.bias
        p = np.exp(logits - logits.max())
        return dict(zip(self.names, (p / p.sum()).tolist(), strict=True))


class Tuning:
    """An open tuning file; tensors are unpacked one at a time, when asked for."""

    def __init__(self, path: Path):
        """Open a file.

        Raises:
            EngineError: if there is no such file, or it isn't a tuning file.
        """
        self.path = path
        try:
            self._file = np.load(path)
            self._parts = set(self._file.files)
        except FileNotFoundError:
            raise EngineError(f"no tuning file {path}") from None
        except (BadZipFile, EOFError, ValueError, OSError, AttributeError) as error:
            raise EngineError(f"{path} is no tuning file: {error}; `thanos export --to embedded` writes them") from None
        self.names = sorted(part.removesuffix("/digits") for part in self._parts if part.endswith("/digits"))
        if not self.names:
            raise EngineError(f"{path} is no tuning file: it changes no tensor")

    def change(self, name: str) -> np.ndarray:
        """What is added to a tensor of the base, float32 [out, in]."""
        digits, size, width = (self._file[f"{name}/{part}"] for part in ("digits", "size", "width"))
        return from_ternary(digits, size, int(width))

    def changes(self) -> Iterator[tuple[str, np.ndarray]]:
        """Every changed tensor's name with its change."""
        for name in self.names:
            yield name, self.change(name)

    @cached_property
    def head(self) -> SkillHead | None:
        """The skill head, if the model has one."""
        if "head.weight" not in self._parts:
            return None
        names = tuple(self._file["head.names"].tolist())
        return SkillHead(names, self._file["head.weight"].astype(np.float32), self._file["head.bias"])

    @cached_property
    def fingerprint(self) -> str:
        """Tells this file's content from any other's."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()[:12]


def write_tuning(path: Path, changes: Mapping[str, np.ndarray], head: SkillHead | None = None) -> float:
    """Write a tuning file.

    Args:
        path: Ends in .npz.
        changes: GGUF tensor name -> tuned less base, float [out, in], rows of Q and K in Hugging Face's order.
        head: The skill head, if the model has one.

    Returns:
        The share of the changes' square that the three values lose.
    """
    parts: dict[str, np.ndarray] = {}
    lost = whole = 0.0
    for name, change in changes.items():
        digits, size = to_ternary(change)
        parts |= {f"{name}/digits": digits, f"{name}/size": size, f"{name}/width": np.array(change.shape[1])}
        lost += float(np.square(change - from_ternary(digits, size, change.shape[1])).sum())
        whole += float(np.square(change).sum())
    if head:
        parts |= {"head.names": np.array(head.names), "head.weight": head.weight, "head.bias": head.bias}
    np.savez_compressed(path, **parts)
    return lost / whole if whole else 0.0
