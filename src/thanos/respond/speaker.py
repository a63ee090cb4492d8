"""Who speaks next."""

from thanos.data.next_turn import read_next_turn
from thanos.dialogue import Dialogue

_ANSWERS = {"User": "Assistant", "Assistant": "User"}


def next_speaker(dialogue: Dialogue) -> str:
    """The speaker of the next turn.

    The row's own `speaker`, or the speaker of its `response`, or whoever spoke last before the last speaker; a chat of
    the user's messages alone is answered by "Assistant".

    Raises:
        ThanosError: if nobody can be said to speak next.
    """
    speakers = {turn.speaker for turn in dialogue.turns}
    if len(speakers) == 1 and not {"speaker", "response"} & dialogue.meta.keys():
        (only,) = speakers
        if only in _ANSWERS:
            return _ANSWERS[only]
    return " ".join(read_next_turn(dialogue).speaker.split())
