"""Score a log once more: what was generated stays, everything after it is made again."""

import json
from pathlib import Path
from typing import Any

from inspect_ai import score
from inspect_ai.log import list_eval_logs, read_eval_log, write_eval_log

from thanos.bench.data import BenchData
from thanos.bench.run import RunResult, write_results
from thanos.bench.run_folder import describe, write_json
from thanos.bench.tasks.registry import find_task
from thanos.bench.tasks.task import Setup
from thanos.errors import ThanosError
from thanos.prompts import Prompt


def rescore(place: Path, judge: str | None = None, bertscore: str | None = None) -> RunResult:
    """Score the finished log of a run folder again, and write its rows and metrics.

    Args:
        place: The folder, or the log in it.
        judge: Instead of the run's own.
        bertscore: The same.

    Raises:
        ThanosError: if it's neither, or the run isn't finished.
    """
    folder, log = _find(place)
    config = _read(folder / "config.json")
    task = find_task(config["task"])
    config |= {"judge": judge or config["judge"], "bertscore": bertscore or config.get("bertscore")}
    prompt = Prompt.model_validate(_read(folder / "prompts.json")["skill"])
    asked = {key: config.get(key) for key in ("mode", "seeds", "judge", "bertscore", "planner")}
    setup = Setup(BenchData(None, None, None), prompt, **asked)
    scored = score(read_eval_log(str(log)), task.scorer(setup), action="overwrite", display="none")
    write_eval_log(scored, str(log))
    write_json(folder / "config.json", config)
    describe(folder, task, setup)
    return RunResult(folder, write_results(folder, log, task, setup, config["model"]))


def _find(place: Path) -> tuple[Path, Path]:
    """(run folder, its newest log)."""
    if place.is_file():
        return place.parent.parent, place
    logs = list_eval_logs(str(place / "log"), descending=True) if (place / "log").is_dir() else []
    if not logs:
        raise ThanosError(f"no log in {place}: give a run folder of `thanos bench`, or a log in one")
    return place, Path(logs[0].name.removeprefix("file://"))


def _read(path: Path) -> dict[str, Any]:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ThanosError(f"can't read {path}: {error}; rescore needs a folder that `thanos bench` wrote") from None
