"""A turn -> the request that asks for its annotation."""

from functools import cache
from importlib.resources import files
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict

from thanos.data.next_turn import NextTurn
from thanos.prompts import Message
from thanos.prompts.template import skill_list
from thanos.skills import Skill

BYTES_PER_TOKEN = 3
"""English runs at about 4 bytes a token; 3 makes the estimate err towards too many."""
EXPECTED_ANSWER_TOKENS = 170
"""Two explanations of about 35 words, three names and the JSON around them, for the estimate of the cost."""


class Sampling(BaseModel):
    """How the annotator samples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    temperature: float
    top_p: float
    max_tokens: int


class AnnotationPrompt(BaseModel):
    """The annotation prompt; see annotate.yaml."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    source: str
    version: int
    sampling: Sampling
    system: str
    user: str
    no_response: str

    @property
    def name(self) -> str:
        """What rows record."""
        return f"annotate-{self.version}"

    def render(self, turn: NextTurn) -> list[Message]:
        """The messages; the system message is the same for all turns, so that servers can cache it."""
        values = {
            "social_context": turn.dialogue.social_context or "(none)",
            "dialogue": turn.dialogue.text(),
            "speaker": turn.speaker,
            "response": turn.response.words() if turn.response else self.no_response,
        }
        return [
            {"role": "system", "content": _system(self)},
            {"role": "user", "content": self.user.format_map(values)},
        ]


@cache
def load_annotation_prompt() -> AnnotationPrompt:
    """The built-in prompt."""
    text = files("thanos.annotate").joinpath("annotate.yaml").read_text(encoding="utf-8")
    return AnnotationPrompt.model_validate(yaml.safe_load(text))


@cache
def _system(prompt: AnnotationPrompt) -> str:
    return prompt.system.format_map({"skills": skill_list()})


def estimate_tokens(messages: list[Message]) -> int:
    """Tokens of a prompt, rather too many than too few."""
    return sum(-(-len(m["content"].encode()) // BYTES_PER_TOKEN) + 4 for m in messages)


def request_body(
    model: str, turn: NextTurn, limit_name: str = "max_completion_tokens", seed: int = 0
) -> dict[str, Any]:
    """The body of a chat completion request.

    Args:
        limit_name: What the server calls the most tokens of an answer: max_completion_tokens at OpenAI, max_tokens
            elsewhere.
        seed: Another one for another try.
    """
    prompt = load_annotation_prompt()
    return {
        "model": model,
        "messages": prompt.render(turn),
        "temperature": prompt.sampling.temperature,
        "top_p": prompt.sampling.top_p,
        "seed": seed,
        limit_name: prompt.sampling.max_tokens,
        "response_format": RESPONSE_FORMAT,
    }


def _schema() -> dict[str, Any]:
    names = [skill.value for skill in Skill]
    thought = {"explanation": {"type": "string"}, "skill": {"type": "string", "enum": names}}
    rejected = {
        "type": "object",
        "properties": thought,
        "required": ["explanation", "skill"],
        "additionalProperties": False,
    }
    # The explanation comes first: a model that writes it before the name thinks before it chooses.
    return {
        "type": "object",
        "properties": {
            **thought,
            "also": {"anyOf": [{"type": "string", "enum": names}, {"type": "null"}]},
            "rejected": rejected,
        },
        "required": ["explanation", "skill", "also", "rejected"],
        "additionalProperties": False,
    }


RESPONSE_FORMAT = {
    "type": "json_schema",
    "json_schema": {"name": "skill_of_mind", "strict": True, "schema": _schema()},
}
"""Structured output; the closed set of 39 names is part of it."""
