"""Turns of public sets with the labels that people gave them."""

from collections import Counter
from collections.abc import Callable, Iterator

from thanos.bench.data import BenchData
from thanos.bench.items import Item, Items, choose
from thanos.bench.tasks.skill_map import SkillMap
from thanos.dialogue import Dialogue
from thanos.sources import SOURCES, read_dialogues, turn_id

Labelled = Iterator[tuple[int, str]]
"""(turn whose skill is asked for, counted from 0; its label as the set spells it)."""


def strategies(dialogue: Dialogue) -> Labelled:
    """Turns with a label of their own."""
    return _aligned(dialogue.meta.get("turn_labels"))


def acts(dialogue: Dialogue) -> Labelled:
    """Turns with a dialogue act."""
    return _aligned(dialogue.meta.get("acts"))


def replies(dialogue: Dialogue) -> Labelled:
    """Replies to turns with a label: the reply's skill shows how the turn was taken."""
    return ((turn + 1, label) for turn, label in _aligned(dialogue.meta.get("turn_labels"), first=0))


def photos(dialogue: Dialogue) -> Labelled:
    """Every turn but the first."""
    return ((i, "photo" if turn.image else "no photo") for i, turn in enumerate(dialogue.turns) if i)


def _aligned(labels: list[str | None] | None, first: int = 1) -> Labelled:
    return ((i, label) for i, label in enumerate(labels or []) if label and i >= first)


READERS: dict[str, tuple[str, Callable[[Dialogue], Labelled]]] = {
    "blended-skill-talk": ("blended_skill_talk", strategies),
    "photochat": ("photochat", photos),
    "prosocial": ("prosocial_dialog", replies),
    "esconv": ("esconv", strategies),
    "casino": ("casino", strategies),
    "dailydialog": ("daily_dialog", acts),
}
"""Task -> its source and how labels are read off a dialogue."""


def labelled_items(data: BenchData, skill_map: SkillMap) -> Items:
    """All labelled turns of a set.

    The social context is the dialogue's, never a single turn's: a reply's rules of thumb would give its label away.

    Raises:
        NotPossibleError: if the set's files aren't at hand.
    """
    source, _ = READERS[skill_map.name]
    left_out: Counter[str] = Counter()
    items = (
        item
        for path in data.source_files(skill_map.files)
        for dialogue in read_dialogues(SOURCES[source].name, path)
        for item in _items_of(dialogue, skill_map, left_out)
    )
    chosen = choose(items, data.seen, Counter())
    chosen.left_out.update(left_out)
    return chosen


def _items_of(dialogue: Dialogue, skill_map: SkillMap, left_out: Counter[str]) -> Iterator[Item]:
    source, labelled = READERS[skill_map.name]
    for turn, spelled in labelled(dialogue):
        labels = [skill_map.rename.get(name, name) for name in spelled.split(",")]
        unknown = [label for label in labels if label not in skill_map.labels]
        if unknown:
            left_out[f"unknown label {unknown[0]!r}"] += 1
            continue
        yield Item(
            id=turn_id(dialogue, turn),
            source=source,
            cluster=f"{source}:{dialogue.id}",
            dialogue=Dialogue(turns=dialogue.turns[:turn], social_context=dialogue.social_context),
            target=labels[0] if len(labels) == 1 else labels,
        )
