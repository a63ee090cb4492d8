"""Words of a text, and which of them carry content."""

import re
from importlib.resources import files

_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")

FUNCTION_WORDS = frozenset(files("thanos.data").joinpath("function_words.txt").read_text(encoding="utf-8").split())
"""Words too common to say what a reply is about."""


def words(text: str) -> list[str]:
    """Lower-case words in their order; punctuation is left out, an apostrophe inside a word is kept."""
    return _WORD.findall(text.lower().replace("’", "'"))


def content_words(tokens: list[str]) -> set[str]:
    """The words that carry content, cut down to a stem so that "plans" and "planning" meet."""
    return {_stem(word) for word in tokens if word not in FUNCTION_WORDS}


def _stem(word: str) -> str:
    for ending in ("ing", "ed", "es", "'s", "s", "ly"):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: -len(ending)]
    return word
