"""What all tasks share that ask for a skill-of-mind: the sample, the solver, reading the answer."""

from collections.abc import Awaitable, Callable
from typing import Any

from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig, ModelOutput
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from thanos.bench.items import Item, Items
from thanos.bench.models.provider import SKILL_OF_MIND, generation_of
from thanos.bench.tasks.task import Row, Setup
from thanos.data.next_turn import turn_row
from thanos.predict.answer import read_generation
from thanos.predict.request import CHOICE_TOKENS, EXPLANATION_TOKENS, SAMPLE_TEMPERATURE, PredictionOptions
from thanos.prompts import Prompt
from thanos.skills import SkillOfMind

DIGITS = 6
"""Decimals of a probability in rows.jsonl."""

Metadata = dict[str, Any]


def samples(items: Items, setup: Setup) -> list[Sample]:
    """One sample an item: the prompt to send, and beside it what scoring and the rows need."""
    return [_sample(item, setup) for item in items.kept]


def _sample(item: Item, setup: Setup) -> Sample:
    system, user = setup.prompt.render(item.dialogue)
    last = ChatMessageUser(content=user["content"], metadata={SKILL_OF_MIND: setup.mode})
    head = [ChatMessageSystem(content=system["content"])] if system["content"] else []
    metadata = {
        "source": item.source,
        "cluster": item.cluster,
        "social_context": item.dialogue.social_context,
        "dialogue": [turn_row(turn) for turn in item.dialogue.turns],
        **item.extra,
    }
    return Sample(id=item.id, input=[*head, last], target=item.target, metadata=metadata)


def prompts(setup: Setup) -> dict[str, Prompt]:
    """The one prompt."""
    return {"skill": setup.prompt}


@solver
def plan(mode: str, sampled: bool) -> Solver:
    """Ask for a skill-of-mind: greedy, or sampled with the number of the epoch as seed."""

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        config = GenerateConfig(
            max_tokens=EXPLANATION_TOKENS + (0 if _ours(state) else CHOICE_TOKENS),
            temperature=SAMPLE_TEMPERATURE if sampled else 0.0,
            seed=state.epoch - 1,
        )
        return await generate(state, **config.model_dump(exclude_none=True))

    return solve


def planner(setup: Setup) -> Solver:
    """The solver of a setup."""
    return plan(setup.mode, sampled=setup.seeds > 1)


def _ours(state: TaskState) -> bool:
    """Our engines write the choice after the free part; to any other model it's part of its answer."""
    return state.model.api == "thanos"


def read_output(output: ModelOutput, mode: str) -> SkillOfMind:
    """The skill-of-mind of an answer, whichever model gave it.

    Choosing is what most tasks score, so an answer with a skill and without thoughts is valid here; see `explanation`.
    """
    return read_generation(generation_of(output), PredictionOptions(mode="direct" if mode == "direct" else "explain"))


def thought_row(thought: SkillOfMind) -> Row:
    """What a row says of the answer itself."""
    return {
        "skill": thought.skill and thought.skill.value,
        "scores": {name: round(p, DIGITS) for name, p in thought.scores.items()},
        "explanation": thought.explanation,
        "valid": thought.skill is not None,
        **({} if thought.skill else {"raw": thought.raw}),
    }


RowScorer = Callable[[SkillOfMind, str | list[str], Metadata], Row | Awaitable[Row]]


@scorer(metrics=[mean()])
def row_scorer(headline: str, score_row: RowScorer, mode: str) -> Scorer:
    """A scorer of inspect that keeps the whole row; its value is the row's credit of that name."""

    async def score(state: TaskState, target: Target) -> Score:
        thought = read_output(state.output, mode)
        row = score_row(thought, target_of(target), state.metadata)
        if isinstance(row, Awaitable):
            row = await row
        value = row["credit"].get(headline)
        answer = row["prediction"] if row["prediction"] is not None else ""
        return Score(value=float("nan") if value is None else value, answer=answer, metadata={"row": row})

    return score


def target_of(target: Target | list[str] | str) -> str | list[str]:
    """One label, or several of which any is right."""
    labels = [target] if isinstance(target, str) else list(target)
    return labels[0] if len(labels) == 1 else labels
