"""skill: which of the 39 skills, on annotated turns."""

from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.scorer import Scorer

from thanos.bench.data import BenchData, cluster_of, read_annotated
from thanos.bench.errors import NotPossibleError
from thanos.bench.items import Item, Items, choose
from thanos.bench.metrics.bootstrap import Resample
from thanos.bench.metrics.calibration import calibration_error
from thanos.bench.metrics.classification import LabelCounts, confusion
from thanos.bench.metrics.groups import mean_credits, per_source, reference
from thanos.bench.tasks.skill_of_mind import Metadata, planner, prompts, row_scorer, samples, target_of, thought_row
from thanos.bench.tasks.task import BenchTask, Row, Setup
from thanos.skills import Skill, SkillOfMind

CREDITS = ("top1", "top1_or_also", "top3", "category")
SKILLS = [skill.value for skill in Skill]


def items(data: BenchData) -> Items:
    """The annotated turns, with the second fitting skill, the true response and the annotator's explanation.

    Raises:
        NotPossibleError: without a file of them.
    """
    if data.annotated is None:
        raise NotPossibleError("no annotated turns: give --annotated FILE, or --data FOLDER with annotated/")
    faults = Items()
    rows = read_annotated(data.annotated, lambda reason: faults.left_out.update([reason]))
    return choose((_item(row) for row in rows), data.seen, faults.left_out)


def _item(row) -> Item:
    turn = row.turn
    extra = {
        "also": row.also and row.also.value,
        "gold_explanation": row.explanation,
        "response": turn.response and turn.response.words(),
        "speaker": turn.speaker,
    }
    id = {"id": turn.dialogue.id, "source": turn.source}
    return Item(turn.dialogue.id, turn.source, cluster_of(id), turn.dialogue, row.skill.value, extra)


def score_row(thought: SkillOfMind, target: str, metadata: Metadata) -> Row:
    """Credits of one answer."""
    name = thought.skill and thought.skill.value
    ranked = [skill for skill, _ in thought.top(3)]
    credit: dict[str, float | None] = {
        "top1": float(name == target),
        "top1_or_also": float(name is not None and name in (target, metadata.get("also"))),
        # A text without probabilities can't be ranked; an answer without a skill is wrong at any rank.
        "top3": float(target in ranked) if ranked else None if name else 0.0,
        "category": float(thought.category == Skill(target).category),
    }
    return {"also": metadata.get("also"), "prediction": name, **thought_row(thought), "credit": credit}


def scorer(setup: Setup) -> Scorer:
    """See `score_row`."""
    return row_scorer("top1", score_row, setup.mode)


def blank(sample: Sample) -> Row:
    """No answer."""
    return score_row(SkillOfMind(), target_of(sample.target), sample.metadata or {})


def metrics(rows: list[Row]) -> dict[str, Any]:
    """All numbers of the task."""
    return {
        "metrics": _numbers(rows),
        "per_source": per_source(rows, _numbers),
        "per_skill": _counts(rows).per_label(),
        "confusion": confusion(rows, SKILLS),
        "reference": reference(rows, SKILLS, ceiling=1.0),
    }


def _numbers(rows: list[Row]) -> dict[str, Any]:
    resample = Resample([row["cluster"] for row in rows])
    if all(row["credit"]["top3"] is None for row in rows if row["valid"]):
        rows = [row | {"credit": row["credit"] | {"top3": None}} for row in rows]
    means = mean_credits(rows, CREDITS, resample)
    return {
        "top1": means["top1"],
        "macro_f1": LabelCounts(rows, SKILLS, resample).macro_f1(),
        "top3": means["top3"],
        "top1_or_also": means["top1_or_also"],
        "category": means["category"],
        "calibration_error": calibration_error(rows, resample),
        "invalid_rate": resample.mean([float(not row["valid"]) for row in rows]),
    }


def _counts(rows: list[Row]) -> LabelCounts:
    return LabelCounts(rows, SKILLS, Resample([row["cluster"] for row in rows]))


SKILL = BenchTask(
    name="skill",
    version=1,
    summary="which of the 39 skills, on annotated turns",
    items=items,
    samples=samples,
    solver=planner,
    scorer=scorer,
    blank=blank,
    metrics=metrics,
    prompts=prompts,
)
