"""An output file that is never lost: rows are appended as they finish, and the same command goes on after a stop.

The rows' own `line` (their place in the input) tells what is done, so they may be written in any order, and there is no
second file of progress that could disagree. Memory: 8 bytes for each input row.
"""

import json
from array import array
from hashlib import blake2b
from pathlib import Path
from typing import IO, Any

from thanos.errors import ThanosError


class Journal:
    """Appends finished rows to `path` and failures to `<stem>.failed.jsonl` beside it.

    Failed rows are tried again by the next run, so the list of failures is begun anew each time.
    """

    def __init__(self, path: Path, settings: dict[str, Any]):
        """Open or create the file, drop a last line that a kill cut short, and learn what is done.

        Args:
            path: Where the rows go.
            settings: Fields that every row of this run will carry; rows there must agree, or the file is another run's.

        Raises:
            ThanosError: if the file holds something else, or can't be written.
        """
        self.path = path
        self.failed_path = path.with_name(f"{path.stem}.failed.jsonl")
        self.finished = 0
        self.failed = 0
        self._settings = settings
        self._done = array("Q")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            self._out = path.open("a+b")
            self._failures: IO[bytes] = self.failed_path.open("wb")
        except OSError as error:
            raise ThanosError(f"can't write {path}: {error.strerror.lower()}") from None
        self._load()
        self.resumed = self.finished

    def holds(self, line: int, id: str) -> bool:
        """True if the row of this input line is done.

        Raises:
            ThanosError: if the line held another row then: the input was changed, and going on would mix the two.
        """
        mark = self._done[line] if line < len(self._done) else 0
        if mark and mark != _mark(id):
            raise ThanosError(
                f"line {line} of the input isn't the row that {self.path} has for it (now id {id!r}): "
                "give the input it was begun with, or another -o"
            )
        return bool(mark)

    def append(self, line: int, id: str, row: dict[str, Any]) -> None:
        """Write a finished row; once this returns, not even SIGKILL loses it."""
        self._write(self._out, {"id": id, "line": line, **row, **self._settings})
        self._remember(line, id)
        self.finished += 1

    def fail(self, line: int, id: str | None, error: str) -> None:
        """Write down why a row isn't done."""
        self._write(self._failures, {"id": id, "line": line, "error": error})
        self.failed += 1

    def close(self) -> None:
        """Close both files; an empty list of failures is removed."""
        self._out.close()
        self._failures.close()
        if not self.failed:
            self.failed_path.unlink(missing_ok=True)

    def __enter__(self) -> "Journal":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _write(self, file: IO[bytes], row: dict[str, Any]) -> None:
        file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        file.flush()

    def _load(self) -> None:
        self._out.seek(0)
        end = 0
        for number, raw in enumerate(self._out, start=1):
            if not raw.endswith(b"\n"):
                break  # cut short by a kill: its row was never finished
            self._learn(raw, number)
            end += len(raw)
        self._out.truncate(end)
        self._out.seek(0, 2)

    def _learn(self, raw: bytes, number: int) -> None:
        try:
            row = json.loads(raw)
            line, id = row["line"], row["id"]
        except (ValueError, KeyError, TypeError):
            raise ThanosError(f"{self.path} line {number} isn't a row of this command; give another -o") from None
        for name, value in self._settings.items():
            if row.get(name) != value:
                raise ThanosError(
                    f"{self.path} was begun with {name} {row.get(name)!r}, not {value!r}: give another -o, or delete it"
                )
        self._remember(line, id)
        self.finished += 1

    def _remember(self, line: int, id: str) -> None:
        if line >= len(self._done):
            self._done.extend([0] * (line + 1 - len(self._done)))
        self._done[line] = _mark(id)


def _mark(id: str) -> int:
    return int.from_bytes(blake2b(str(id).encode(), digest_size=8).digest()) or 1
