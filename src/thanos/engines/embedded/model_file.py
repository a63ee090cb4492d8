"""The model that the embedded engine runs: built once from the base weights, then loaded from the cache."""

import os
import tempfile
from pathlib import Path

from thanos.engines.embedded.base import SHA256, base_path, cache_folder
from thanos.engines.embedded.tuning import Tuning

BUILD = 2
"""Raised with every change of what is built, so that an older model in a cache isn't used."""


def model_path(tuning: Tuning | None = None) -> tuple[Path, Path]:
    """The graph's and the tokenizer's file, built if they aren't in the cache (some seconds, once).

    Args:
        tuning: What to add to the base; nothing gives the base itself.
    """
    folder = cache_folder() / f"model-{BUILD}-{SHA256[:12]}-{tuning.fingerprint if tuning else 'base'}"
    graph, tokenizer = folder / "model.onnx", folder / "tokenizer.json"
    if not (graph.is_file() and tokenizer.is_file()):
        _build(base_path(), tuning, folder)
    return graph, tokenizer


def _build(base: Path, tuning: Tuning | None, folder: Path) -> None:
    import onnx

    from thanos.engines.embedded.graph import make_graph
    from thanos.engines.embedded.tokenizer import read_tokenizer
    from thanos.engines.embedded.weights import load_weights

    folder.mkdir(parents=True, exist_ok=True)
    # Written aside and renamed: a kill leaves no half file behind, and two first runs at once don't collide.
    with tempfile.TemporaryDirectory(dir=folder) as aside:
        read_tokenizer(base).save(str(Path(aside) / "tokenizer.json"))
        onnx.save(make_graph(*load_weights(base, tuning)), str(Path(aside) / "model.onnx"))
        for name in ("tokenizer.json", "model.onnx"):
            os.replace(Path(aside) / name, folder / name)
