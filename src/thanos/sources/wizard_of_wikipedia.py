"""Wizard of Wikipedia (Dinan et al., 2019): a curious apprentice and a wizard who can look things up.

Two shapes are read: the hub's DialogStudio rows (`log`) and the authors' own rows (`dialog`).
"""

from collections.abc import Iterator

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import A, B, dialogue
from thanos.sources.fields import mapping, objects, text
from thanos.sources.render import sentences
from thanos.sources.source import Row, Source, Unusable


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """The Apprentice is Speaker A, the Wizard Speaker B, whoever opens.

    The release's own id numbers each split anew or is empty, so a dialogue is known by its row's place.
    """
    row = rows[0]
    if row.get("log") is not None:
        turns, info = _from_log(row), mapping(row, "original dialog info")
    elif row.get("dialog") is not None:
        turns, info = _from_dialog(row), row
    else:
        raise Unusable("neither `log` nor `dialog`")
    topic, persona = text(info, "chosen_topic"), text(info, "persona")
    context = sentences(
        topic and f"The topic is {topic}",
        persona and f"It was chosen to go with this line of a persona: {persona}",
        f"{A} is curious; {B} can look things up and likes to share what it knows",
    )
    yield dialogue("wizard_of_wikipedia", place, turns, context, hub_dialogue_id=text(row, "new dialog id"))


def _from_log(row: Row) -> list[Turn]:
    """Pairs of user and system; the first user part is empty where the Wizard opens, the last system part may be."""
    turns = []
    for pair in objects(row, "log"):
        said = ((A, text(pair, "user utterance")), (B, text(pair, "system response")))
        turns += [Turn(speaker=who, text=words) for who, words in said if words]
    return turns


def _from_dialog(row: Row) -> list[Turn]:
    turns = []
    for turn in objects(row, "dialog"):
        role = text(turn, "speaker")
        if not role.endswith(("Wizard", "Apprentice")):
            raise Unusable("a `speaker` that is neither Wizard nor Apprentice")
        turns.append(Turn(speaker=B if role.endswith("Wizard") else A, text=text(turn, "text")))
    return turns


SOURCE = Source(
    name="wizard_of_wikipedia",
    hub_id="Salesforce/dialogstudio",
    config="wizard_of_wikipedia",
    licence="CC BY 4.0",
    rows=22_311,
    context="topic, the persona's line behind it, who can look things up",
    dialogues=dialogues,
)
