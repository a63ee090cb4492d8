"""What a model wrote -> the reply alone: no copied name, no quotation marks, and not a word of another's turn."""

import re
from collections.abc import Iterable, Iterator
from functools import lru_cache

from thanos.dialogue.types import whole_characters

OWN_ROLES = ("Assistant", "AI")
"""Names that chat models write for their own turn."""
ROLES = ("User", "Human", "System")
"""Names that chat models write when they go on with somebody else's."""
_PAIRS = {'"': '"', "“": "”", "«": "»", "'": "'", "‘": "’"}
_CLOSING = "\"'”’»"
# A sentence ends where a blank follows: "3.5" doesn't end one.
_SENTENCE = re.compile(r".*?[.!?…]+[\"”»’')\]*]*(?=\s)", re.S)


def read_reply(text: str, speaker: str, others: Iterable[str] = (), cut: bool = False) -> str:
    """Take the next speaker's words out of a model's text.

    The name in front is dropped. The reply ends where another turn begins, or with the first sentence that was said
    before (a small model in a loop).

    Args:
        text: As the model wrote it.
        speaker: Whose turn it is.
        others: The other speakers.
        cut: The model ran out of room: an unfinished last sentence is dropped, if there is a whole one before it.

    Returns:
        The reply, stripped; "" if nothing is left.
    """
    body, ended = _own_turn(f"{whole_characters(text).strip()}\n", speaker, tuple(others))
    if cut and not ended:
        sentences = list(_SENTENCE.finditer(body))
        body = body[: sentences[-1].end()] if sentences else body
    return _unquoted(body.strip())


def read_stream(pieces: Iterable[str], speaker: str, others: Iterable[str] = ()) -> Iterator[str]:
    """`read_reply` while the text is being written.

    Holds back what may yet turn out to be a name, a repetition or a closing quotation mark, and stops the writing
    where the reply ends. Joined, what is yielded is what `read_reply` makes of the whole text.
    """
    others = tuple(others)
    text = shown = ""
    for piece in pieces:
        text += piece
        body, ended = _own_turn(whole_characters(text).lstrip(), speaker, others)
        if ended:
            break
        sure = _sure_part(body, speaker, others)
        if len(sure) > len(shown):
            yield sure[len(shown) :]
            shown = sure
    if rest := read_reply(text, speaker, others)[len(shown) :]:
        yield rest


def _own_turn(text: str, speaker: str, others: tuple[str, ...]) -> tuple[str, bool]:
    """The speaker's own turn, and whether its end was seen."""
    # A newline in front, so that the first line is looked at like the others.
    text = f"\n{text}"
    own, turn = _turn_of((speaker, *OWN_ROLES)), _turn_of((speaker, *others, *OWN_ROLES, *ROLES))
    if turn.match(text):
        mine = own.search(text)
        if mine is None:
            return "", False
        text = text[mine.end() :]
    end = turn.search(text)
    body = (text[: end.start()] + "\n" if end else text).lstrip()
    repeated = _repetition(body)
    return (body if repeated is None else body[:repeated]), end is not None or repeated is not None


def _repetition(text: str) -> int | None:
    """Where the first sentence begins that was said before; one-word sentences may be said again."""
    seen: set[str] = set()
    for sentence in _SENTENCE.finditer(text):
        words = _words(sentence.group())
        if words in seen and " " in words:
            return sentence.start()
        seen.add(words)
    return None


def _words(text: str) -> str:
    return " ".join(text.lower().split())


def _sure_part(body: str, speaker: str, others: tuple[str, ...]) -> str:
    """What of an unfinished reply nothing that follows can change."""
    if not body or body[0] in _PAIRS:
        return ""  # quotation marks around the whole are seen at its end only
    begun = _begun_turn((speaker, *others, *OWN_ROLES, *ROLES)).search(f"\n{body}")
    if begun:
        body = body[: max(0, begun.start() - 1)]
    whole = list(_SENTENCE.finditer(body))
    end = whole[-1].end() if whole else 0
    last = _words(body[end:])
    if any(_words(sentence.group()).startswith(last) for sentence in whole):
        body = body[:end]
    # Half an emoji may still become a whole one.
    return body.rstrip("\ufffd").rstrip().rstrip(_CLOSING).rstrip()


def _unquoted(text: str) -> str:
    """Without the quotation marks around the whole, or a last one whose partner stood before the speaker's name."""
    if len(text) > 1 and _PAIRS.get(text[0]) == text[-1] and text[0] not in text[1:-1]:
        return text[1:-1].strip()
    lone = (text.endswith('"') and text.count('"') == 1) or (text.endswith("”") and "“" not in text)
    return text[:-1].strip() if lone else text


_START = r'(?:\n\s*|(?<=[.!?…"”])\s+)["“*_]{0,3}'
_MANNER = r"[*_]{0,2}\s*(?:\([^)\n]{1,40}\)\s*)?"


@lru_cache(maxsize=64)
def _turn_of(names: tuple[str, ...]) -> re.Pattern:
    """Where a turn begins: `Sam:`, `**Sam**:`, `Sam (smiling):` on a new line, or after the end of a sentence."""
    return re.compile(rf"{_START}(?:{_alternatives(names)}){_MANNER}:[*_]{{0,2}}")


@lru_cache(maxsize=64)
def _begun_turn(names: tuple[str, ...]) -> re.Pattern:
    """The end of a text that may yet become what `_turn_of` finds."""
    begun = _alternatives([name[:n] for name in names for n in range(len(name))])
    manner = r"[*_]{0,2}\s*(?:\([^)\n]{0,40}|\([^)\n]{1,40}\)\s*)?"
    return re.compile(rf"{_START}(?:{begun}|(?:{_alternatives(names)}){manner})\Z")


def _alternatives(names: Iterable[str]) -> str:
    return "|".join(re.escape(name) for name in sorted(set(names), key=len, reverse=True))
