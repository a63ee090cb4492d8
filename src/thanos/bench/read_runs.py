"""Finished runs, for those who show or compare them; bench/README.md says what is in a run folder."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from thanos.errors import ThanosError

Row = dict[str, Any]


@dataclass(frozen=True)
class Run:
    """One model on one task."""

    folder: Path
    label: str
    """How it is called: the model, and the folder where two runs of a task have the same model."""
    metrics: dict[str, Any]
    """metrics.json."""
    about: dict[str, Any]
    """Title -> what config.json, versions.json and prompts.json hold; only those that exist."""

    @property
    def task(self) -> str:
        """The task's name."""
        return self.metrics["task"]

    def rows(self) -> Iterator[Row]:
        """Stream rows.jsonl.

        Raises:
            ThanosError: if it can't be read.
        """
        return read_rows(self.folder)


def load_runs(folders: list[Path]) -> list[Run]:
    """Read run folders; a folder that holds run folders, at whatever depth, stands for all of them.

    Raises:
        ThanosError: if there is no run.
    """
    found = list(dict.fromkeys(path.resolve() for folder in folders for path in _run_folders(folder)))
    metrics = [_read(folder / "metrics.json") for folder in found]
    names = [(m["task"], m["model"]) for m in metrics]
    runs = []
    for folder, values, name in zip(found, metrics, names, strict=True):
        label = values["model"] if names.count(name) == 1 else f"{values['model']} ({_short(folder)})"
        about = {key: folder / f"{key}.json" for key in ("config", "versions", "prompts")}
        runs.append(Run(folder, label, values, {key: _read(path) for key, path in about.items() if path.exists()}))
    return runs


def read_rows(folder: Path) -> Iterator[Row]:
    """Stream rows.jsonl of a run folder.

    Raises:
        ThanosError: if it can't be read or a line isn't a row.
    """
    path = folder / "rows.jsonl"
    try:
        with path.open(encoding="utf-8") as file:
            for line, text in enumerate(file, start=1):
                yield _row(text, path, line)
    except (OSError, UnicodeDecodeError) as error:
        raise ThanosError(f"can't read {path}: {error}") from None


def _run_folders(folder: Path) -> list[Path]:
    if (folder / "metrics.json").is_file():
        return [folder]
    found = sorted(path.parent for path in folder.rglob("metrics.json")) if folder.is_dir() else []
    if not found:
        raise ThanosError(f"no run in {folder}: give folders that `thanos bench` wrote")
    return found


def _read(path: Path) -> dict[str, Any]:
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ThanosError(f"can't read {path}: {error}") from None
    if path.name == "metrics.json" and not _is_metrics(value):
        raise ThanosError(f"{path} isn't a run's metrics: it lacks task, model, n or metrics")
    return value


def _is_metrics(value: Any) -> bool:
    known = isinstance(value, dict) and {"task", "model", "n", "metrics"} <= value.keys()
    return known and bool(value["metrics"])


def _row(text: str, path: Path, line: int) -> Row:
    try:
        row = json.loads(text)
        row["id"]
    except (ValueError, KeyError, TypeError):
        raise ThanosError(f"{path} line {line} isn't a row of a run") from None
    return row


def _short(folder: Path) -> str:
    return "/".join(folder.parts[-3:])
