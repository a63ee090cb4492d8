"""A LangChain runnable that plans the skill and tells the next chat model of it; also as a node of a LangGraph graph.

OPENAI_API_KEY=... python examples/integrations/langchain_runnable.py gpt-4o-mini
"""

import sys

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import (
    AnyMessage,
    MessageLikeRepresentation,
    SystemMessage,
    convert_to_messages,
    convert_to_openai_messages,
)
from langchain_core.runnables import Runnable, RunnableLambda
from langgraph.graph import END, START, MessagesState, StateGraph

from thanos import SkillOfMind, Thanos, ThanosError
from thanos.respond import plan_note


def skill_of_mind(thanos: Thanos, messages: list[AnyMessage]) -> SkillOfMind | None:
    """What the assistant has in mind before its next message; None if that can't be told."""
    try:
        return thanos.predict({"messages": convert_to_openai_messages(messages)})
    except ThanosError as error:
        print(f"no plan: {error}", file=sys.stderr)  # the reply comes all the same
        return None


def with_skill(messages: list[AnyMessage], thought: SkillOfMind | None) -> list[AnyMessage]:
    """The messages with the plan at the end of the system message, where nothing that users write can reach it."""
    system = messages[0].text if messages and messages[0].type == "system" else ""
    rest = messages[1:] if system else messages
    whole = "\n\n".join(part for part in (system, plan_note(thought)) if part)
    return [SystemMessage(whole), *rest] if whole else rest


def planner(thanos: Thanos) -> Runnable[list[MessageLikeRepresentation], list[AnyMessage]]:
    """Messages in, planned messages out: `planner(thanos) | chat_model`."""

    def plan(given: list[MessageLikeRepresentation]) -> list[AnyMessage]:
        messages = convert_to_messages(given)
        return with_skill(messages, skill_of_mind(thanos, messages))

    return RunnableLambda(plan, name="skill_of_mind")


class State(MessagesState):
    """The conversation, and what was in mind at its last reply."""

    thought: SkillOfMind | None


def graph(thanos: Thanos, model: BaseChatModel):
    """A LangGraph graph of two nodes: plan, then speak. The plan stays in the state, not in the conversation."""
    plan = lambda state: {"thought": skill_of_mind(thanos, state["messages"])}
    speak = lambda state: {"messages": [model.invoke(with_skill(state["messages"], state["thought"]))]}
    steps = StateGraph(State).add_node("plan", plan).add_node("speak", speak)
    return steps.add_edge(START, "plan").add_edge("plan", "speak").add_edge("speak", END).compile()


def main(model: str) -> None:
    """Both, once."""
    from langchain_openai import ChatOpenAI

    chat_model = ChatOpenAI(model=model)
    messages = [("user", "I told the whole team about the party, and it was meant to be a surprise.")]
    with Thanos() as thanos:
        state = graph(thanos, chat_model).invoke({"messages": messages})
        print(f"[{state['thought'].skill}] {state['messages'][-1].text}")
        print((planner(thanos) | chat_model).invoke(state["messages"][:1]).text)


if __name__ == "__main__":
    main(*sys.argv[1:])
