"""Run folders for tests, in the shape that src/thanos/bench/README.md describes; all text is made up here."""

import json
import random
from pathlib import Path
from typing import Any

import numpy as np

from thanos.skills import Skill

SKILLS = [skill.value for skill in Skill]
ARMS = ("plain", "skill", "explanation", "both")


def turns(number: int, length: int = 3) -> list[dict[str, str]]:
    """A short dialogue."""
    names = ("Ines", "Bo")
    return [{"speaker": names[i % 2], "text": f"Thing {number} of part {i} is on the shelf."} for i in range(length)]


def skill_rows(n: int, accuracy: float, seed: int = 0) -> list[dict[str, Any]]:
    """Rows of the task `skill`; the same ids and targets for every accuracy and seed."""
    rng, rows = random.Random(seed), []
    for i in range(n):
        target = SKILLS[i % len(SKILLS)]
        prediction = target if rng.random() < accuracy else rng.choice(SKILLS)
        sure = rng.uniform(0.1, 0.9)
        row = {
            "id": f"ours:{i // 2}:{3 + i % 2}",
            "seed": 0,
            "source": ("ours", "theirs")[i % 2],
            "cluster": f"ours:{i // 2}",
            "social_context": "Two neighbours.",
            "dialogue": turns(i),
            "target": target,
            "also": None,
            "prediction": prediction,
            "skill": prediction,
            "scores": {prediction: sure},
            "explanation": "I should say something.",
            "valid": True,
            "error": "",
            "credit": {"top1": float(prediction == target), "top3": None},
        }
        rows.append(row)
    return rows


def response_rows(n: int) -> list[dict[str, Any]]:
    """Rows of the task `response`."""
    return [
        {
            "id": f"ours:{i}:3",
            "seed": 0,
            "source": "ours",
            "cluster": f"ours:{i}",
            "social_context": "Two neighbours.",
            "dialogue": turns(i),
            "speaker": "Bo",
            "reference": f"I will fetch thing {i}.",
            "replies": {arm: f"{arm} reply to {i}" for arm in ARMS},
            "valid": True,
            "error": "",
            "credit": {f"rougeL/{arm}": 0.1 for arm in ARMS},
        }
        for i in range(n)
    ]


def number(value: float, n: int = 10) -> dict[str, Any]:
    """A number with an interval."""
    return {"value": value, "low": value - 0.05, "high": value + 0.05, "n": n}


def write_run(
    folder: Path, rows: list[dict[str, Any]], model: str = "embedded", task: str = "skill", **metrics: Any
) -> Path:
    """Write rows.jsonl, metrics.json, config.json and prompts.json."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    means = {}
    for name in rows[0]["credit"] if rows else ():
        known = [row["credit"][name] for row in rows if row["credit"][name] is not None]
        means[name] = (
            number(float(np.mean(known)), len(known)) if known else dict.fromkeys(("value", "low", "high")) | {"n": 0}
        )
    values = {
        "task": task,
        "model": model,
        "n": len(rows),
        "clusters": len({row["cluster"] for row in rows}),
        "invalid": 0,
        "failed": 0,
        "metrics": means,
        "per_source": {},
        "versions": {"task": 1},
    }
    (folder / "metrics.json").write_text(json.dumps(values | metrics), encoding="utf-8")
    (folder / "config.json").write_text(json.dumps({"task": task, "model": model, "limit": None}), encoding="utf-8")
    prompt = {"name": "thanos", "version": 1, "system": "S", "user": "U"}
    (folder / "prompts.json").write_text(json.dumps({"skill": prompt}), encoding="utf-8")
    return folder
