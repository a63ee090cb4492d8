"""Stage 4: what tuning changed, as the tuning file that the embedded engine loads.

    python ship.py work/final.safetensors --skills work/data.npz --out work/tuned.npz --check work/shipped.safetensors

--check writes the change as it comes out again, in the form of the input, to be scored by `train.py --init FILE
--epochs 0`.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from model import Shape
from safetensors.torch import load_file, save_file
from torch import Tensor

from thanos.engines.embedded.tuning import SkillHead, Tuning, write_tuning

S = Shape()
PARTS = {
    "qkv": {"attn_q": S.heads * S.head_width, "attn_k": S.kv_heads * S.head_width, "attn_v": S.kv_heads * S.head_width},
    "o": {"attn_output": S.width},
    "gate_up": {"ffn_gate": S.inner, "ffn_up": S.inner},
    "down": {"ffn_down": S.width},
}
"""Our joined layers -> the base's tensors with their rows."""


def split(changes: dict[str, Tensor]) -> dict[str, np.ndarray]:
    """`layers.N.NAME` of train.py -> `blk.N.NAME.weight` of the base's file."""
    apart = {}
    for n in range(S.layers):
        for joined, parts in PARTS.items():
            rows = changes[f"layers.{n}.{joined}"].float().split(list(parts.values()))
            apart |= {f"blk.{n}.{name}.weight": part.numpy() for name, part in zip(parts, rows, strict=True)}
    return apart


def join(tuning: Tuning) -> dict[str, Tensor]:
    """The inverse of `split`, the head included."""
    joined = {
        f"layers.{n}.{name}": torch.from_numpy(
            np.concatenate([tuning.change(f"blk.{n}.{part}.weight") for part in parts])
        ).bfloat16()
        for n in range(S.layers)
        for name, parts in PARTS.items()
    }
    head = tuning.head
    return joined | {"head.weight": torch.from_numpy(head.weight), "head.bias": torch.from_numpy(head.bias)}


def main(file: Path, skills: Path, out: Path, check: Path | None) -> None:
    changes = load_file(file)
    names = tuple(np.load(skills)["skills"].tolist())
    head = SkillHead(names, changes["head.weight"].numpy(), changes["head.bias"].numpy())
    lost = write_tuning(out, split(changes), head)
    print(f"{out}: {out.stat().st_size / 1e6:.1f} MB, {lost:.1%} of the change's square lost")
    if check:
        save_file(join(Tuning(out)), check)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path)
    parser.add_argument("--skills", type=Path, required=True, help="data.npz, which names the skills")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--check", type=Path)
    main(**vars(parser.parse_args()))
