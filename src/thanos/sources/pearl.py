"""Pearl (Kim et al., 2024): a seeker and a recommender of films, grounded in the seeker's reviews."""

import re
from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import dialogue
from thanos.sources.fields import need, number, text, texts
from thanos.sources.render import lines
from thanos.sources.source import Row, Source, Unusable

_TURN = re.compile(r"^\s*(Seeker|Recommender)\s*:\s*(.*)$", re.DOTALL)


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """`dialogue` is a list of `Seeker: ...` and `Recommender: ...`, with empty texts in between here and there."""
    row = rows[0]
    need(row, "dialogue")
    turns = []
    for said in texts(row, "dialogue"):
        match = _TURN.match(said)
        if match:
            turns.append(Turn(speaker=match[1], text=match[2].strip()))
        elif said:
            raise Unusable("an entry of `dialogue` without `Seeker:` or `Recommender:`")
    persona = text(row, "user_persona")
    context = lines(
        "Seeker looks for a film to watch, Recommender knows films.",
        persona and f"What Seeker wrote of films before:\n{persona}",
    )
    movie = text(row, "gt_movie_title")
    yield dialogue("pearl", number(row, "data_id") or place, turns, context, recommended=movie)


SOURCE = Source(
    name="pearl",
    hub_id="LangAGI-Lab/pearl",
    licence="CC BY 4.0",
    rows=57_277,
    context="the seeker's own reviews of films",
    dialogues=dialogues,
)
