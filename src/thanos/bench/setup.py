"""What was asked for -> a Setup."""

from thanos.bench.baselines import BASELINES
from thanos.bench.budget import PLAIN
from thanos.bench.data import BenchData
from thanos.bench.models.load import INSPECT, default_prompt
from thanos.bench.tasks.task import Setup
from thanos.errors import ThanosError
from thanos.predict.request import Mode
from thanos.prompts import Prompt, load_prompt


def make_setup(
    model: str,
    data: BenchData,
    *,
    prompt: str | None = None,
    mode: Mode = "explain",
    seeds: int = 1,
    judge: str | None = None,
    bertscore: str | None = None,
    planner: str | None = None,
) -> Setup:
    """Check what goes together.

    Args:
        model: Model string.
        prompt: By default the one that suits the model; baselines have one of their own.
        planner: Who plans, where the model only replies; mode and prompt are then this one's.

    Raises:
        ThanosError: for what doesn't.
    """
    model = planner or model
    if mode not in ("explain", "direct"):
        raise ThanosError(f"unknown mode {mode!r}: use explain or direct")
    if mode == "direct" and seeds > 1:
        raise ThanosError("--seeds needs --mode explain: without an explanation there is nothing to sample")
    if mode == "direct" and model.startswith(INSPECT):
        raise ThanosError(f"{INSPECT} models have no --mode direct: use openai/... for an endpoint")
    if model in BASELINES and prompt is not None:
        raise ThanosError(f"{model} reads the dialogue as it is: leave --prompt out")
    return Setup(data, _prompt(prompt or default_prompt(model)), mode, seeds, judge, bertscore, planner)


def _prompt(name: str) -> Prompt:
    return PLAIN if name == PLAIN.name else load_prompt(name)
