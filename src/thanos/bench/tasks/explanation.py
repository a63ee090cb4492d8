"""explanation: the thoughts themselves, beside the annotator's and, if a judge is given, by three human criteria."""

from functools import partial
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.scorer import Scorer

from thanos.bench.judge import CRITERIA, JUDGE_PROMPT, LOWEST, Judge
from thanos.bench.metrics.bertscore import BertScore, load_bertscore
from thanos.bench.metrics.bootstrap import Resample
from thanos.bench.metrics.groups import mean_credits, per_source
from thanos.bench.metrics.overlap import ROUGE_TYPES, bleu_counts, bleu_numbers, rouge
from thanos.bench.tasks import skill
from thanos.bench.tasks.skill_of_mind import Metadata, planner, row_scorer, samples, target_of, thought_row
from thanos.bench.tasks.task import BenchTask, Row, Setup
from thanos.data.leakage import leakage
from thanos.data.words import words
from thanos.prompts import Prompt
from thanos.skills import SkillOfMind

CREDITS = (*ROUGE_TYPES, "bertscore", "words", "leaked_share", "leaked_run", *CRITERIA)

WORST = {"bertscore": 0.0, **dict.fromkeys(CRITERIA, float(LOWEST))}
"""Measured only where there's a model for it; what an explanation without words gets then."""


def score_row(thought: SkillOfMind, target: str, metadata: Metadata) -> Row:
    """Everything about an explanation but the judge's ratings. One without words is invalid."""
    text, gold = thought.explanation, metadata["gold_explanation"]
    credit: dict[str, float | None] = {**rouge(text, gold), "words": float(len(words(text)))}
    response = metadata.get("response")
    given_away = leakage(text, response, _known(metadata)) if response and text else None
    credit["leaked_share"] = given_away and given_away.share
    credit["leaked_run"] = given_away and float(given_away.copied)
    row = thought_row(thought) | {"valid": bool(text)}
    name = thought.skill and thought.skill.value
    return {
        "also": metadata.get("also"),
        "prediction": name,
        **row,
        "reference": gold,
        "bleu_counts": bleu_counts(text, gold),
        "credit": credit,
    }


async def score_with_models(
    judge: Judge | None, bertscore: BertScore | None, thought: SkillOfMind, target: str, metadata: Metadata
) -> Row:
    """The same with the judge's ratings and BERTScore, where there are such models."""
    row = score_row(thought, target, metadata)
    if bertscore:
        row["credit"]["bertscore"] = bertscore.f1(thought.explanation, metadata["gold_explanation"])
    if judge and row["valid"]:
        verdict = await judge.rate(thought, metadata)
        row["credit"] |= verdict.ratings
        row["judge"] = verdict.text
    return row


def scorer(setup: Setup) -> Scorer:
    """With the setup's judge and BERTScore model, if it has them."""
    judge = Judge(setup.judge) if setup.judge else None
    bertscore = load_bertscore(setup.bertscore) if setup.bertscore else None
    return row_scorer("rougeL", partial(score_with_models, judge, bertscore), setup.mode)


def blank(sample: Sample) -> Row:
    """No answer."""
    return score_row(SkillOfMind(), target_of(sample.target), sample.metadata or {})


def metrics(rows: list[Row]) -> dict[str, Any]:
    """All numbers of the task."""
    return {"metrics": _numbers(rows), "per_source": per_source(rows, _numbers), "per_skill": _per_skill(rows)}


def _numbers(rows: list[Row]) -> dict[str, Any]:
    resample = Resample([row["cluster"] for row in rows])
    measured = {
        name: worst for name, worst in WORST.items() if any(row["credit"].get(name) is not None for row in rows)
    }
    rows = [row if row["valid"] else row | {"credit": row["credit"] | measured} for row in rows]
    credits = [name for name in CREDITS if name not in WORST or name in measured]
    return {
        **mean_credits(rows, [name for name in credits if name in ROUGE_TYPES][::-1], resample),
        **bleu_numbers([row["bleu_counts"] for row in rows], resample),
        **mean_credits(rows, [name for name in credits if name not in ROUGE_TYPES], resample),
        "invalid_rate": resample.mean([float(not row["valid"]) for row in rows]),
    }


def _per_skill(rows: list[Row]) -> dict[str, Any]:
    """ROUGE-L and length for each annotated skill."""
    names = sorted({row["target"] for row in rows})
    result = {}
    for name in names:
        of_skill = [row for row in rows if row["target"] == name]
        result[name] = mean_credits(of_skill, ["rougeL", "words"], Resample([row["cluster"] for row in of_skill]))
    return result


def _known(metadata: Metadata) -> list[str]:
    turns = [f"{turn['speaker']}: {turn.get('image', '')} {turn['text']}" for turn in metadata["dialogue"]]
    return [metadata["social_context"], metadata.get("speaker") or "", *turns]


def _prompts(setup: Setup) -> dict[str, Prompt]:
    return {"skill": setup.prompt} | ({"judge": JUDGE_PROMPT} if setup.judge else {})


EXPLANATION = BenchTask(
    name="explanation",
    version=1,
    summary="the explanations of the same turns, beside the annotator's",
    items=skill.items,
    samples=samples,
    solver=planner,
    scorer=scorer,
    blank=blank,
    metrics=metrics,
    prompts=_prompts,
    needs_explanation=True,
)
