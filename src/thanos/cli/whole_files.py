"""Output files that take their names only when all is written, so that none is ever half of one."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from thanos.errors import ThanosError

Writer = Callable[[dict[str, Any]], None]


@contextmanager
def whole_files(output: Path) -> Iterator[tuple[Writer, Writer]]:
    """Writers of rows (to `output`) and of failures (to `<stem>.failed.jsonl` beside it, if there are any).

    Raises:
        ThanosError: if they can't be written.
    """
    failed = output.with_name(f"{output.stem}.failed.jsonl")
    parts = {path: path.with_name(path.name + ".part") for path in (output, failed)}
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        with parts[output].open("w", encoding="utf-8") as rows, parts[failed].open("w", encoding="utf-8") as failures:
            yield (lambda row: _write(rows, row)), (lambda row: _write(failures, row))
        os.replace(parts[output], output)
        if parts[failed].stat().st_size:
            os.replace(parts[failed], failed)
        else:
            failed.unlink(missing_ok=True)
    except OSError as error:
        raise ThanosError(f"can't write {output}: {error.strerror.lower() if error.strerror else error}") from None
    finally:
        for part in parts.values():
            part.unlink(missing_ok=True)


def _write(file, row: dict[str, Any]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")
