"""A file or standard input -> a stream of rows, each a Dialogue or the reason why it isn't one."""

import io
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from thanos.dialogue.plain_text import dialogue_from_text
from thanos.dialogue.row import dialogue_from_row
from thanos.dialogue.types import Dialogue
from thanos.errors import ThanosError


@dataclass(frozen=True)
class Row:
    """One row of an input file."""

    line: int
    """Where it stands, counted from 1 (JSON lists: the item's number)."""
    dialogue: Dialogue | None = None
    error: str = ""
    """Why there is no dialogue."""
    text: str = ""
    """What stood there instead, where that is one line or one item of a list."""


def read_rows(path: str, context: str | None = None) -> Iterator[Row]:
    """Stream the dialogues of a file; a bad row is reported in its place and the next one is read.

    Args:
        path: JSONL, a JSON list or object, plain text (`Name: words`), or "-" for standard input. What it is shows in
            its first character, so the file's name doesn't matter.
        context: Social context for rows that have none of their own.

    Raises:
        ThanosError: if the file can't be opened or holds nothing.
    """
    stream = sys.stdin.buffer if path == "-" else _open(path)
    with stream:
        empty = True
        for row in _rows(io.BufferedReader(stream) if path == "-" else stream):
            empty = False
            if context and row.dialogue and not row.dialogue.social_context:
                row = Row(row.line, row.dialogue.model_copy(update={"social_context": context}))
            yield row
    if empty:
        raise ThanosError(f"{_name(path)} is empty; see `thanos predict --help` for what it may hold")


def _open(path: str) -> BinaryIO:
    try:
        return Path(path).open("rb")
    except OSError as error:
        raise ThanosError(f"can't read {path}: {error.strerror.lower() if error.strerror else error}") from None


def _rows(stream: BinaryIO) -> Iterator[Row]:
    number, first = 0, b""
    for raw in stream:  # skip blank lines, to see what the file begins with
        number += 1
        first = raw.removeprefix(b"\xef\xbb\xbf") if number == 1 else raw
        if first.strip():
            break
    start = first.lstrip()[:1]
    if not start:
        return
    if start == b"[" or (start == b"{" and not _is_json(first)):
        yield from _json_rows(first + stream.read(), number)
    elif start == b"{":
        yield _json_line(first, number)
        for line, raw in enumerate(stream, start=number + 1):
            if raw.strip():
                yield _json_line(raw, line)
    else:
        yield _text_row(b"\n" * (number - 1) + first + stream.read())


def _is_json(raw: bytes) -> bool:
    """False for the first line of an object that is spread over several lines (or is broken)."""
    try:
        json.loads(raw)
    except ValueError:
        return raw.rstrip().endswith(b"}")
    return True


def _json_rows(raw: bytes, line: int) -> Iterator[Row]:
    """A JSON list of rows, or one object over several lines. Read whole: use JSONL for long inputs."""
    try:
        value = json.loads(raw.decode("utf-8"))
    except ValueError as error:
        yield Row(line, error=_not_json(error))
        return
    for n, item in enumerate(value if isinstance(value, list) else [value], start=1):
        yield _row(item, n)


def _json_line(raw: bytes, line: int) -> Row:
    try:
        value = json.loads(raw.decode("utf-8"))
    except ValueError as error:
        return Row(line, error=_not_json(error), text=_shown(raw))
    except RecursionError:
        return Row(line, error="not JSON: nested too deeply", text=_shown(raw))
    return _row(value, line)


def _shown(raw: bytes) -> str:
    return raw.decode("utf-8", errors="replace").strip()


def _row(value: object, line: int) -> Row:
    try:
        return Row(line, dialogue_from_row(value, fallback_id=str(line)))
    except ThanosError as error:
        return Row(line, error=str(error), text=json.dumps(value, ensure_ascii=False))


def _text_row(raw: bytes) -> Row:
    try:
        return Row(1, dialogue_from_text(raw.decode("utf-8"), id="1"))
    except UnicodeDecodeError as error:
        return Row(1, error=_not_json(error))
    except ThanosError as error:
        return Row(1, error=str(error))


def _not_json(error: ValueError) -> str:
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8: byte 0x{error.object[error.start]:02x} at position {error.start}; save the file as UTF-8"
    return f"not JSON: {error}"


def _name(path: str) -> str:
    return "standard input" if path == "-" else path
