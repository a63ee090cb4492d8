"""Conversation Chronicles (Jang et al., 2023): five sessions of the same two people, with time between them."""

import re
from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import dialogue
from thanos.sources.fields import text, texts
from thanos.sources.render import bullets, lines, sentences
from thanos.sources.source import Row, Source, Unusable

SESSIONS = ("first", "second", "third", "fourth", "fifth")

_STRIPPED_VOCATIVE = re.compile(r"^,\s*")
_LETTER = re.compile(r" [AB]$")


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue | Unusable]:
    """Each session is a dialogue of its own; what came before it is in its social context."""
    row = rows[0]
    if all(row.get(f"{name}_session_dialogue") is None for name in SESSIONS):
        raise Unusable("no `..._session_dialogue` field that isn't null")
    for n, name in enumerate(SESSIONS):
        try:
            yield _session(row, place, n, name)
        except Unusable as reason:
            yield reason


def _session(row: Row, place: str, n: int, name: str) -> Dialogue:
    utterances, speakers = texts(row, f"{name}_session_dialogue"), texts(row, f"{name}_session_speakers")
    if not utterances:
        raise Unusable(f"`{name}_session_dialogue` is missing, null or empty")
    if len(utterances) != len(speakers) or not all(speakers):
        raise Unusable(f"`{name}_session_speakers` doesn't name a speaker for each utterance")
    # An utterance that called the other by name had the name taken away, and kept the comma.
    said = [_STRIPPED_VOCATIVE.sub("", utterance) for utterance in utterances]
    turns = [Turn(speaker=who, text=words) for who, words in zip(speakers, said, strict=True)]
    return dialogue(
        "conversation_chronicles",
        f"{text(row, 'dataID') or place}:session{n + 1}",
        turns,
        _context(row, n, list(dict.fromkeys(speakers))),
        dialogue_group=text(row, "dataID") or place,
    )


def _context(row: Row, n: int, names: list[str]) -> str:
    """Relationship, how often they met, time since then, and what the earlier sessions were about."""
    relationship = text(row, "relationship") or " and ".join(dict.fromkeys(_LETTER.sub("", name) for name in names))
    intervals, summaries = texts(row, "time_interval"), texts(row, "summary")
    since = intervals[n] if 0 < n < len(intervals) else ""
    if n == 0:
        met = f"{' and '.join(names)} talk"
    else:
        met = f"{' and '.join(names)} know each other and talk again; they have talked {_times(n)} before"
    return lines(
        sentences(met, f"Relationship: {relationship}", since and f"Time since they last talked: {since}"),
        bullets("Their earlier talks, oldest first:", summaries[:n]),
    )


def _times(n: int) -> str:
    return {1: "once", 2: "twice"}.get(n, f"{n} times")


SOURCE = Source(
    name="conversation_chronicles",
    hub_id="jihyoung/ConversationChronicles",
    licence="CC BY 4.0",
    rows=200_000,
    context="relationship, time since the last talk, summaries of the earlier sessions",
    dialogues=dialogues,
)
