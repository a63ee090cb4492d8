"""Does the thought help? Skill and explanation should make the true reply more likely than the dialogue alone does.

gain = (log p(reply | dialogue, explanation, skill) - log p(reply | dialogue)) / words of the reply, in nats a word: the
pointwise information that the thought gives on the reply.
"""

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import tee
from pathlib import Path
from typing import Any

import yaml

from thanos.data.annotated_turn import AnnotatedTurn, read_annotated_turn
from thanos.data.recipe import HelpfulnessRules
from thanos.dialogue import Dialogue, dialogue_from_row
from thanos.engines import load_engine
from thanos.engines.protocol import Request, ScoringEngine
from thanos.errors import ThanosError
from thanos.longrun import Journal, progress_bar
from thanos.prompts import Message, fit


def unhelpful(
    rows: Iterable[tuple[int, dict[str, Any]]], scores: Path, rules: HelpfulnessRules
) -> Iterator[tuple[int, str]]:
    """Score rows under the recipe's model and name those that gain too little. Rows without a reply pass.

    Args:
        rows: (number, row of the dataset).
        scores: Journal of the gains; those that it holds aren't asked for again.

    Yields:
        (number, what was found).
    """
    engine = load_engine(rules.model, **rules.options)
    try:
        settings = {"model": engine.name, "prompt": f"helpfulness-{_prompts()['version']}"}
        with Journal(scores, settings) as journal, progress_bar("helpfulness", None, journal.resumed) as advance:
            pairs = ((number, read_annotated_turn(dialogue_from_row(row))) for number, row in rows)
            # Journal lines count from 1, as those of a file do.
            due = ((n, row) for n, row in pairs if row.turn.response and not journal.holds(n + 1, row.turn.dialogue.id))
            for number, id, gain in gains(engine, due):
                journal.append(number + 1, id, {"gain": round(gain, 6)})
                advance()
    finally:
        engine.close()
    for row in _scored(scores):
        if row["gain"] < rules.min_gain:
            yield row["line"] - 1, f"gain {row['gain']:.3f} nats a word, at least {rules.min_gain:g} wanted"


def gains(engine: ScoringEngine, rows: Iterable[tuple[int, AnnotatedTurn]]) -> Iterator[tuple[int, str, float]]:
    """Score rows that have a reply.

    Yields:
        (number, id, gain in nats a word of the reply).

    Raises:
        ThanosError: if the engine can't score.
    """
    if not isinstance(engine, ScoringEngine):
        raise ThanosError(f"helpfulness: {engine.name} gives no likelihoods; use embedded, hf/... or vllm/...")
    held: dict[int, AnnotatedTurn] = {}
    halves: dict[int, dict[bool, float]] = {}

    def asked() -> Iterator[tuple[Request, list[str]]]:
        for number, row in rows:
            held[number] = row
            for thinking in (False, True):
                messages = _messages(engine, row, thinking)
                yield Request(key=(number, thinking), messages=messages, max_tokens=0), [row.turn.response.words()]

    left, right = tee(asked())
    for (number, thinking), (log_likelihood,) in engine.score((r for r, _ in left), (texts for _, texts in right)):
        pair = halves.setdefault(number, {})
        pair[thinking] = log_likelihood
        if len(pair) == 2:
            row = held.pop(number)
            del halves[number]
            length = max(1, len(row.turn.response.words().split()))
            yield number, row.turn.dialogue.id, (pair[True] - pair[False]) / length


@dataclass(frozen=True)
class _ReplyPrompt:
    """Renders one of the two prompts; it has what `thanos.prompts.fit` asks of a prompt."""

    name: str
    row: AnnotatedTurn

    def render(self, dialogue: Dialogue) -> list[Message]:
        values = {
            "social_context": dialogue.social_context,
            "dialogue": dialogue.text(),
            "speaker": self.row.turn.speaker,
            "explanation": self.row.explanation,
            "skill": self.row.skill.value,
        }
        user = _prompts()[self.name].format_map(values)
        return [{"role": "system", "content": _prompts()["system"]}, {"role": "user", "content": user}]


def _messages(engine: Any, row: AnnotatedTurn, thinking: bool) -> list[Message]:
    prompt = _ReplyPrompt("with" if thinking else "without", row)
    budget = None
    if engine.context_window:
        reply = engine.count_tokens([{"role": "assistant", "content": row.turn.response.words()}])
        budget = engine.context_window - reply
    return fit(row.turn.dialogue, prompt, engine.count_tokens, budget).messages


@cache
def _prompts() -> dict[str, Any]:
    return yaml.safe_load(files("thanos.data").joinpath("helpfulness.yaml").read_text(encoding="utf-8"))


def _scored(path: Path) -> Iterator[dict[str, Any]]:
    with path.open("rb") as file:
        yield from map(json.loads, file)
