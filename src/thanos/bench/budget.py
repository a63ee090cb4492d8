"""One prompt budget for all models: the same turns of a dialogue reach each of them, or none is asked at all."""

from collections.abc import Iterable
from importlib.resources import files

import yaml

from thanos.dialogue import Dialogue
from thanos.engines.protocol import Engine
from thanos.errors import ThanosError
from thanos.prompts import Message, Prompt, ShortenedDialogue, shorten

DIALOGUE_BYTES = 3000
"""Most bytes of social context and dialogue. With the longest built-in prompt and room for an explanation this fits
into the 2,048 tokens of the embedded model, which has the smallest window. Bytes, since tokens are each model's own."""

PLAIN = Prompt.model_validate(
    {"name": "plain", **yaml.safe_load(files("thanos.bench").joinpath("plain.yaml").read_text(encoding="utf-8"))}
)
"""Social context and dialogue, and nothing else: what the baselines read, and what the budget counts."""


def within_budget(dialogue: Dialogue) -> ShortenedDialogue:
    """Leave out the oldest turns, and at most half of the room's worth of context, until the budget is kept."""
    return shorten(dialogue, PLAIN, _bytes, DIALOGUE_BYTES)


def check_window(engine: Engine, prompts: Iterable[tuple[str, list[Message]]], room: int) -> None:
    """Make sure that the engine sees every prompt whole.

    Args:
        prompts: (id, messages).
        room: Tokens for what the model writes.

    Raises:
        ThanosError: for the first prompt that doesn't fit; nothing is scored on other words than the other models saw.
    """
    window = engine.context_window
    if window is None:
        return
    for id, messages in prompts:
        tokens = engine.count_tokens(messages)
        if tokens + room > window:
            raise ThanosError(
                f"{engine.name} has a window of {window} tokens, and {id} needs {tokens} and {room} for the answer: "
                "every model must see the same prompt; use a shorter --prompt or another model"
            )


def _bytes(messages: list[Message]) -> int:
    return sum(len(message["content"].encode()) for message in messages)
