"""Annotated rows for tests, written in the dataset's form."""

import json
import random
from pathlib import Path
from typing import Any

SUBJECTS = ("the garden", "my old bicycle", "our choir", "the tax form", "a lost kitten", "her exam", "that novel")
PLACES = ("in Lisbon", "by the canal", "at the market", "on the third floor", "near the mill", "behind the school")
FEELINGS = ("worried", "glad", "tired", "proud", "lonely", "curious", "relieved", "puzzled", "hopeful", "cross", "shy")
SIGNS = ("voice", "pauses", "jokes", "questions", "silence", "hurry", "smile", "choice of words", "tone", "excuses")
DEEDS = ("painting", "mending", "selling", "moving", "counting", "cleaning", "drawing", "photographing", "hiding")


def annotated_row(number: int, turn: int = 3, source: str = "ours", **fields: Any) -> dict[str, Any]:
    """Turn `turn` of dialogue `number`; the same arguments give the same row, other numbers give other words."""
    rng = random.Random(number)

    def sentence(words: int = 9) -> str:
        parts = [f"{rng.choice(DEEDS)} {rng.choice(SUBJECTS)} {rng.choice(PLACES)}" for _ in range(words // 3)]
        return f"I was {' and then '.join(parts)} for {rng.randrange(1000)} days."

    texts = [sentence() for _ in range(24)]
    row = {
        "id": f"{source}:{number}:{turn}",
        "source": source,
        "social_context": "Vera and Tom are neighbours.",
        "dialogue": [{"speaker": ("Vera", "Tom")[i % 2], "text": texts[i]} for i in range(turn)],
        "speaker": ("Vera", "Tom")[turn % 2],
        "response": {"speaker": ("Vera", "Tom")[turn % 2], "text": texts[turn]},
        "skill": "Empathy",
        "also": None,
        "explanation": f"My friend seems {rng.choice(FEELINGS)}, {rng.choice(FEELINGS)} too; {rng.choice(SIGNS)} and "
        f"{rng.choice(SIGNS)} tell me so, {rng.choice(FEELINGS)} as I am ({rng.randrange(10**6)}).",
    }
    return row | fields


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    """Write JSONL."""
    path.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    return path


def read_jsonl(path: Path) -> list[dict[str, Any]]:
    """Read JSONL."""
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
