"""A run's folder: what it was asked for, and what came of it."""

import json
import platform
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from thanos.bench.tasks.task import BenchTask, Row, Setup
from thanos.errors import ThanosError
from thanos.prompts import Prompt

LIBRARIES = ("thanos-skill-of-mind", "inspect-ai", "numpy", "scikit-learn", "sacrebleu", "rouge-score")


def run_folder(out: Path, task: str, model: str) -> Path:
    """`<out>/<task>/<model>`, the model's string made into a name."""
    return out / task / re.sub(r"[^\w.]+", "-", model).strip("-")


def begin(folder: Path, config: dict[str, Any]) -> None:
    """Make a folder for a run, or go on in the one that was begun with the same config.

    Raises:
        ThanosError: if it was begun with another one, or can't be written.
    """
    path = folder / "config.json"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        before = json.loads(path.read_text(encoding="utf-8")) if path.is_file() else None
    except (OSError, ValueError) as error:
        raise ThanosError(f"can't use {folder} as a run's folder: {error}") from None
    if before is None:
        write_json(path, config)
        return
    for key, value in config.items():
        if before.get(key) != value:
            raise ThanosError(
                f"{folder} was begun with {key} {before.get(key)!r}, not {value!r}: give another -o, or delete it"
            )


def describe(folder: Path, task: BenchTask, setup: Setup) -> None:
    """Write prompts.json and versions.json."""
    prompts = {name: _prompt(prompt) for name, prompt in task.prompts(setup).items()}
    write_json(folder / "prompts.json", prompts)
    libraries = {name: _installed(name) for name in LIBRARIES}
    write_json(folder / "versions.json", _versions(task, setup) | {"python": platform.python_version()} | libraries)


def metrics_of(rows: list[Row], task: BenchTask, setup: Setup, model: str) -> dict[str, Any]:
    """What metrics.json holds."""
    return {
        "task": task.name,
        "model": model,
        "n": len(rows),
        "clusters": len({row["cluster"] for row in rows}),
        "invalid": sum(not row["valid"] for row in rows),
        "failed": sum(bool(row["error"]) for row in rows),
        **task.metrics(rows),
        "versions": _versions(task, setup),
    }


def write_json(path: Path, value: Any) -> None:
    """Write it whole or not at all."""
    part = path.with_name(path.name + ".part")
    part.write_text(json.dumps(value, ensure_ascii=False, indent=1, allow_nan=False) + "\n", encoding="utf-8")
    part.replace(path)


def _versions(task: BenchTask, setup: Setup) -> dict[str, Any]:
    prompts = {name: f"{prompt.name}-{prompt.version}" for name, prompt in task.prompts(setup).items()}
    return {"task": task.version, "prompts": prompts, "judge": setup.judge, "bertscore": setup.bertscore}


def _prompt(prompt: Prompt) -> dict[str, Any]:
    return prompt.model_dump(mode="json")


def _installed(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
