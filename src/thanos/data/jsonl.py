"""JSONL files of the dataset as plain objects: for stages that count or copy rows and needn't build dialogues."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from thanos.errors import ThanosError


def raw_rows(
    path: Path, advance: Callable[[], None] = lambda: None, on_fault: Callable[[int, str], None] = lambda *_: None
) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Stream (line as it stands, row) of every line of a JSONL file that has an id and a dialogue.

    Args:
        advance: Called for every line.
        on_fault: Called with (line, reason) for the others; blank lines are none.

    Raises:
        ThanosError: if the file can't be read.
    """
    try:
        file = path.open("rb")
    except OSError as error:
        raise ThanosError(f"can't read {path}: {(error.strerror or str(error)).lower()}") from None
    with file:
        for line, raw in enumerate(file, start=1):
            advance()
            row = _row(raw, line, on_fault)
            if row is not None:
                yield raw if raw.endswith(b"\n") else raw + b"\n", row


def _row(raw: bytes, line: int, on_fault: Callable[[int, str], None]) -> dict[str, Any] | None:
    try:
        row = json.loads(raw)
    except ValueError as error:
        if raw.strip():
            on_fault(line, f"not JSON: {error}")
        return None
    if not isinstance(row, dict) or not isinstance(row.get("id"), str):
        on_fault(line, 'no id; add "id": "<source>:<dialogue id>:<turn>"')
    elif not isinstance(row.get("dialogue"), list):
        on_fault(line, 'no turns; add "dialogue": [{"speaker": ..., "text": ...}]')
    else:
        return row
    return None
