"""Dialogue -> the requests that an engine gets for it."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

from thanos.dialogue import Dialogue
from thanos.engines.protocol import Choices, Engine, Request
from thanos.errors import ThanosError
from thanos.prompts import MARKER, FittedPrompt, Prompt, fit
from thanos.skills import Skill

Mode = Literal["explain", "direct"]

SKILL_CHOICES = Choices(lead=MARKER, names=tuple(skill.value for skill in Skill))

EXPLANATION_TOKENS = 120
"""Room for an explanation; those of the training data have 35 words, and 99 in 100 of them fit into 90 tokens."""
CHOICE_TOKENS = 16
"""Room for the marker and a skill's name."""
SAMPLE_TEMPERATURE = 0.9
"""For `samples` > 1: the temperature of the published inference script."""


@dataclass(frozen=True)
class PredictionOptions:
    """How to predict."""

    mode: Mode = "explain"
    """explain: think aloud, then choose; direct: choose at once."""
    samples: int = 1
    """1 is greedy; N > 1 averages the choice over N sampled explanations."""
    max_tokens: int = EXPLANATION_TOKENS
    """Most tokens of an explanation."""
    seed: int = 0
    """Seeds the samples."""

    def __post_init__(self) -> None:
        if self.mode not in ("explain", "direct"):
            raise ThanosError(f"unknown mode {self.mode!r}: use explain or direct")
        if self.samples < 1 or self.max_tokens < 1:
            raise ThanosError("samples and max_tokens must be at least 1")
        if self.samples > 1 and self.mode == "direct":
            raise ThanosError("samples need mode explain: without an explanation there is nothing to sample")


def fit_dialogue(dialogue: Dialogue, prompt: Prompt, engine: Engine, options: PredictionOptions) -> FittedPrompt:
    """Render a dialogue so that the prompt and the answer fit into the engine's context window."""
    room = (options.max_tokens if options.mode == "explain" else 0) + CHOICE_TOKENS
    budget = None if engine.context_window is None else engine.context_window - room
    if budget is not None and budget < 1:
        raise ThanosError(
            f"max_tokens {options.max_tokens} leaves no room in a window of {engine.context_window} tokens"
        )
    return fit(dialogue, prompt, engine.count_tokens, budget)


def requests_for(index: int, fitted: FittedPrompt, options: PredictionOptions) -> list[Request]:
    """One greedy request, or one per sample; keys are (index of the dialogue, number of the sample)."""
    greedy = Request(
        key=(index, 0),
        messages=fitted.messages,
        max_tokens=options.max_tokens if options.mode == "explain" else 0,
        choices=SKILL_CHOICES,
    )
    if options.samples == 1:
        return [greedy]
    sampled: Callable[[int], Request] = lambda n: replace(
        greedy, key=(index, n), temperature=SAMPLE_TEMPERATURE, seed=options.seed + n
    )
    return [sampled(n) for n in range(options.samples)]
