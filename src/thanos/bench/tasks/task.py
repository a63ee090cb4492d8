"""What a task is."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.scorer import Scorer
from inspect_ai.solver import Solver

from thanos.bench.data import BenchData
from thanos.bench.items import Items
from thanos.predict.request import CHOICE_TOKENS, EXPLANATION_TOKENS, Mode
from thanos.prompts import Prompt

Row = dict[str, Any]


@dataclass(frozen=True)
class Setup:
    """How a task is to be run; the same for every model but for what belongs to the model."""

    data: BenchData
    prompt: Prompt
    """That the model is asked with."""
    mode: Mode = "explain"
    """explain: think aloud, then choose; direct: choose at once."""
    seeds: int = 1
    """1 is greedy; more are sampled."""
    judge: str | None = None
    """Model string of the judge, for tasks that have one."""
    bertscore: str | None = None
    """Hub id or folder of an encoder, for tasks that compare texts."""
    planner: str | None = None
    """Model string of who plans, for tasks in which the model under test replies; `prompt` is then the planner's."""


@dataclass(frozen=True)
class BenchTask:
    """One task."""

    name: str
    version: int
    """Raised whenever rows, map or scoring change."""
    summary: str
    """One line."""
    items: Callable[[BenchData], Items]
    """Every usable item, in a stable order.

    Raises:
        NotPossibleError: if its data isn't at hand.
    """
    samples: Callable[[Items, Setup], list[Sample]]
    """Items, already drawn and within the budget -> what inspect runs: ids, prompts and metadata."""
    solver: Callable[[Setup], Solver]
    scorer: Callable[[Setup], Scorer]
    """Its Score.metadata["row"] is what the row has beyond its sample; see `thanos.bench.rows`."""
    blank: Callable[[Sample], Row]
    """The same for a sample whose model failed: nothing right."""
    metrics: Callable[[list[Row]], dict[str, Any]]
    """Rows -> the keys of metrics.json from "metrics" on."""
    prompts: Callable[[Setup], dict[str, Prompt]]
    """All prompts that it uses, for prompts.json."""
    needs_explanation: bool = False
    """Not for models that only choose."""
    room: int = EXPLANATION_TOKENS + CHOICE_TOKENS
    """Tokens that a sample needs beside its prompt."""
