"""A dialogue so far and the turn that comes next: what is annotated."""

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from thanos.data.turn_id import TurnId, parse_turn_id
from thanos.dialogue import Dialogue, Turn
from thanos.dialogue.row import turn_from_value
from thanos.errors import ThanosError

OWN_FIELDS = ("source", "speaker", "response")


@dataclass(frozen=True)
class NextTurn:
    """A turn to annotate."""

    dialogue: Dialogue
    """The turns before it, oldest first; `dialogue.id` is the turn's id."""
    speaker: str
    """Who speaks next."""
    response: Turn | None
    """What the speaker really said; None where the source doesn't give it."""
    source: str = ""

    @cached_property
    def id(self) -> TurnId:
        """The turn's id, taken apart."""
        return parse_turn_id(self.dialogue.id, self.source)

    def row(self) -> dict[str, Any]:
        """The JSON row, without what else the input row held."""
        return {
            "id": self.dialogue.id,
            "source": self.source,
            "social_context": self.dialogue.social_context,
            "dialogue": [turn_row(turn) for turn in self.dialogue.turns],
            "speaker": self.speaker,
            "response": None if self.response is None else turn_row(self.response),
        }


def turn_row(turn: Turn) -> dict[str, str]:
    """`{"speaker", "text"}`, with "image" where there is one."""
    row = {"speaker": turn.speaker, "text": turn.text}
    return row if turn.image is None else row | {"image": turn.image}


def read_next_turn(dialogue: Dialogue) -> NextTurn:
    """Take `speaker`, `response` and `source` out of what else a row held.

    Without `speaker` it's the speaker of the response, or else whoever spoke last before the last speaker.

    Raises:
        ThanosError: for a field of the wrong kind, or if nobody can be said to speak next.
    """
    meta = dialogue.meta
    source, response, speaker = meta.get("source"), meta.get("response"), meta.get("speaker")
    for name, value in (("source", source), ("speaker", speaker)):
        if value is not None and not isinstance(value, str):
            raise ThanosError(f"{name}: expected text, found {value!r}")
    turn = None if response is None else turn_from_value(response, "response")
    speaker = (speaker or "").strip() or (turn.speaker if turn else _other_speaker(dialogue))
    source = source or (dialogue.id.partition(":")[0] if ":" in dialogue.id else "")
    return NextTurn(dialogue, speaker, turn, source)


def _other_speaker(dialogue: Dialogue) -> str:
    last = dialogue.turns[-1].speaker
    for turn in reversed(dialogue.turns):
        if turn.speaker != last:
            return turn.speaker
    raise ThanosError('nobody to speak next: the dialogue has one speaker; add "speaker"')
