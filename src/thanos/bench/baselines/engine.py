"""A baseline behind the interface of an engine."""

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Protocol

import numpy as np

from thanos.engines.protocol import Generation, Request
from thanos.prompts import Message
from thanos.skills import Skill

SKILLS = tuple(skill.value for skill in Skill)
TOGETHER = 512
"""Texts that a baseline is given at a time."""


class Guess(Protocol):
    """A baseline's judgement."""

    def probabilities(self, texts: list[str], seeds: list[int]) -> np.ndarray:
        """[texts, 39], each line sums to 1; columns in the order of `SKILLS`."""
        ...

    def explanation(self, text: str, skill: str) -> str:
        """Thoughts that go with a choice; "" if the baseline has none."""
        ...


class BaselineEngine:
    """Reads the last message of each request, and always answers with a skill."""

    context_window = None

    def __init__(self, name: str, guess: Guess):
        """Wrap a trained baseline."""
        self.name = name
        self._guess = guess

    def count_tokens(self, messages: list[Message]) -> int:
        """Words; baselines have no tokens."""
        return sum(len(message["content"].split()) for message in messages)

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation]:
        """Choose a skill for each request, in order."""
        requests = iter(requests)
        while window := list(islice(requests, TOGETHER)):
            texts = [request.messages[-1]["content"] for request in window]
            rows = self._guess.probabilities(texts, [request.seed for request in window])
            for request, text, row in zip(window, texts, rows, strict=True):
                skill = SKILLS[int(row.argmax())]
                thought = self._guess.explanation(text, skill) if request.max_tokens else ""
                scores = dict(zip(SKILLS, map(float, row), strict=True))
                yield Generation(request.key, text=thought, choice=skill, scores=scores)

    def close(self) -> None:
        """Nothing to free."""
