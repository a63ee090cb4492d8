"""MultiWOZ 2.2 (Zang et al., 2020): a visitor to Cambridge and a booking assistant."""

from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import A, B, dialogue
from thanos.sources.fields import mapping, need, text, texts
from thanos.sources.render import sentences
from thanos.sources.source import Row, Source, Unusable


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """`turns` is an object of lists; `speaker` is 0 for the user (Speaker A), 1 for the system (Speaker B)."""
    row = rows[0]
    need(row, "turns")
    turns = mapping(row, "turns")
    need(turns, "utterance", "speaker")
    utterances, roles = texts(turns, "utterance"), turns["speaker"]
    if not isinstance(roles, list) or len(roles) != len(utterances):
        raise Unusable("`turns.utterance` and `turns.speaker` differ in length")
    if any(role not in (0, 1, "USER", "SYSTEM") for role in roles):
        raise Unusable("a `turns.speaker` that is neither 0 (user) nor 1 (system)")
    said = [
        Turn(speaker=A if role in (0, "USER") else B, text=words) for role, words in zip(roles, utterances, strict=True)
    ]
    services = texts(row, "services") or _active_services(turns.get("frames"))
    context = sentences(
        f"{A} asks for help with a visit to Cambridge; {B} is the booking assistant",
        services and f"It is about: {', '.join(services)}",
    )
    yield dialogue("multiwoz22", text(row, "dialogue_id") or place, said, context)


def _active_services(frames: object) -> list[str]:
    """Services named by the turns' frames, in the order in which they come up; some dialogues list none otherwise."""
    found = {}
    for frame in frames if isinstance(frames, list) else []:
        if isinstance(frame, dict):
            found |= dict.fromkeys(texts(frame, "service"))
    return list(found)


SOURCE = Source(
    name="multiwoz22",
    hub_id="pfb30/multi_woz_v22",
    licence="MIT",
    rows=10_437,
    context="who asks and who assists, the services it is about",
    dialogues=dialogues,
)
