"""response: what a chat model says next, with and without the plan, in four arms.

One row a dialogue holds the replies of all arms, so that arms are always compared on the same dialogues. All arms get
the same turns: dialogues are cut to the benchmark's budget, with room for a plan, before any of them is asked.
"""

from pathlib import Path

import anyio
from inspect_ai.dataset import Sample
from inspect_ai.model import (
    ChatMessage,
    ChatMessageAssistant,
    ChatMessageSystem,
    ChatMessageUser,
    GenerateConfig,
    Model,
    ModelOutput,
    get_model,
)
from inspect_ai.scorer import Score, Scorer, Target, mean, scorer
from inspect_ai.solver import Generate, Solver, TaskState, solver

from thanos.bench.items import Item, Items
from thanos.bench.metrics.bertscore import load_bertscore
from thanos.bench.models.inspect_model import get_inspect_model
from thanos.bench.models.provider import SKILL_OF_MIND
from thanos.bench.pair_judge import PAIR_PROMPT, PairJudge, PairVerdict
from thanos.bench.tasks.reply_items import reply_items
from thanos.bench.tasks.reply_scores import NO_REPLY, TOLD, add_verdicts, metrics, score_replies
from thanos.bench.tasks.skill_of_mind import Metadata, read_output, thought_row
from thanos.bench.tasks.task import BenchTask, Row, Setup
from thanos.data.next_turn import turn_row
from thanos.dialogue import Dialogue
from thanos.predict.request import EXPLANATION_TOKENS, SAMPLE_TEMPERATURE
from thanos.prompts import Message, Prompt
from thanos.respond import ARMS, plan_note, reply_messages
from thanos.respond.clean import read_reply
from thanos.respond.messages import PLAN_TOKENS, ReplyPrompt, prompt_version
from thanos.respond.plan import instructions_version
from thanos.respond.responder import REPLY_TOKENS
from thanos.skills import Skill, SkillOfMind

REPLIES, THOUGHT = "replies", "thought"
"""Keys of a sample's metadata that the solver fills."""


def samples(items: Items, setup: Setup) -> list[Sample]:
    """One sample an item. Its input is the arm "plain"; the solver makes the others' from the same dialogue."""
    return [_sample(item) for item in items.kept]


def _sample(item: Item) -> Sample:
    speaker = item.extra["speaker"]
    metadata = {
        "source": item.source,
        "cluster": item.cluster,
        "social_context": item.dialogue.social_context,
        "dialogue": [turn_row(turn) for turn in item.dialogue.turns],
        **item.extra,
    }
    messages = chat_messages(reply_messages(item.dialogue, None, "plain", speaker))
    return Sample(id=item.id, input=messages, target=item.target, metadata=metadata)


@solver
def plan_and_reply(planner: str, train: str | None, prompt: Prompt, mode: str, sampled: bool) -> Solver:
    """Have the planner think once, then the model under test reply in every arm."""
    model = get_inspect_model(planner, train and Path(train))

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        config = GenerateConfig(temperature=SAMPLE_TEMPERATURE if sampled else 0.0, seed=state.epoch - 1)
        dialogue = dialogue_of(state.metadata)
        thought = await _think(model, prompt, mode, dialogue, config)
        replies = await _reply_in_all_arms(dialogue, state.metadata["speaker"], thought, config)
        state.metadata[THOUGHT] = thought.model_dump(mode="json", exclude={"category"})
        state.metadata[REPLIES] = replies
        state.output = ModelOutput.from_content(str(state.model), replies["both"])
        return state

    return solve


async def _think(model: Model, prompt: Prompt, mode: str, dialogue: Dialogue, config: GenerateConfig) -> SkillOfMind:
    *head, last = chat_messages(prompt.render(dialogue))
    last.metadata = {SKILL_OF_MIND: mode}
    room = GenerateConfig(max_tokens=EXPLANATION_TOKENS)
    return read_output(await model.generate([*head, last], config=config.merge(room)), mode)


