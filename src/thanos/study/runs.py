"""Run folders of the benchmark's `response` task -> moments with the replies of every system."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from thanos.errors import ThanosError
from thanos.study.make import REFERENCE, Moment


def read_moments(folders: list[Path]) -> tuple[list[Moment], dict[str, dict[str, Any]]]:
    """The moments that the runs share, and the systems in them.

    A system is an arm of a run: `both` where there is one run, `<folder's name>/both` where there are several. What was
    really said is the system `reference`.

    Returns:
        Moments, and system -> what its run was (`run`, `arm`, `config`).

    Raises:
        ThanosError: if a folder holds no replies, or the runs have no moment in common.
    """
    labels = [folder.name for folder in folders]
    if len(set(labels)) < len(labels):
        labels = [str(folder) for folder in folders]
    systems: dict[str, dict[str, Any]] = {}
    moments: dict[str, Moment] = {}
    runs_with: dict[str, int] = {}
    for folder, label in zip(folders, labels, strict=True):
        config = _config(folder)
        for row in _rows(folder):
            moment = moments.setdefault(row["id"], _moment(row))
            runs_with[row["id"]] = runs_with.get(row["id"], 0) + 1
            for arm, reply in row["replies"].items():
                name = arm if len(folders) == 1 else f"{label}/{arm}"
                systems.setdefault(name, {"run": str(folder), "arm": arm, "config": config})
                moment.replies[name] = reply or ""
    shared = [moment for id, moment in moments.items() if runs_with[id] == len(folders)]
    if not shared:
        raise ThanosError("the runs have no dialogue in common: give runs of the same data, limit and seed")
    if any(REFERENCE in moment.replies for moment in shared):
        systems[REFERENCE] = {"run": None, "arm": REFERENCE, "config": None}
    return shared, systems


def _moment(row: dict[str, Any]) -> Moment:
    reference = row.get("reference")
    replies = {REFERENCE: reference} if reference else {}
    return Moment(row["id"], row.get("social_context") or "", row["dialogue"], row["speaker"], replies)


def _rows(folder: Path) -> Iterator[dict[str, Any]]:
    """One row a moment: of a run with several seeds, the first one."""
    path = folder / "rows.jsonl"
    seen, found = set(), False
    try:
        with path.open(encoding="utf-8") as file:
            for line, text in enumerate(file, start=1):
                row = _row(text, path, line)
                if row["id"] not in seen:
                    seen.add(row["id"])
                    found = True
                    yield row
    except OSError as error:
        raise ThanosError(
            f"can't read {path}: {(error.strerror or str(error)).lower()}; give folders of `thanos bench response`"
        ) from None
    if not found:
        raise ThanosError(f"{path} holds no rows")


def _row(text: str, path: Path, line: int) -> dict[str, Any]:
    try:
        row = json.loads(text)
        fits = {"id", "dialogue", "speaker", "replies"} <= row.keys() and isinstance(row["replies"], dict)
    except (ValueError, AttributeError):
        fits = False
    if not fits:
        raise ThanosError(f"{path} line {line} has no replies: give folders of `thanos bench response`")
    return row


def _config(folder: Path) -> Any:
    try:
        return json.loads((folder / "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
