"""Shards over a Ray cluster: each shard is one block of a Ray dataset, and one task reads, does and writes it.

A shard's rows go to a journal as they finish. So when a process, or its machine, is lost, Ray gives the block to
another one, which goes on where the journal ends: nothing is lost and nothing is done twice. All machines must see the
folders of input and output under the same path, and have this package installed.
"""

import json
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

from thanos.distributed.shards import Shard
from thanos.errors import ThanosError

RETRIES = 3
"""Times that a block is begun again after an error that isn't the user's to mend. Of lost processes Ray takes care."""
WORK_FOLDER = "work"
"""Journals of shards that aren't finished, inside the output folder."""


class ShardWork(Protocol):
    """What is done with one shard. It is sent to other processes, so it must be picklable."""

    def __call__(self, shard: Shard, journal_path: Path) -> dict[str, int]:
        """Write the shard's rows into a `Journal` at this path, and failures to the one beside it; return counts."""
        ...


@dataclass
class RayReport:
    """What a run did."""

    shards: int = 0
    there: int = 0
    """Shards that were finished before."""
    counts: dict[str, int] = field(default_factory=dict)
    """Sums of what the work returned."""
    failed: int = 0
    """Rows in part-*.failed.jsonl; the next run tries them again."""


def run_on_ray(
    shards: list[Shard], work: ShardWork, output: Path, advance: Callable[[], None] = lambda: None
) -> RayReport:
    """Do every shard that isn't finished; write part-00000.jsonl (.parquet for Parquet shards) and so on into a folder.

    The rows of a part are in the order of the input. A cluster is found by $RAY_ADDRESS, else started on this machine.

    Args:
        advance: Called for each finished shard.

    Raises:
        ThanosError: if Ray isn't installed, or a shard failed as a whole and again when it was tried anew.
    """
    try:
        import ray
    except ModuleNotFoundError as error:
        raise ThanosError(f"--ray needs {error.name}: pip install 'thanos-skill-of-mind[ray]'") from None
    output = output.absolute()
    (output / WORK_FOLDER).mkdir(parents=True, exist_ok=True)
    due = [shard for shard in shards if not _is_finished(shard, output)]
    report = RayReport(len(shards), len(shards) - len(due))
    if not due:
        return report
    if not ray.is_initialized():
        ray.init(logging_level="warning", log_to_driver=False)
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    blocks = ray.data.from_items([asdict(shard) for shard in due], override_num_blocks=len(due))
    task = _Task(work, str(output))
    results = blocks.map(task, num_cpus=1)
    try:
        for result in results.iter_rows():
            advance()
            report.failed += result.pop("failed")
            for name, n in json.loads(result["counts"]).items():
                report.counts[name] = report.counts.get(name, 0) + n
    except ray.exceptions.RayError as error:
        raise ThanosError(f"a shard failed: {_reason(error)}") from None
    return report


@dataclass(frozen=True)
class _Task:
    """What runs in the cluster."""

    work: ShardWork
    output: str

    def __call__(self, row: dict[str, Any]) -> dict[str, Any]:
        shard, output = Shard(**row), Path(self.output)
        journal = output / WORK_FOLDER / f"{_name(shard)}.jsonl"
        counts = self._do(shard, journal)
        rows = _in_order(journal)
        failures = journal.with_name(f"{_name(shard)}.failed.jsonl")
        failed = _in_order(failures) if failures.exists() else []
        _write_part(shard, rows, output)
        _replace(output / f"{_name(shard)}.failed.jsonl", failed)
        if not failed:
            journal.unlink()
        return {"failed": len(failed), "counts": json.dumps(counts)}

    def _do(self, shard: Shard, journal: Path) -> dict[str, int]:
        for attempt in range(RETRIES + 1):
            try:
                return self.work(shard, journal)
            except ThanosError:
                raise
            except Exception:  # a file system that hiccups, say
                if attempt == RETRIES:
                    raise
        raise AssertionError("the last attempt returns or raises")


def _reason(error: Exception) -> str:
    """What the work said, out of the traceback that Ray makes of it."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    ours = [line.partition(": ")[2] for line in lines if line.startswith("thanos.errors.")]
    return (ours or lines or [type(error).__name__])[-1]


def _name(shard: Shard) -> str:
    return f"part-{shard.number:05}"


def _part(shard: Shard, output: Path) -> Path:
    return output / f"{_name(shard)}{'.parquet' if shard.is_parquet else '.jsonl'}"


def _is_finished(shard: Shard, output: Path) -> bool:
    return _part(shard, output).exists() and not (output / f"{_name(shard)}.failed.jsonl").exists()


def _in_order(path: Path) -> list[dict[str, Any]]:
    with path.open("rb") as file:
        return sorted(map(json.loads, file), key=lambda row: row["line"])


def _write_part(shard: Shard, rows: list[dict[str, Any]], output: Path) -> None:
    path = _part(shard, output)
    if not shard.is_parquet:
        _replace(path, rows, even_if_empty=True)
        return
    import pyarrow
    import pyarrow.parquet

    part = path.with_name(f"{path.name}.part")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist(rows), part, compression="zstd")
    part.replace(path)


def _replace(path: Path, rows: list[dict[str, Any]], even_if_empty: bool = False) -> None:
    """Write JSONL so that the file is never half of one; without rows there is no file."""
    if not rows and not even_if_empty:
        path.unlink(missing_ok=True)
        return
    part = path.with_name(f"{path.name}.part")
    part.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    part.replace(path)
