"""A model that rates explanations by the paper's three human criteria."""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig

from thanos.bench.models.inspect_model import get_inspect_model
from thanos.dialogue import Dialogue
from thanos.prompts import Prompt
from thanos.skills import SkillOfMind

CRITERIA = ("relevance", "plausibility", "understanding")
LOWEST, HIGHEST = 1, 4
GREEDY = GenerateConfig(temperature=0.0, max_tokens=64)

JUDGE_PROMPT = Prompt.model_validate(
    {"name": "judge", **yaml.safe_load(files("thanos.bench").joinpath("judge.yaml").read_text(encoding="utf-8"))}
)

_RATINGS = {name: re.compile(rf"\b{name}\b\W*([1-4])(?![\d.])", re.I) for name in CRITERIA}


@dataclass(frozen=True)
class Verdict:
    """What a judge said."""

    ratings: dict[str, float | None]
    """Criterion -> 1 to 4; None where the judge failed or gave no such number, which is no fault of the explanation."""
    text: str
    """Its words, or why there are none."""


class Judge:
    """Asks a model, greedily."""

    def __init__(self, model: str):
        """Load the judge; the same one as the model under test is loaded once.

        Raises:
            ThanosError: if there's no such model.
        """
        self._model = get_inspect_model(model)

    async def rate(self, thought: SkillOfMind, metadata: dict[str, Any]) -> Verdict:
        """Rate one explanation; a failure of the judge is a verdict without ratings."""
        dialogue = Dialogue.model_validate({"turns": metadata["dialogue"]})
        values = {
            "social_context": metadata["social_context"],
            "dialogue": dialogue.text(),
            "explanation": thought.explanation,
        }
        messages = [
            ChatMessageSystem(content=JUDGE_PROMPT.system),
            ChatMessageUser(content=JUDGE_PROMPT.user.format_map(values)),
        ]
        try:
            output = await self._model.generate(messages, config=GREEDY)
        except Exception as error:  # whatever a provider raises, the row itself is fine
            return Verdict(dict.fromkeys(CRITERIA), f"{type(error).__name__}: {error}")
        return read_verdict(output.completion)


def read_verdict(text: str) -> Verdict:
    """`relevance: 3` and the like, anywhere in the text; the last mention of each counts."""
    found = {name: pattern.findall(text) for name, pattern in _RATINGS.items()}
    return Verdict({name: float(values[-1]) if values else None for name, values in found.items()}, text)
