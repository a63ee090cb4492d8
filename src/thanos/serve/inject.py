"""A plan, put into a chat request."""

from typing import Any

from thanos.respond.messages import with_plan
from thanos.respond.plan import Arm, plan_note
from thanos.skills import SkillOfMind


def messages_with_plan(messages: list[Any], thought: SkillOfMind, arm: Arm) -> list[Any]:
    """The caller's messages, in their order, with the plan at the end of the first system message.

    Where there is no system message in front, one is put there that holds the plan alone. A system message in parts
    gets one more part.
    """
    note = plan_note(thought, arm)
    first = messages[0] if messages and isinstance(messages[0], dict) else {}
    content = first.get("content")
    if not note or first.get("role") not in ("system", "developer") or isinstance(content, str):
        return with_plan(messages, note)
    if isinstance(content, list):
        part = {"type": "text", "text": with_plan([], note)[0]["content"]}
        return [{**first, "content": [*content, part]}, *messages[1:]]
    return [*with_plan([], note), *messages]
