"""CaSiNo (Chawla et al., 2021): two campers share out packages of firewood, water and food."""

from collections.abc import Iterator
from typing import Any

from thanos.dialogue import Dialogue, Turn
from thanos.sources.build import A, B, dialogue
from thanos.sources.fields import mapping, need, number, objects, text
from thanos.sources.render import article, sentences
from thanos.sources.source import Row, Source, Unusable

SPEAKERS = {"mturk_agent_1": A, "mturk_agent_2": B}
GOODS = ("Firewood", "Water", "Food")
ACTIONS = {
    "Accept-Deal": "I accept the deal.",
    "Reject-Deal": "I reject the deal.",
    "Walk-Away": "I walk away from the negotiation.",
}


def dialogues(rows: list[Row], place: str) -> Iterator[Dialogue]:
    """Agent 1 is Speaker A, agent 2 Speaker B, whoever opens. Buttons that were pressed are put into words.

    `turn_labels` holds the strategies of an utterance as the set names them (buttons have none).
    """
    row = rows[0]
    need(row, "chat_logs")
    turns = []
    for entry in objects(row, "chat_logs"):
        who = SPEAKERS.get(text(entry, "id"))
        if who is None:
            raise Unusable("a `chat_logs.id` that is neither mturk_agent_1 nor mturk_agent_2")
        turns.append(Turn(speaker=who, text=_words(entry)))
    agents = mapping(row, "participant_info")
    campers = [_camper(name, mapping(agents, key)) for key, name in SPEAKERS.items()]
    context = sentences("Two campers negotiate over packages of food, water and firewood", *campers)
    yield dialogue("casino", place, turns, context, turn_labels=_strategies(row))


def _words(entry: dict[str, Any]) -> str:
    said = text(entry, "text")
    if said != "Submit-Deal":
        return ACTIONS.get(said, said)
    deal = mapping(entry, "task_data")
    mine, yours = (_amounts(mapping(deal, key)) for key in ("issue2youget", "issue2theyget"))
    return f"I propose this deal: I get {mine}, you get {yours}." if mine and yours else "I propose a deal."


def _amounts(packages: dict[str, Any]) -> str:
    """`3 firewood and 2 food`; "" where the amounts aren't given."""
    amounts = {good: number(packages, good) for good in GOODS}
    if not all(amounts.values()):
        return ""
    given = [f"{amount} {good.lower()}" for good, amount in amounts.items() if amount != "0"]
    return " and ".join([", ".join(given[:-1]), given[-1]] if len(given) > 1 else given) or "nothing"


def _camper(name: str, info: dict[str, Any]) -> str:
    """Who someone is and what they want, from their own answers; empty where nothing is known."""
    person = mapping(info, "demographics")
    age, gender, education = (number(person, key) for key in ("age", "gender", "education"))
    noun = " ".join(part for part in (age and f"{age}-year-old", gender or (age and "person")) if part)
    schooling = f" ({education})" if education else ""
    wishes = _wishes(mapping(info, "value2issue"), mapping(info, "value2reason"))
    who = f"{name} is {article(noun)}{schooling}" if noun else ""
    return sentences(who, wishes if who or not wishes else f"{name}: {wishes}")


def _wishes(issues: dict[str, Any], reasons: dict[str, Any]) -> str:
    parts = []
    for rank, words in (("High", "wants most"), ("Medium", "then"), ("Low", "least")):
        issue, reason = text(issues, rank), text(reasons, rank)
        if issue:
            parts.append(f"{words} {issue}" + (f" ({reason})" if reason else ""))
    wishes = ", ".join(parts)
    return wishes[:1].upper() + wishes[1:]


def _strategies(row: Row) -> list[str | None]:
    """`annotations` names the strategies of the utterances in order, and leaves out the buttons."""
    pairs = row.get("annotations") or []
    if not isinstance(pairs, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        raise Unusable("`annotations` isn't a list of pairs")
    labels, at = [], 0
    for entry in objects(row, "chat_logs"):
        match = at < len(pairs) and pairs[at][0] == entry.get("text")
        labels.append(pairs[at][1] if match else None)
        at += match
    return labels


SOURCE = Source(
    name="casino",
    hub_id="kchawla123/casino",
    licence="CC BY 4.0",
    rows=1_030,
    context="age, gender, education and priorities with reasons of both campers",
    dialogues=dialogues,
)
