"""All tasks by name."""

import difflib

from thanos.bench.tasks.explanation import EXPLANATION
from thanos.bench.tasks.labels import label_task
from thanos.bench.tasks.response import RESPONSE
from thanos.bench.tasks.skill import SKILL
from thanos.bench.tasks.task import BenchTask
from thanos.errors import ThanosError

_LABEL_TASKS = ("blended-skill-talk", "photochat", "prosocial", "esconv", "casino", "dailydialog")

TASKS: dict[str, BenchTask] = {task.name: task for task in (SKILL, EXPLANATION, *map(label_task, _LABEL_TASKS))}
"""What a planner is scored on, in the order of `thanos bench all`."""
ALL_TASKS: dict[str, BenchTask] = TASKS | {RESPONSE.name: RESPONSE}
"""And what a plan does for a model that replies."""


def find_task(name: str) -> BenchTask:
    """A task by name.

    Raises:
        ThanosError: if there is none; names the nearest.
    """
    if name not in ALL_TASKS:
        near = difflib.get_close_matches(name, ALL_TASKS, n=1, cutoff=0.5)
        raise ThanosError(
            f"no task {name!r}; " + (f"did you mean {near[0]!r}?" if near else f"use {', '.join(ALL_TASKS)}")
        )
    return ALL_TASKS[name]
