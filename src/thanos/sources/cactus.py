"""Cactus (Lee et al., 2024): counselling sessions in cognitive behavioural therapy."""

import re
from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import dialogue
from thanos.sources.fields import need, text, texts
from thanos.sources.render import lines, sentences
from thanos.sources.source import Row, Source, Unusable

OPENING = 2
"""A row with at most this many turns is an opening; whole sessions are many times longer."""

_TURN = re.compile(r"^[\s*]*(Counsell?or|Client)\s*(\([^()\n]*\))?\s*:(.*)$", re.IGNORECASE)
_VALUE_BELOW = re.compile(r"^(Name|Age|Gender):[ \t]*\n(?=\S)", re.MULTILINE)


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """`dialogue` is one text of `Counselor: ...` and `Client: ...` lines."""
    row = rows[0]
    need(row, "dialogue")
    turns = session(text(row, "dialogue"))
    attitude, form = text(row, "attitude"), _VALUE_BELOW.sub(r"\1: ", text(row, "intake_form"))
    thought = "" if form else text(row, "thought")
    context = lines(
        sentences(
            "A counselling session",
            attitude and f"The client's attitude is {attitude}",
            thought and f"The thought that troubles the client: {thought}",
        ),
        form and f"Client intake form:\n{form}",
    )
    yield dialogue(
        "cactus",
        place,
        turns,
        context,
        part="context" if len(turns) <= OPENING else None,
        thought=text(row, "thought"),
        patterns=texts(row, "patterns"),
        technique=text(row, "cbt_technique"),
        plan=text(row, "cbt_plan"),
    )


def session(said: str) -> list[Turn]:
    """Read the lines of a session.

    `**Client:** ...`, `Client (sighs): ...` and `Counselor:...` are met too: asterisks go, a direction stays before the
    words. A line that names nobody goes on with the turn before it.

    Raises:
        Unusable: if the session is empty or doesn't begin with a speaker.
    """
    turns: list[tuple[str, list[str]]] = []
    for line in said.split("\n"):
        match = _TURN.match(line)
        if match:
            role = "Client" if match[1].lower() == "client" else "Counselor"
            turns.append((role, [match[2] or "", match[3].strip().removeprefix("**").strip()]))
        elif turns:
            turns[-1][1].append(line.strip())
        elif line.strip():
            raise Unusable("`dialogue` doesn't begin with `Counselor:` or `Client:`")
    if not turns:
        raise Unusable("`dialogue` is empty")
    return [Turn(speaker=role, text=" ".join(part for part in parts if part)) for role, parts in turns]


SOURCE = Source(
    name="cactus",
    hub_id="LangAGI-Lab/cactus",
    licence="GPL-2.0",
    rows=31_577,
    context="the client's attitude and intake form",
    dialogues=dialogues,
)
