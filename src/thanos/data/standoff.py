"""The stand-off form: annotations without dialogue text, and their way back to it.

Whoever has the sources can make the whole dataset of it; whoever hasn't gets nobody's text. A short digest of the text
tells whether a dialogue that was read again is the one that was annotated.
"""

import json
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import Any

from thanos.data.annotated_turn import ANNOTATION_FIELDS
from thanos.data.turn_id import TurnId, parse_turn_id, row_turn_id
from thanos.dialogue import Dialogue
from thanos.dialogue.types import IMAGE_MARK
from thanos.errors import ThanosError

DIGEST_BYTES = 8


def standoff_row(row: dict[str, Any]) -> dict[str, Any]:
    """An annotated row without its text."""
    id = row_turn_id(row)
    rejected = row.get("rejected") or {}
    return {
        "id": row["id"],
        "source": id.source,
        "dialogue_id": id.dialogue_id,
        "turn": id.index,
        "turns": len(row["dialogue"]),
        "speaker": row.get("speaker"),
        "skill": row["skill"],
        "also": row.get("also"),
        "explanation": row["explanation"],
        "rejected_skill": rejected.get("skill"),
        "rejected_explanation": rejected.get("explanation"),
        "digest": digest(row),
    }


def digest(row: dict[str, Any]) -> str:
    """Of what was said by whom: letters and digits of the turns and the reply.

    Blanks, punctuation and the social context don't count: how they are rendered may change between versions.
    """
    turns = [*row["dialogue"], *([row["response"]] if row.get("response") else [])]
    said = "\n".join(
        f"{_letters(turn.get('speaker'))}: {_letters(turn.get('image'), turn.get('text'))}" for turn in turns
    )
    return blake2b(said.encode(), digest_size=DIGEST_BYTES).hexdigest()


def _letters(*texts: str | None) -> str:
    whole = "".join(text or "" for text in texts).replace(IMAGE_MARK, "")
    return "".join(filter(str.isalnum, whole.casefold()))


@dataclass
class JoinReport:
    """What became of the annotations."""

    joined: int = 0
    changed: list[str] = field(default_factory=list)
    """Ids whose dialogue was found but says something else than the one that was annotated; not joined."""
    missing: int = 0
    """Annotations whose dialogue wasn't among the turns."""
    sources: dict[str, int] = field(default_factory=dict)
    """Source -> missing."""


def join(
    annotations: Iterable[dict[str, Any]], turns: Iterable[dict[str, Any]], write: Callable[[dict[str, Any]], None]
) -> JoinReport:
    """Put annotations to their turns. The annotations are held in memory, the turns aren't.

    Args:
        annotations: Stand-off rows.
        turns: Rows of turns to annotate; those that no annotation belongs to are passed over.
    """
    wanted = {row_turn_id(row): row for row in annotations}
    report = JoinReport()
    for turn in turns:
        annotation = wanted.pop(row_turn_id(turn), None)
        if annotation is None:
            continue
        # Of a long dialogue perhaps only the last turns were annotated with.
        turn = turn | {"dialogue": turn["dialogue"][-annotation["turns"] :]}
        if digest(turn) != annotation["digest"]:
            report.changed.append(turn["id"])
        else:
            write(_joined(turn, annotation))
            report.joined += 1
    report.missing = len(wanted)
    for row in wanted.values():
        report.sources[row["source"]] = report.sources.get(row["source"], 0) + 1
    return report


def turns_of_source(name: str, path: Path | None, hub: bool, wanted: set[TurnId]) -> Iterator[dict[str, Any]]:
    """The wanted turns of a source, from its own file or its hub release, with the social context rendered anew."""
    from thanos.sources import open_source, turn_id
    from thanos.turns import turn_to_annotate

    for reading in open_source(name, path, hub=hub):
        for dialogue in reading.dialogues:
            for turn in range(len(dialogue.turns) + 1):
                if parse_turn_id(turn_id(dialogue, turn), dialogue.meta.get("source") or "") in wanted:
                    yield turn_to_annotate(dialogue, turn) if turn < len(dialogue.turns) else _after_all(dialogue)


def _after_all(dialogue: Dialogue) -> dict[str, Any]:
    """The turn after the last: of sources that hold an opening and not what was said to it."""
    from thanos.sources import context_at, turn_id, turn_row

    turn = len(dialogue.turns)
    return {
        "id": turn_id(dialogue, turn),
        "source": dialogue.meta.get("source"),
        "social_context": context_at(dialogue, turn),
        "dialogue": [turn_row(before) for before in dialogue.turns],
        "response": None,
    }


def read_standoff(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a stand-off file: JSONL or Parquet.

    Raises:
        ThanosError: if it can't be read or isn't one.
    """
    if path.suffix == ".parquet":
        from thanos.data.parquet import parquet_rows

        rows = parquet_rows(path)
    else:
        rows = _json_rows(path)
    for row in rows:
        if not isinstance(row.get("digest"), str) or not isinstance(row.get("explanation"), str):
            raise ThanosError(f"{path}: no stand-off rows; expected the columns id, digest, skill and explanation")
        yield row


def _json_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        with path.open("rb") as file:
            yield from (json.loads(raw) for raw in file if raw.strip())
    except OSError as error:
        raise ThanosError(f"can't read {path}: {(error.strerror or str(error)).lower()}") from None
    except ValueError as error:
        raise ThanosError(f"{path}: not JSON: {error}") from None


def _joined(turn: dict[str, Any], annotation: dict[str, Any]) -> dict[str, Any]:
    row = turn | {name: annotation.get(name) for name in ("id", "speaker", *ANNOTATION_FIELDS)}
    if annotation.get("rejected_skill"):
        row["rejected"] = {
            "explanation": annotation["rejected_explanation"],
            "skill": annotation["rejected_skill"],
        }
    return row
