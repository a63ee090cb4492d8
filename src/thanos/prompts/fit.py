"""Make a dialogue fit a model's context window: the oldest turns go first, the template never."""

from collections.abc import Callable
from dataclasses import dataclass

from thanos.dialogue import Dialogue
from thanos.errors import ThanosError
from thanos.prompts.template import Message, Prompt

CHARACTERS_PER_TOKEN_AT_MOST = 16
"""No tokenizer packs more of running text into a token on average, so longer texts are cut before they are counted."""


@dataclass(frozen=True)
class FittedPrompt:
    """A prompt that fits, and what had to be left out for it."""

    messages: list[Message]
    dropped_turns: int = 0
    dropped_characters: int = 0
    """Characters cut from the beginning of the oldest kept turn and the end of the social context."""

    @property
    def truncated(self) -> dict[str, int] | None:
        """For the output row: what was cut, or None."""
        if not self.dropped_turns and not self.dropped_characters:
            return None
        return {"turns": self.dropped_turns, "characters": self.dropped_characters}


@dataclass(frozen=True)
class ShortenedDialogue:
    """A dialogue of which the prompt fits, and what had to be left out for it; see `FittedPrompt`."""

    dialogue: Dialogue
    dropped_turns: int = 0
    dropped_characters: int = 0


def fit(
    dialogue: Dialogue, prompt: Prompt, count_tokens: Callable[[list[Message]], int], budget: int | None
) -> FittedPrompt:
    """Render a dialogue into at most `budget` tokens.

    Args:
        count_tokens: Tokens of a rendered prompt, with the chat template's own.
        budget: The model's context window less what it is to write; None if the window isn't known.

    Raises:
        ThanosError: if not even the template fits.
    """
    if budget is None:
        return FittedPrompt(prompt.render(dialogue))
    short = shorten(dialogue, prompt, count_tokens, budget)
    return FittedPrompt(prompt.render(short.dialogue), short.dropped_turns, short.dropped_characters)


def shorten(
    dialogue: Dialogue, prompt: Prompt, count_tokens: Callable[[list[Message]], int], budget: int
) -> ShortenedDialogue:
    """Leave out of a dialogue what keeps its prompt from fitting into `budget` tokens; see `fit`."""
    messages = prompt.render(dialogue)
    longest = budget * CHARACTERS_PER_TOKEN_AT_MOST
    if sum(len(m["content"]) for m in messages) <= longest and count_tokens(messages) <= budget:
        return ShortenedDialogue(dialogue)

    def count(context: str, turns: list) -> int:
        return count_tokens(prompt.render(dialogue.model_copy(update={"social_context": context, "turns": turns})))

    last = dialogue.turns[-1]
    stub = last.model_copy(update={"text": "", "image": None})
    template = count("", [stub])
    if template > budget:
        raise ThanosError(
            f"the prompt {prompt.name!r} alone is longer than the {budget} tokens that the model has for it"
        )
    half = template + (budget - template) // 2  # the social context may take half of the room, the dialogue the rest
    context = dialogue.social_context[:longest]
    if count(context, [stub]) > half:
        context = context[: _most(len(context), lambda n: count(context[:n], [stub]) <= half)]

    turns = dialogue.turns
    # Turns beyond `budget` can't fit (each costs a token or more), so they needn't be counted.
    kept = _most(
        min(len(turns), budget), lambda n: _length(turns[-n:]) <= longest and count(context, turns[-n:]) <= budget
    )
    dropped_characters = len(dialogue.social_context) - len(context)
    if kept:
        turns = turns[-kept:]
    else:
        words = last.words()
        tail = words[-longest:]
        end = lambda n: [stub.model_copy(update={"text": tail[len(tail) - n :]})]
        keep = _most(len(tail), lambda n: count(context, end(n)) <= budget)
        turns = end(keep)
        dropped_characters += len(words) - keep
    shorter = dialogue.model_copy(update={"social_context": context, "turns": turns})
    return ShortenedDialogue(shorter, len(dialogue.turns) - len(turns), dropped_characters)


def _length(turns: list) -> int:
    return sum(len(turn.text) for turn in turns)


def _most(n: int, fits: Callable[[int], bool]) -> int:
    """The largest k <= n that fits, by bisection; 0 if none does."""
    low, high = 0, n
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if fits(middle) else (low, middle - 1)
    return low
