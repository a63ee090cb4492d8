"""A data folder for the benchmark: our own dialogues in the shape of the public sets."""

import json
from pathlib import Path

import source_rows
from annotated_rows import read_jsonl, write_rows

EXAMPLES = Path(__file__).parent.parent / "examples" / "original.jsonl"
SAFETY = ("__casual__", "__possibly_needs_caution__", "__needs_caution__", "__needs_intervention__")


def write_bench_data(folder: Path) -> Path:
    """sources/ and annotated/ with 195 rows to learn from and 195 to score."""
    for part in ("sources", "annotated"):
        (folder / part).mkdir(parents=True)
    rows = read_jsonl(EXAMPLES)
    write_rows(folder / "annotated" / "train.jsonl", rows[::2])
    write_rows(folder / "annotated" / "validation.jsonl", rows[1::2])
    sets = {
        "blended_skill_talk": [source_rows.blended_skill_talk()],
        "photochat": [photo_chat(n) for n in range(12)],
        "prosocial_dialog": [
            source_rows.prosocial_dialog(n, dialogue_id=n, response_id=0, safety_label=SAFETY[n % 4]) for n in range(8)
        ],
        "esconv": [source_rows.esconv()],
        "casino": [source_rows.casino()],
        "daily_dialog": [source_rows.daily_dialog()],
    }
    for name, values in sets.items():
        write_rows(folder / "sources" / f"{name}.jsonl", values)
    return folder


def photo_chat(n: int) -> dict:
    """Eleven turns, of which one in the middle is a photo."""
    say = lambda i: {"message": f"Row {n} of the garden, bed {i}.", "share_photo": False, "user_id": i % 2}
    turns = [say(i) for i in range(10)]
    turns.insert(5 + n % 4, {"message": "", "share_photo": True, "user_id": 0})
    return source_rows.photochat(dialogue_id=n, dialogue=turns)


def read_json(path: Path) -> dict:
    """A JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))
