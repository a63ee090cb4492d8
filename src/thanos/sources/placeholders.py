"""Names that a language model left blank: `[User 1's name]`, `(name)`, `[other character's name]`.

They stay as they are, since nobody knows what belongs there, but they are counted so that a filter can find them.
"""

import re
from collections.abc import Iterable

from thanos.dialogue import Turn

_BRACKET = re.compile(r"[\[(<{]")
_PLACEHOLDER = re.compile(
    r"[\[(<{](?:[^\])>}\n]{0,30}\b(?:name|user ?[12])|user[12_]?\w*)(?:'s \w+| \w+)?[\])>}]", re.IGNORECASE
)


def placeholders(turns: Iterable[Turn]) -> int | None:
    """How many there are in the turns; None if there is none."""
    texts = (turn.text for turn in turns if _BRACKET.search(turn.text))
    return sum(len(_PLACEHOLDER.findall(text)) for text in texts) or None
