"""A tiny model, rows and configurations for the tests of training."""

import json
from pathlib import Path
from typing import Any

from annotated_rows import write_rows

EXAMPLES = Path(__file__).parent.parent / "examples" / "original.jsonl"
PROMPT = """\
source: tests
version: 1
system: Plan.
user: |-
  {social_context}
  {dialogue}
"""
REJECTED = {"explanation": "I want to be done with this talk.", "skill": "Topic Transition"}


def example_rows(n: int, start: int = 0) -> list[dict[str, Any]]:
    """Original annotated rows of the project, of every skill in turn."""
    rows = [json.loads(line) for line in EXAMPLES.read_text(encoding="utf-8").splitlines()]
    return [rows[(start + 11 * i) % len(rows)] for i in range(n)]


def write_training_files(folder: Path, rows: int = 40, **fields: Any) -> dict[str, Any]:
    """Files of rows and a short prompt -> the values of a small, quick configuration on the model `folder / "tiny"`."""
    (folder / "prompt.yaml").write_text(PROMPT)
    train = [row | fields for row in example_rows(rows)]
    validation = [row | fields for row in example_rows(4, start=5)]
    return {
        "base": str(folder / "tiny"),
        "train": str(write_rows(folder / "train.jsonl", train)),
        "validation": str(write_rows(folder / "validation.jsonl", validation)),
        "output": str(folder / "out"),
        "prompt": str(folder / "prompt.yaml"),
        "rank": 8,
        "alpha": 8,
        "batch": 4,
        "rows_at_once": 4,
        "lr": 5e-3,
        "max_steps": 6,
        "eval_every": 3,
        "eval_rows": 2,
    }


def write_config(path: Path, values: dict[str, Any]) -> Path:
    """A YAML file of the values (JSON is YAML)."""
    path.write_text(json.dumps(values))
    return path
