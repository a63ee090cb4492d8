"""An inspect_ai solver that plans the skill before the model under evaluation answers.

inspect eval examples/integrations/inspect_solver.py --model openai/gpt-4o-mini
inspect eval examples/integrations/inspect_solver.py --model openai/gpt-4o-mini -T arm=plain     # to compare
"""

import asyncio

from inspect_ai import Task, task
from inspect_ai.dataset import Sample
from inspect_ai.model import ChatMessage, ChatMessageSystem
from inspect_ai.scorer import includes
from inspect_ai.solver import Generate, Solver, TaskState, generate, solver

from thanos import Thanos, ThanosError
from thanos.respond import Arm, plan_note


@solver
def skill_of_mind(model: str = "embedded", arm: Arm = "both", **options) -> Solver:
    """Adds the plan to the system message and keeps the skill-of-mind in the sample's metadata.

    Args:
        model: Who plans; options are those of `Thanos`, e.g. base_url.
        arm: What of the plan the model under evaluation is told: plain, skill, explanation or both.
    """
    thanos, one_at_a_time = Thanos(model, **options), asyncio.Lock()

    async def solve(state: TaskState, generate: Generate) -> TaskState:
        row = {"messages": [{"role": message.role, "content": message.text} for message in state.messages]}
        try:
            async with one_at_a_time:  # samples run side by side; weights in this process take turns
                thought = await asyncio.to_thread(thanos.predict, row)
        except ThanosError as error:
            state.metadata["no_plan"] = str(error)
            return state
        state.metadata["skill_of_mind"] = thought.model_dump(mode="json", exclude={"raw", "error"})
        state.messages = with_note(state.messages, plan_note(thought, arm))
        return state

    return solve


def with_note(messages: list[ChatMessage], note: str) -> list[ChatMessage]:
    """The messages with a note at the end of the system message."""
    if not note:
        return messages
    system = messages[0].text if messages[0].role == "system" else ""
    whole = "\n\n".join(part for part in (system, note) if part)
    return [ChatMessageSystem(content=whole), *(messages[1:] if system else messages)]


@task
def apologies(arm: Arm = "both", planner: str = "embedded", **options) -> Task:
    """A task of one sample, to show where the solver goes."""
    sample = Sample(input="You told everyone about my surprise party!", target="sorry")
    return Task(dataset=[sample], solver=[skill_of_mind(planner, arm, **options), generate()], scorer=includes())
