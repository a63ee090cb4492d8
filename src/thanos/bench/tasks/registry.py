"""All tasks by name."""

import difflib

from thanos.bench.tasks.explanation import EXPLANATION
from thanos.bench.tasks.labels import label_task
from thanos.bench.tasks.response import RESPONSE
from thanos.bench.tasks.skill import SKILL
from thanos.bench.tasks.task import BenchTask
from thanos.errors import ThanosError

_LABEL_TASKS = ("blended-skill-talk", "photochat", "prosocial", "esconv", "casino", "dailydialog")

TASKS: dict[str, BenchTask] = {
    task.name: task for task in (SKILL, EXPLANATION, *map(label_task, _LABEL_TASKS), RESPONSE)
}
"""In the order of `thanos bench all`."""


def find_task(name: str) -> BenchTask:
    """A task by name.

    Raises:
        ThanosError: if there is none; names the nearest.
    """
    if name not in TASKS:
        near = difflib.get_close_matches(name, TASKS, n=1, cutoff=0.5)
        raise ThanosError(f"no task {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"use {', '.join(TASKS)}"))
    return TASKS[name]
