"""What `response` asks about: one turn of every dialogue of three public sets."""

from collections import Counter
from collections.abc import Iterator
from hashlib import blake2b
from pathlib import Path

from thanos.bench.data import BenchData
from thanos.bench.items import Item, Items, choose
from thanos.dialogue import Dialogue
from thanos.sources import read_dialogues, turn_id
from thanos.sources.build import B

FILES = {
    "daily_dialog": ("daily_dialog",),
    "empathetic_dialogues": ("empathetic_dialogues",),
    "prosocial_dialog": ("prosocial_dialog", "prosocial_dialog_partial"),
}
"""Source -> names of its files."""
LISTENERS = ("empathetic_dialogues", "prosocial_dialog")
"""Sets in which one speaker is there to answer the other: only that one's turns are asked for."""


def reply_items(data: BenchData) -> Items:
    """One turn of every dialogue, drawn by a hash of the dialogue's id.

    The social context is the dialogue's, never one of a single turn: a reply's rules of thumb would give it away.

    Raises:
        ThanosError: if the files of a set aren't at hand.
    """
    left_out: Counter[str] = Counter()
    files = [(source, path) for source, names in FILES.items() for path in data.source_files(names)]
    chosen = choose(
        (item for source, path in files for item in _items_of(source, path, left_out)), data.seen, Counter()
    )
    chosen.left_out.update(left_out)
    return chosen


def _items_of(source: str, path: Path, left_out: Counter[str]) -> Iterator[Item]:
    for dialogue in read_dialogues(source, path):
        turns = [i for i in range(1, len(dialogue.turns)) if _asked_for(source, dialogue, i)]
        if not turns:
            left_out["no reply in it"] += 1
            continue
        turn = turns[int.from_bytes(blake2b(dialogue.id.encode(), digest_size=8).digest()) % len(turns)]
        said = dialogue.turns[turn]
        yield Item(
            id=turn_id(dialogue, turn),
            source=source,
            cluster=f"{source}:{dialogue.id}",
            dialogue=Dialogue(turns=dialogue.turns[:turn], social_context=dialogue.social_context),
            target="",
            extra={"speaker": said.speaker, "reference": said.words()},
        )


def _asked_for(source: str, dialogue: Dialogue, turn: int) -> bool:
    """A turn that answers somebody else's."""
    speaker = dialogue.turns[turn].speaker
    return speaker != dialogue.turns[turn - 1].speaker and (source not in LISTENERS or speaker == B)
