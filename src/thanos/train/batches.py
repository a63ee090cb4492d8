"""Rows of an encoded dataset -> the batch that a training step gets."""

from typing import Any

import torch
from torch import Tensor

from thanos.train.packed.batch import Example, pack


def collate_packed(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Dataset rows -> one packed batch; see `pack`."""
    return pack([Example(row["prompt"], row["completion"], row["weight"]) for row in rows])


class CollatePadded:
    """Dataset rows -> input_ids, attention_mask and labels [B, T], padded on the right, and weights [B]."""

    def __init__(self, pad_token: int):
        self._pad = pad_token

    def __call__(self, rows: list[dict[str, Any]]) -> dict[str, Tensor]:
        longest = max(len(row["prompt"]) + len(row["completion"]) for row in rows)
        fill = lambda ids, value: ids + [value] * (longest - len(ids))
        whole = [row["prompt"] + row["completion"] for row in rows]
        labels = [[-100] * len(row["prompt"]) + row["completion"] for row in rows]
        return {
            "input_ids": torch.tensor([fill(ids, self._pad) for ids in whole]),
            "attention_mask": torch.tensor([fill([1] * len(ids), 0) for ids in whole]),
            "labels": torch.tensor([fill(ids, -100) for ids in labels]),
            "weights": torch.tensor([row["weight"] for row in rows]),
        }
