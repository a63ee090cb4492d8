"""inspect's log -> rows of rows.jsonl."""

import json
from collections.abc import Iterable, Iterator
from pathlib import Path

from inspect_ai.dataset import Sample
from inspect_ai.log import EvalSample, read_eval_log_sample_summaries, read_eval_log_samples_by_id

from thanos.bench.tasks.task import BenchTask, Row

TOGETHER = 200
"""Samples read at a time."""
UNREAD = {"events", "store", "attachments", "messages"}
"""Fields of a sample that no row needs."""


def rows_of_log(log: Path, task: BenchTask) -> Iterator[Row]:
    """Stream the rows of a finished log, sorted by id and seed."""
    finished = sorted((str(summary.id), summary.epoch) for summary in read_eval_log_sample_summaries(str(log)))
    for start in range(0, len(finished), TOGETHER):
        keys = finished[start : start + TOGETHER]
        for sample in read_eval_log_samples_by_id(str(log), keys, exclude_fields=UNREAD):
            yield _row(sample, task)


def _row(sample: EvalSample, task: BenchTask) -> Row:
    metadata = sample.metadata
    scores = list((sample.scores or {}).values())
    failed = sample.error is not None or not scores
    if failed:
        blank = Sample(id=sample.id, input=sample.input, target=sample.target, metadata=metadata)
        scored, error = task.blank(blank), sample.error.message if sample.error else "not scored"
    else:
        scored, error = (scores[0].metadata or {})["row"], ""
    target = sample.target if isinstance(sample.target, str) else list(sample.target)
    return {
        "id": str(sample.id),
        "seed": sample.epoch - 1,
        "source": metadata["source"],
        "cluster": metadata["cluster"],
        "social_context": metadata["social_context"],
        "dialogue": metadata["dialogue"],
        "target": target,
        "error": " ".join(error.split()),
        **scored,
    }


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """Write all rows; the file takes its name only when it's whole."""
    part = path.with_name(path.name + ".part")
    with part.open("w", encoding="utf-8") as file:
        for row in rows:
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    part.replace(path)
