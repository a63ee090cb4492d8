"""Stark (Lee et al., 2024): friends over several sessions who also share pictures.

Two namings are read: the hub's Parquet (`session1:utterances`, lists as JSON text) and the authors' local JSON
(`session1:utterance`, real lists).
"""

import json
import re
from collections.abc import Iterator
from typing import Any

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import dialogue
from thanos.sources.fields import number, text
from thanos.sources.render import article, bullets, lines, sentences
from thanos.sources.source import Row, Source, Unusable

MOST_SESSIONS = 6

_ESCAPE = re.compile(r"((?:\\u[0-9a-fA-F]{4})+)")


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue | Unusable]:
    """Each session is a dialogue of its own; the person and what happened before are in its social context."""
    row = rows[0]
    sessions = [n for n in range(1, MOST_SESSIONS + 1) if _column(row, n, "utterance") is not None]
    if not sessions:
        raise Unusable("no `sessionN:utterances` (or `:utterance`) that isn't null")
    episode = number(row, "index") or number(row, "unique_id") or place
    for n in sessions:
        try:
            context = _context(row, n, len(sessions))
            turns = _turns(row, n)
            yield dialogue("stark", f"{episode}:session{n}", turns, context, dialogue_group=episode)
        except Unusable as reason:
            yield reason


def _turns(row: Row, n: int) -> list[Turn]:
    said, who = (entries(_column(row, n, name), f"sessionN:{name}s") for name in ("utterance", "speaker"))
    shown = entries(_column(row, n, "image_description"), "sessionN:image_descriptions") or [""] * len(said)
    if not len(said) == len(who) == len(shown):
        raise Unusable("`sessionN:utterances`, `:speakers` and `:image_descriptions` differ in length")
    if not all(who):
        raise Unusable("`sessionN:speakers` holds an empty name")
    return [
        Turn(speaker=name, text=words, image=image or None) for name, words, image in zip(who, said, shown, strict=True)
    ]


def entries(value: Any, column: str) -> list[str]:
    """A column's texts: a list, the JSON of one, or the JSON of that JSON; [] for null. An inner list becomes one text.

    `\\\\u53cb` that a second encoding left behind becomes its letter.
    """
    for _ in range(2):
        if isinstance(value, str):
            try:
                value = json.loads(value) if value.strip() else None
            except ValueError:
                raise Unusable(f"`{column}` isn't JSON") from None
    if value is None:
        return []
    if not isinstance(value, list):
        raise Unusable(f"`{column}` isn't a list")
    return [_entry(item, column) for item in value]


def _entry(item: Any, column: str) -> str:
    if isinstance(item, list):
        return ", ".join(part for part in (_entry(inner, column) for inner in item) if part)
    if item is None:
        return ""
    if not isinstance(item, str):
        raise Unusable(f"`{column}` holds something that isn't text")
    return unescaped(item).strip()


def unescaped(words: str) -> str:
    """`\\\\u53cb` -> its letter, pairs of halves included; a half without its other half stays as it is."""

    def letters(match: re.Match) -> str:
        codes = bytes.fromhex(match.group().replace("\\u", ""))
        try:
            return codes.decode("utf-16-be")
        except UnicodeDecodeError:
            return match.group()

    return _ESCAPE.sub(letters, words)


def _column(row: Row, n: int, name: str) -> Any:
    """A session's column under the plural or the singular name."""
    plural, singular = row.get(f"session{n}:{name}s"), row.get(f"session{n}:{name}")
    return plural if plural is not None else singular


def _context(row: Row, n: int, sessions: int) -> str:
    """Who the person is, what happened in earlier sessions, and what this one follows."""
    fact = lambda name: unescaped(text(row, f"session{n}:{name}"))
    since, date = fact("time_interval"), fact("date")
    return lines(
        _person(row),
        bullets(
            "What happened in earlier sessions, oldest first:", (text(row, f"session{k}:event") for k in range(1, n))
        ),
        sentences(
            f"This is session {n} of {sessions}" + (f", on {date}" if date else ""),
            since and n > 1 and f"Time since the last session: {since}",
            fact("experience") and f"What was lived through since: {fact('experience')}",
            fact("event") and f"What it is about: {fact('event')}",
        ),
    )


def _person(row: Row) -> str:
    name, age, gender = text(row, "name"), number(row, "age"), text(row, "gender")
    noun = " ".join(part for part in (age and f"{age}-year-old", gender or (age and "person")) if part)
    who = name or "The main speaker"
    return sentences(
        noun and f"{who} is {article(noun)}",
        text(row, "birthplace") and f"Born in {text(row, 'birthplace')}",
        text(row, "residence") and f"Lives in {text(row, 'residence')}",
        text(row, "persona_sentence") and f"{who} says: {text(row, 'persona_sentence')}",
        text(row, "persona_commonsense_inference"),
    )


SOURCE = Source(
    name="stark",
    hub_id="passing2961/stark-dialogue",
    licence="CC BY-NC 4.0",
    rows=86_900,
    context="age, gender, places and persona of one speaker, time since the last session, what happened before",
    dialogues=dialogues,
)
