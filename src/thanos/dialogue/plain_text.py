"""Dialogue as people write it down: `Name: words`, one turn a line."""

import re

from thanos.dialogue.types import Dialogue, Turn
from thanos.errors import ThanosError

# A name is short and holds no sentence end; the colon may be followed by nothing (an empty turn).
_LINE = re.compile(r"^\s*([^:\n]{1,60}?)\s*:\s?(.*?)\s*$")


def turn_from_line(line: str, where: str) -> Turn:
    """`Name: words` -> Turn. Raises ThanosError when no name stands before a colon."""
    match = _LINE.match(line)
    if not match or not match.group(1).strip():
        raise ThanosError(f"{where}: a turn without a speaker; write `Name: words`")
    return Turn(speaker=match.group(1), text=match.group(2))


def turns_from_text(text: str) -> list[Turn]:
    """One turn a line; blank lines and blanks before a name don't count."""
    lines = enumerate(text.splitlines(), start=1)
    return [turn_from_line(line, f"line {n}") for n, line in lines if line.strip()]


def dialogue_from_text(text: str, id: str = "") -> Dialogue:
    """A whole file of plain text: leading lines that begin with `#` are the social context, the rest are turns.

    Raises:
        ThanosError: if there is no turn, or a line has no speaker.
    """
    lines = text.splitlines()
    start = next((i for i, line in enumerate(lines) if line.strip() and not line.lstrip().startswith("#")), len(lines))
    context = "\n".join(line.lstrip().lstrip("#").strip() for line in lines[:start]).strip()
    # Blank lines in front keep the line numbers of error messages those of the file.
    turns = turns_from_text("\n" * start + "\n".join(lines[start:]))
    if not turns:
        raise ThanosError("empty dialogue; write `Name: words`, one turn a line")
    return Dialogue(id=id, turns=turns, social_context=context)
