"""Model string -> engine; the baselines are engines, too."""

from pathlib import Path
from typing import Any

from thanos.bench.baselines import BASELINES, load_baseline
from thanos.engines import load_engine
from thanos.engines.protocol import Engine

INSPECT = "inspect/"
"""Head of model strings that inspect's own providers answer: `inspect/anthropic/claude-...`."""
ZERO_SHOT = ("openai/", INSPECT, "embedded/base")
"""Models that no one tuned on the task get the prompt that explains the skills."""


def load_model(model: str, train: Path | None = None, **options: Any) -> Engine:
    """Load an engine, or train a baseline.

    Args:
        model: A baseline's name, or a model string of `thanos predict`.
        train: Annotated rows that a baseline learns from.
        **options: Fields of `thanos.engines.EngineOptions`.

    Raises:
        ThanosError: if there is no such model, or no training rows for a baseline.
    """
    if model in BASELINES:
        return load_baseline(model, train)
    return load_engine(model, **options)


def default_prompt(model: str) -> str:
    """The prompt that a model is asked with unless another is given."""
    if model in BASELINES:
        return "plain"
    return "zero-shot" if model.startswith(ZERO_SHOT) else "thanos"
