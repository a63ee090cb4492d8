"""The parts of a split -> a folder that can be published: Parquet, a card, and the stand-off form."""

from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from thanos.data.annotated_turn import read_annotated_turn
from thanos.data.card import write_card
from thanos.data.parquet import ROW_GROUP, load_arrow
from thanos.data.split import PARTS
from thanos.data.standoff import standoff_row
from thanos.data.stats import collect_stats
from thanos.dialogue import Row, read_rows
from thanos.errors import ThanosError

FORMS = ("data", "standoff")
"""Folders: whole rows, and rows without dialogue text."""


@dataclass
class PublishReport:
    """What was written."""

    rows: Counter[str] = field(default_factory=Counter)
    """Part -> rows."""
    made_by: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(model, prompt) -> rows; empty strings where a row doesn't say."""
    bad: int = 0
    faults: list[str] = field(default_factory=list)
    """The first rows that can't be published, each one line."""


def publish(folder: Path, output: Path, title: str, advance: Callable[[], None] = lambda: None) -> PublishReport:
    """Write data/<part>.parquet, standoff/<part>.parquet and README.md.

    Args:
        folder: Holds train.jsonl, validation.jsonl and test.jsonl, or some of them, as `thanos data split` writes them.

    Raises:
        ThanosError: if there is no part, a file can't be read or written, or pyarrow isn't installed.
    """
    paths = {name: folder / f"{name}.jsonl" for name in reversed(PARTS)}
    # A split of few dialogues leaves parts empty: they are left out.
    paths = {name: path for name, path in paths.items() if path.is_file() and path.stat().st_size}
    if not paths:
        raise ThanosError(
            f"{folder} holds none of train.jsonl, validation.jsonl, test.jsonl with rows in it; see `thanos data split`"
        )
    report = PublishReport()
    try:
        for form in FORMS:
            (output / form).mkdir(parents=True, exist_ok=True)
        for name, path in paths.items():
            _write_part(name, path, output, report, advance)
        for name in set(PARTS) - paths.keys():  # of an earlier split
            for form in FORMS:
                (output / form / f"{name}.parquet").unlink(missing_ok=True)
        write_card(output / "README.md", title, collect_stats(paths.values()), report.rows, report.made_by)
    except OSError as error:
        raise ThanosError(f"can't write into {output}: {(error.strerror or str(error)).lower()}") from None
    return report


def _write_part(name: str, path: Path, output: Path, report: PublishReport, advance: Callable[[], None]) -> None:
    arrow, parquet = load_arrow()
    full, standoff = _schemas(arrow)
    with ExitStack() as stack:
        writer = lambda form, schema: stack.enter_context(
            parquet.ParquetWriter(output / form / f"{name}.parquet.part", schema, compression="zstd")
        )
        writers = (
            (writer("data", full), full, lambda row: row),
            (writer("standoff", standoff), standoff, standoff_row),
        )
        rows = _rows(name, path, report, advance)
        while group := list(islice(rows, ROW_GROUP)):
            for file, schema, form in writers:
                file.write_table(arrow.Table.from_pylist([form(row) for row in group], schema=schema))
    for form in FORMS:
        (output / form / f"{name}.parquet.part").replace(output / form / f"{name}.parquet")


def _rows(name: str, path: Path, report: PublishReport, advance: Callable[[], None]) -> Iterator[dict[str, Any]]:
    for row in read_rows(str(path)):
        advance()
        try:
            published = _published(row)
        except ThanosError as error:
            report.bad += 1
            if len(report.faults) < 5:
                report.faults.append(f"{path} line {row.line}: {error}")
            continue
        report.rows[name] += 1
        report.made_by[published["model"] or "", published["prompt"] or ""] += 1
        yield published


def _published(row: Row) -> dict[str, Any]:
    if row.dialogue is None:
        raise ThanosError(row.error)
    published, meta = read_annotated_turn(row.dialogue).row(), row.dialogue.meta
    rejected = meta.get("rejected")
    if not (isinstance(rejected, dict) and {"explanation", "skill"} <= rejected.keys()):
        published["rejected"] = None
    for column in ("model", "prompt"):
        published[column] = meta[column] if isinstance(meta.get(column), str) else None
    return published


def _schemas(arrow: Any) -> tuple[Any, Any]:
    """Of the full and of the stand-off form; columns that a row has besides are left out."""
    text, number = arrow.string(), arrow.int32()
    turn = arrow.struct([("speaker", text), ("text", text), ("image", text)])
    thought = arrow.struct([("explanation", text), ("skill", text)])
    names = ("id", "source", "social_context", "speaker", "skill", "also", "explanation", "model", "prompt")
    full = dict.fromkeys(names, text) | {"dialogue": arrow.list_(turn), "response": turn, "rejected": thought}
    order = "id source social_context dialogue speaker response skill also explanation rejected model prompt"
    sample = {"id": "a:b:1", "dialogue": [], "skill": "", "explanation": ""}
    standoff = {column: number if column in ("turn", "turns") else text for column in standoff_row(sample)}
    return arrow.schema([(name, full[name]) for name in order.split()]), arrow.schema(list(standoff.items()))
