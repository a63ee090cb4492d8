"""What a model wrote -> the reply alone: no copied name, no quotation marks, and not a word of another's turn."""

import re
from collections.abc import Iterable

OWN_ROLES = ("Assistant", "AI")
"""Names that chat models write for their own turn."""
ROLES = ("User", "Human", "System")
"""Names that chat models write when they go on with somebody else's."""
_PAIRS = {'"': '"', "“": "”", "«": "»", "'": "'", "‘": "’"}
_SENTENCE = re.compile(r"\s*[^.!?…]*[.!?…]+[\"”»’')\]*]*(?=\s|$)|\s*[^.!?…]*[.!?…]+")


def read_reply(text: str, speaker: str, others: Iterable[str] = (), cut: bool = False) -> str:
    """Take the next speaker's words out of a model's text.

    Args:
        text: As the model wrote it.
        speaker: Whose turn it is; this name in front is dropped.
        others: The other speakers; where one of their turns begins, the reply ends.
        cut: The model ran out of room: an unfinished last sentence is dropped, and whatever follows the first sentence
            that repeats an earlier one (a small model in a loop), if there is a whole one before it.

    Returns:
        The reply, stripped; "" if nothing is left.
    """
    # A newline in front, so that the first line is looked at like the others.
    text = "\n" + text.strip()
    own, turn = _turn_of([speaker, *OWN_ROLES]), _turn_of([speaker, *others, *OWN_ROLES, *ROLES])
    first = turn.match(text)
    if first and (mine := own.search(text)):
        text = text[mine.end() :]
    elif first:
        return ""
    if end := turn.search(text):
        text, cut = text[: end.start()], False
    text = text.strip()
    if cut:
        text = _whole_sentences(text)
    return _unquoted(text)


def _unquoted(text: str) -> str:
    """Without the quotation marks around the whole, or a last one whose partner stood before the speaker's name."""
    if len(text) > 1 and _PAIRS.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        return text[1:-1].strip()
    lone = (text.endswith('"') and text.count('"') == 1) or (text.endswith("”") and "“" not in text)
    return text[:-1].strip() if lone else text


def _whole_sentences(text: str) -> str:
    seen: set[str] = set()
    end = 0
    for sentence in _SENTENCE.finditer(text):
        words = sentence.group().strip().lower()
        if words in seen and " " in words:
            break
        seen.add(words)
        end = sentence.end()
    return text[:end] or text


def _turn_of(names: Iterable[str]) -> re.Pattern:
    """Where a turn begins: `Sam:`, `**Sam**:`, `Sam (smiling):` on a new line, or after the end of a sentence."""
    known = "|".join(re.escape(name) for name in sorted(set(names), key=len, reverse=True))
    return re.compile(
        rf'(?:\n\s*|(?<=[.!?…\"”])\s+)["“*_]{{0,3}}(?:{known})[*_]{{0,2}}\s*(?:\([^)\n]{{1,40}}\)\s*)?:[*_]{{0,2}}'
    )