async def _reply_in_all_arms(
    dialogue: Dialogue, speaker: str, thought: SkillOfMind, config: GenerateConfig
) -> dict[str, str]:
    """Arm -> reply. Arms that are told the same are asked once: without a plan, all are the plain one."""
    notes = {arm: plan_note(thought, arm) for arm in ARMS}
    said: dict[str, str] = {}

    async def ask(note: str, arm: str) -> None:
        messages = chat_messages(reply_messages(dialogue, thought, arm, speaker))
        room = GenerateConfig(max_tokens=REPLY_TOKENS)
        output = await get_model().generate(messages, config=config.merge(room))
        others = {turn.speaker for turn in dialogue.turns} - {speaker}
        said[note] = read_reply(output.completion, speaker, sorted(others), _cut(output))

    async with anyio.create_task_group() as group:
        for note in dict.fromkeys(notes.values()):
            group.start_soon(ask, note, next(arm for arm in ARMS if notes[arm] == note))
    return {arm: said[note] for arm, note in notes.items()}


@scorer(metrics=[mean()])
def reply_scorer(judge: str | None, bertscore: str | None = None) -> Scorer:
    """A scorer of inspect that keeps the whole row; its value is ROUGE-L of the arm that is told both."""
    pair_judge = PairJudge(judge) if judge else None
    similarity = load_bertscore(bertscore).f1 if bertscore else None

    async def score(state: TaskState, target: Target) -> Score:
        replies = state.metadata[REPLIES]
        row = score_replies(replies, state.metadata, similarity)
        row |= planned(SkillOfMind.model_validate(state.metadata[THOUGHT]))
        if pair_judge:
            add_verdicts(row, {arm: await _judge(pair_judge, replies, arm, state.metadata) for arm in TOLD})
        return Score(value=row["credit"]["rougeL/both"], answer=replies["both"], metadata={"row": row})

    return score


async def _judge(judge: PairJudge, replies: dict[str, str], arm: str, metadata: Metadata) -> PairVerdict:
    """A reply wins against none; of two that are missing, nothing can be said."""
    a, b = replies[arm], replies["plain"]
    if a and b:
        return await judge.compare(a, b, metadata)
    return PairVerdict(None if a == b else float(bool(a)), None, (NO_REPLY,))


def planned(thought: SkillOfMind) -> Row:
    """What a row says of the plan; whether the row is valid depends on its replies alone."""
    row = thought_row(thought)
    return {key: row[key] for key in ("skill", "scores", "explanation")}


def blank(sample: Sample) -> Row:
    """No reply."""
    return score_replies({}, sample.metadata or {}) | planned(SkillOfMind())


def dialogue_of(metadata: Metadata) -> Dialogue:
    """The dialogue of a sample, already within the budget."""
    return Dialogue.model_validate({"turns": metadata["dialogue"], "social_context": metadata["social_context"]})


def chat_messages(messages: list[Message]) -> list[ChatMessage]:
    """Our messages -> inspect's."""
    kinds = {"system": ChatMessageSystem, "user": ChatMessageUser, "assistant": ChatMessageAssistant}
    return [kinds[message["role"]](content=message["content"]) for message in messages if message["content"]]


def _cut(output: ModelOutput) -> bool:
    """Whether the model ran out of room."""
    used = output.usage.output_tokens if output.usage else 0
    return output.stop_reason == "max_tokens" or used >= REPLY_TOKENS


def prompts(setup: Setup) -> dict[str, Prompt]:
    """The planner's prompt; the reply's, and how a plan is told, with places for what is put in."""
    known = {"turns": [{"speaker": "{others}", "text": "{dialogue}"}], "social_context": "{social_context}"}
    system, user = ReplyPrompt("{speaker}").render(Dialogue.model_validate(known))
    note = plan_note(SkillOfMind(explanation="{explanation}", skill=Skill.EMPATHY), "both")
    shown = {
        "skill": setup.prompt,
        "reply": _shown("reply", prompt_version(), system["content"], user["content"]),
        "plan": _shown("plan, with Empathy for example", instructions_version(), note, ""),
    }
    return shown | ({"judge": PAIR_PROMPT} if setup.judge else {})


def _solver(setup: Setup) -> Solver:
    train = str(setup.data.train) if setup.data.train else None
    return plan_and_reply(setup.planner, train, setup.prompt, setup.mode, setup.seeds > 1)


def _shown(name: str, version: int, system: str, user: str) -> Prompt:
    return Prompt(name=name, version=version, source="thanos.respond", system=system, user=user)


RESPONSE = BenchTask(
    name="response",
    version=1,
    summary="what a chat model says next: plain, with the skill, with the explanation, with both",
    items=reply_items,
    samples=samples,
    solver=_solver,
    scorer=lambda setup: reply_scorer(setup.judge, setup.bertscore),
    blank=blank,
    metrics=metrics,
    prompts=prompts,
    room=PLAN_TOKENS + REPLY_TOKENS,
)
