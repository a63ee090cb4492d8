"""What one public dialogue set is, and how its rows become dialogues."""

from collections.abc import Callable, Hashable, Iterable
from dataclasses import dataclass
from typing import Any

from thanos.dialogue import Dialogue
from thanos.errors import ThanosError

Row = dict[str, Any]
"""One row as the set's hub release has it."""


class Unusable(ThanosError):
    """Why a row, or a part of it, gives no dialogue.

    The same cause always has the same words (field names, never values), so that reasons can be counted.
    """


@dataclass(frozen=True)
class Source:
    """One dialogue set."""

    name: str
    """As on the command line, in recipes and at the head of turn ids."""
    hub_id: str
    """Hugging Face hub id of the release whose row schema is read."""
    licence: str
    """Licence of the texts, as the release or its authors' repository states it."""
    rows: int
    """Rows of the release, all splits together."""
    context: str
    """What its social contexts hold, in a few words."""
    dialogues: Callable[[list[Row], str], Iterable[Dialogue | Unusable]]
    """(rows of one dialogue, place of the first one, counted from 0) -> its dialogues. A part that can't be used is
    returned as its reason, a row that gives nothing at all may raise it."""
    config: str | None = None
    """Configuration of the hub release, where it has several."""
    split: str = "train"
    """Split that is read by hub id unless another is asked for."""
    same_dialogue: Callable[[Row], Hashable | None] | None = None
    """Key that consecutive rows of one dialogue share; None (also for a row): the row stands alone."""
