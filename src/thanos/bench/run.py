"""One model on one task, from the data to metrics.json."""

import json
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.model import Model

from thanos.bench.baselines import SILENT
from thanos.bench.budget import DIALOGUE_BYTES, check_window, within_budget
from thanos.bench.errors import NotPossibleError
from thanos.bench.generate import generate_log
from thanos.bench.items import Items, draw
from thanos.bench.models.provider import ThanosAPI, messages_of
from thanos.bench.rows import rows_of_log, write_rows
from thanos.bench.run_folder import begin, describe, metrics_of, run_folder, write_json
from thanos.bench.tasks.task import BenchTask, Setup

Bar = Callable[[str, int], AbstractContextManager[Callable[[], None]]]
"""(label, samples) -> a progress bar; see `thanos.longrun.progress_bar`."""


@dataclass(frozen=True)
class RunResult:
    """What came of a run."""

    folder: Path
    metrics: dict[str, Any]
    """What metrics.json holds."""


def run_task(
    task: BenchTask,
    model: Model,
    name: str,
    setup: Setup,
    out: Path,
    *,
    limit: int | None = None,
    seed: int = 0,
    bar: Bar,
) -> RunResult:
    """Run a task, or go on with it, and write its folder.

    Args:
        model: As inspect's.
        name: Its model string.
        out: Where run folders are.
        limit: Most items, drawn with the seed.
        seed: Of the draw.

    Raises:
        NotPossibleError: if the data isn't at hand, or the model is no good for the task.
        ThanosError: if a prompt doesn't fit, or the folder is another run's.
    """
    if task.needs_explanation and name in SILENT:
        raise NotPossibleError(f"{name} writes no explanation")
    if task.needs_explanation and setup.mode == "direct":
        raise NotPossibleError(f"{task.name} needs --mode explain")
    items = task.items(setup.data)
    drawn = draw(items.kept, limit, seed)
    if not drawn:
        why = ", ".join(f"{reason} ({n} rows)" for reason, n in items.left_out.items())
        raise NotPossibleError(f"{task.name} has no rows to score" + (f": {why}" if why else ""))
    short = [within_budget(item.dialogue) for item in drawn]
    cut = sum(bool(s.dropped_turns or s.dropped_characters) for s in short)
    asked = [replace(item, dialogue=s.dialogue) for item, s in zip(drawn, short, strict=True)]
    samples = task.samples(Items(asked, items.left_out), setup)
    _assert_budget(model, samples, task.room)

    folder = run_folder(out, task.name, name)
    left_out = dict(sorted(items.left_out.items()))
    config = {
        "task": task.name,
        "model": name,
        "mode": setup.mode,
        "prompt": f"{setup.prompt.name}-{setup.prompt.version}",
        "judge": setup.judge,
        "bertscore": setup.bertscore,
        "planner": setup.planner,
        "limit": limit,
        "seed": seed,
        "seeds": setup.seeds,
        "budget": {"bytes": DIALOGUE_BYTES, "shortened": cut},
        "rows": {"used": len(samples), "usable": len(items.kept), "left_out": left_out},
        "samples": _fingerprint(samples),
    }
    begin(folder, config)
    describe(folder, task, setup)
    with bar(f"{task.name} {name}", len(samples) * setup.seeds) as advance:
        log = generate_log(task, samples, setup, model, folder / "log", advance)
    return RunResult(folder, write_results(folder, log, task, setup, name))


def write_results(folder: Path, log: Path, task: BenchTask, setup: Setup, model: str) -> dict[str, Any]:
    """Log -> rows.jsonl and metrics.json.

    Returns:
        What metrics.json holds.
    """
    rows = list(rows_of_log(log, task))
    write_rows(folder / "rows.jsonl", rows)
    metrics = metrics_of(rows, task, setup, model)
    write_json(folder / "metrics.json", metrics)
    return metrics


def _assert_budget(model: Model, samples: list[Sample], room: int) -> None:
    """Every prompt and its answer fit into the model's window; what another provider's model takes isn't known here."""
    if isinstance(model.api, ThanosAPI):
        prompts = ((str(sample.id), messages_of(sample.input)) for sample in samples)
        check_window(model.api.engine, prompts, room)


def _fingerprint(samples: list[Sample]) -> str:
    """Changes with any prompt, label or id."""
    digest = blake2b(digest_size=12)
    for sample in samples:
        shown = [(m.role, m.text) for m in sample.input]
        digest.update(json.dumps([sample.id, sample.target, shown], ensure_ascii=False).encode())
    return digest.hexdigest()
