"""Synthetic-Persona-Chat (Jandaghi et al., 2023): two users with personas, written by a language model."""

import re
from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import dialogue
from thanos.sources.fields import need, text
from thanos.sources.placeholders import placeholders
from thanos.sources.render import bullets, lines
from thanos.sources.source import Row, Source, Unusable

FIELD = "Best Generated Conversation"

_TURN = re.compile(r"^([\s*]*)User ([12])\s*:[\s*]*(.*)$")
_RULE = re.compile(r"^[\s*]*$")
_SCENE = re.compile(r"^(\(.*\)|\[.*\]|\*[^*]+\*)$")
_PERSONA_AGAIN = re.compile(r"^User [12](?:'s)? (?:Profile|Persona)", re.IGNORECASE)
_NAMED = re.compile(r"^([A-Z][\w'.]*): (\S.*)$")
_THE_END = "End of conversation."


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """Personas are one sentence a line, the conversation is `User 1: ...` lines."""
    row = rows[0]
    need(row, FIELD)
    turns = conversation(text(row, FIELD))
    one, two = (text(row, f"user {n} personas").split("\n") for n in (1, 2))
    context = lines(
        bullets("User 1's persona:", (line.strip() for line in one)),
        bullets("User 2's persona:", (line.strip() for line in two)),
    )
    yield dialogue("syn_persona_chat", place, turns, context, placeholders=placeholders(turns))


def conversation(said: str) -> list[Turn]:
    """Read the lines of a conversation.

    `*User 1:*` and the like are `User 1:`; `* * *` is nothing. A bracketed or starred line is a stage direction before
    the turn that follows, any other line goes on with the turn before it. A third speaker
    is one whom the users have named.

    Raises:
        Unusable: if the conversation is empty, or it can't be known who begins it.
    """
    turns: list[tuple[str, list[str]]] = []
    before: list[str] = []
    scene: list[str] = []
    for line in said.split("\n"):
        match = _TURN.match(line)
        if match:
            stars, who, words = match.groups()
            turns.append((f"User {who}", [*scene, words.rstrip("* \r" if stars.strip() else None)]))
            scene = []
        elif _RULE.match(line) or line.strip() == _THE_END:
            continue
        elif _PERSONA_AGAIN.match(line):
            break
        elif _SCENE.match(line.strip()):
            scene.append(line.strip())
        elif not turns:
            before.append(line.strip())
        elif (named := _NAMED.match(line)) and any(named[1] in words for _, parts in turns for words in parts):
            turns.append((named[1], [*scene, named[2]]))
            scene = []
        else:
            turns[-1][1].append(line.strip())
    if not turns:
        raise Unusable(f"`{FIELD}` names no speaker" if before else f"`{FIELD}` is empty")
    if before and turns[0][0] == "User 1":
        raise Unusable(f"`{FIELD}` begins with words of nobody")
    if before:  # what User 2 answers was said by User 1
        turns.insert(0, ("User 1", before))
    turns[-1][1].extend(scene)
    return [Turn(speaker=who, text=_joined(parts)) for who, parts in turns]


def _joined(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else " ".join(filter(None, parts))


SOURCE = Source(
    name="syn_persona_chat",
    hub_id="google/Synthetic-Persona-Chat",
    licence="CC BY 4.0",
    rows=10_906,
    context="the personas of both users",
    dialogues=dialogues,
)
