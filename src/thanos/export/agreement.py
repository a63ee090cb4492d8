"""Does an export choose the skills that its model chooses?"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from thanos.dialogue import Dialogue
from thanos.engines.protocol import Engine, Generation, Request
from thanos.errors import EngineError
from thanos.predict.request import CHOICE_TOKENS, EXPLANATION_TOKENS
from thanos.prompts import Message, Prompt, fit, parse_thought
from thanos.skills import Skill

WINDOW = 2048
"""Tokens of prompt and answer that all engines have; of a longer dialogue the oldest turns are left out for all."""
ANSWER_TOKENS = EXPLANATION_TOKENS + CHOICE_TOKENS


@dataclass(frozen=True)
class Answer:
    """What a model wrote after a prompt, greedily and unconstrained."""

    text: str
    skill: Skill | None
    """What was parsed from the text; None if it names no skill."""


@dataclass(frozen=True)
class Agreement:
    """How two models' answers to the same prompts compare."""

    pairs: list[tuple[Answer, Answer]]
    """(the model's, the export's), in the order of the prompts."""

    @property
    def n(self) -> int:
        """Rows in which either names a skill."""
        return sum(a.skill is not None or b.skill is not None for a, b in self.pairs)

    @property
    def agreed(self) -> int:
        """Rows in which both name the same one."""
        return sum(a.skill is not None and a.skill == b.skill for a, b in self.pairs)

    def as_json(self) -> dict[str, Any]:
        """Figures; the interval is Wilson's. `rate`, `low` and `high` are None where no skill was named."""
        from thanos.bench.metrics.wilson import wilson

        rate = self.agreed / self.n if self.n else None
        low, high = wilson(rate, self.n) if rate is not None else (None, None)
        return {
            "rows": len(self.pairs),
            "n": self.n,
            "agreed": self.agreed,
            "rate": rate,
            "low": low,
            "high": high,
            "same_text": sum(a.text == b.text for a, b in self.pairs),
            "no_skill": {
                "model": sum(a.skill is None for a, _ in self.pairs),
                "export": sum(b.skill is None for _, b in self.pairs),
            },
        }


def fit_prompts(dialogues: list[Dialogue], prompt: Prompt, engine: Engine) -> list[list[Message]]:
    """The messages that both models get; the engine counts tokens.

    Raises:
        ThanosError: if not even the prompt's own text fits.
    """
    window = min(engine.context_window or WINDOW, WINDOW)
    return [fit(d, prompt, engine.count_tokens, window - ANSWER_TOKENS).messages for d in dialogues]


def answer_all(engine: Engine, prompts: list[list[Message]], advance: Callable[[], None]) -> list[Answer]:
    """Let an engine answer every prompt, in their order.

    Raises:
        EngineError: if it fails on one.
    """
    answers: dict[int, Answer] = {}
    requests = (Request(key=i, messages=messages, max_tokens=ANSWER_TOKENS) for i, messages in enumerate(prompts))
    for generation in engine.generate(requests):
        answers[generation.key] = _read(generation)
        advance()
    return [answers[i] for i in range(len(prompts))]


def _read(generation: Generation) -> Answer:
    if generation.error:
        raise EngineError(f"the check broke off: {generation.error}; the same command goes on")
    text = generation.text.strip()
    return Answer(text, parse_thought(text).skill)
