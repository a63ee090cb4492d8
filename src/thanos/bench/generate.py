"""Samples through inspect: whatever a log holds already isn't asked again."""

import contextlib
import io
import logging
from collections.abc import Callable
from contextvars import ContextVar
from pathlib import Path

from inspect_ai import Task, eval_set
from inspect_ai._util.error import PrerequisiteError
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.log import EvalLog
from inspect_ai.model import Model
from inspect_ai.solver import Generate, Solver, TaskState, solver

from thanos.bench.models.inspect_model import engine_failure
from thanos.bench.tasks.task import BenchTask, Setup
from thanos.errors import ThanosError

LEAST_TOGETHER = 8
MOST_WRITES = 25
"""Finished samples are written when there are 8 of them, or 1 in 25 of all: inspect writes the whole log each time,
so that writing them one by one would take longer than the samples themselves. It's what a kill can cost."""

_advance: ContextVar[Callable[[], None]] = ContextVar("advance")


@solver
def tick() -> Solver:
    """Move the progress bar on."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        _advance.get()()
        return state

    return solve


def generate_log(
    task: BenchTask, samples: list[Sample], setup: Setup, model: Model, folder: Path, advance: Callable[[], None]
) -> Path:
    """Run the samples that no log in the folder has yet; failed ones are tried again.

    Args:
        folder: Of inspect's logs.
        advance: Called for every sample that was run.

    Returns:
        The finished log. Samples that failed are in it with their errors.

    Raises:
        ThanosError: if the model can't answer anything, or inspect refuses the run.
        KeyboardInterrupt: after Ctrl-C, when what is finished is in the log.
    """
    inspect_task = Task(
        dataset=MemoryDataset(samples, name=task.name),
        solver=[task.solver(setup), tick()],
        scorer=task.scorer(setup),
        name=task.name,
        version=task.version,
        epochs=setup.seeds,
    )
    token = _advance.set(advance)
    try:
        with contextlib.redirect_stdout(io.StringIO()):  # inspect says where its logs are; standard output is ours
            _, logs = eval_set(
                inspect_task,
                log_dir=str(folder),
                model=model,
                retry_attempts=0,
                retry_immediate=False,
                continue_on_fail=True,
                log_format="eval",
                log_buffer=max(LEAST_TOGETHER, len(samples) * setup.seeds // MOST_WRITES),
                max_samples=model.api.max_connections(),
                log_realtime=False,
                log_images=False,
                log_level="error",
                display="none",
                score_display=False,
            )
    except PrerequisiteError as error:
        raise ThanosError(f"inspect can't run {task.name} in {folder}: {' '.join(str(error).split())}") from None
    finally:
        _advance.reset(token)
        logging.getLogger("inspect_ai").setLevel(logging.ERROR)
    failure = engine_failure(model)
    if failure:
        raise failure
    return _finished(logs)


def _finished(logs: list[EvalLog]) -> Path:
    if not logs or logs[0].status == "cancelled":
        raise KeyboardInterrupt  # inspect has caught it, to finish its log
    return Path(logs[0].location.removeprefix("file://"))
