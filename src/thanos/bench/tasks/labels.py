"""Tasks on public sets: the skill is mapped to the set's own labels, which people gave."""

from functools import partial
from typing import Any

from inspect_ai.scorer import Scorer

from thanos.bench.metrics.bootstrap import Resample
from thanos.bench.metrics.classification import LabelCounts, confusion
from thanos.bench.metrics.groups import mean_credits, reference, targets
from thanos.bench.tasks.labelled_turns import labelled_items
from thanos.bench.tasks.skill_map import SkillMap, load_map
from thanos.bench.tasks.skill_of_mind import Metadata, planner, prompts, row_scorer, samples, target_of, thought_row
from thanos.bench.tasks.task import BenchTask, Row, Setup
from thanos.skills import SkillOfMind


def score_row(skill_map: SkillMap, thought: SkillOfMind, target: str | list[str], metadata: Metadata) -> Row:
    """Whether the label that the skill stands for is right."""
    label = skill_map.label_of(thought.skill)
    right = [target] if isinstance(target, str) else target
    return {"prediction": label, **thought_row(thought), "credit": {"accuracy": float(label in right)}}


def metrics(skill_map: SkillMap, rows: list[Row]) -> dict[str, Any]:
    """All numbers of a task; for a yes-or-no question those of the yes come first."""
    labels = list(skill_map.labels)
    resample = Resample([row["cluster"] for row in rows])
    counts = LabelCounts(rows, labels, resample)
    numbers = mean_credits(rows, ["accuracy"], resample) | {
        "macro_f1": counts.macro_f1(),
        "balanced_accuracy": counts.balanced_accuracy(),
        "invalid_rate": resample.mean([float(not row["valid"]) for row in rows]),
        "no_label_rate": resample.mean([float(row["valid"] and row["prediction"] is None) for row in rows]),
    }
    if skill_map.positive:
        of_yes = counts.label(skill_map.positive)
        head = {name: of_yes[name] for name in ("f1", "precision", "recall")}
        numbers = head | {"matthews": counts.matthews(skill_map.positive)} | numbers
    reachable = skill_map.reachable()
    within = [any(label in reachable for label in targets(row)) for row in rows]
    return {
        "metrics": numbers,
        "per_source": {},
        "per_skill": counts.per_label(),
        "confusion": confusion(rows, labels),
        "reference": reference(rows, labels, ceiling=sum(within) / max(len(rows), 1)),
    }


def label_task(name: str) -> BenchTask:
    """The task of a built-in map."""
    skill_map = load_map(name)
    score = partial(score_row, skill_map)
    return BenchTask(
        name=skill_map.name,
        version=skill_map.version,
        summary=skill_map.summary,
        items=lambda data: labelled_items(data, skill_map),
        samples=samples,
        solver=planner,
        scorer=partial(_scorer, score),
        blank=lambda sample: score(SkillOfMind(), target_of(sample.target), sample.metadata or {}),
        metrics=partial(metrics, skill_map),
        prompts=prompts,
    )


def _scorer(score, setup: Setup) -> Scorer:
    return row_scorer("accuracy", score, setup.mode)


def _targets(row: Row) -> list[str]:
    return [row["target"]] if isinstance(row["target"], str) else row["target"]
