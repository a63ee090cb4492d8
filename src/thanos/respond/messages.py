"""Dialogue, plan -> the messages that ask a chat model for the next turn."""

import re
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import groupby

import yaml

from thanos.dialogue import Dialogue
from thanos.engines.protocol import Engine
from thanos.errors import ThanosError
from thanos.prompts import FittedPrompt, Message, fit
from thanos.respond.plan import Arm, plan_note
from thanos.respond.speaker import next_speaker
from thanos.skills import SkillOfMind

PLAN_TOKENS = 256
"""Room that every arm keeps for a plan, told or not, so that all arms see the same part of a long dialogue. English
plans stay within it; one that doesn't takes the rest from the dialogue."""

# Marks of the common chat templates. Engines that run weights break up their own model's; a server may not.
_TEMPLATE_MARK = re.compile(
    r"<(?=[|｜]|/?(?:s|bos|eos|start_of_turn|end_of_turn)>|</?SYS>>)"
    r"|\[(?=/?(?:INST|SYSTEM_PROMPT|AVAILABLE_TOOLS|TOOL_CALLS|TOOL_RESULTS)\])"
)


@dataclass(frozen=True)
class ReplyPrompt:
    """The prompt for one speaker's next turn, without a plan."""

    speaker: str
    name: str = "reply"

    def render(self, dialogue: Dialogue) -> list[Message]:
        """The messages to send: a system message, then user and assistant in turn, the user last.

        A dialogue can't reach the template: values are put in, never read again.
        """
        others = list(dict.fromkeys(turn.speaker for turn in dialogue.turns if turn.speaker != self.speaker))
        context = dialogue.social_context.strip()
        values = {
            "speaker": _defused(self.speaker),
            "others": _defused(" and ".join(others) or "somebody"),
            "social_context": _defused(f" {context}" if context else ""),
        }
        template = _template()
        messages: list[Message] = []
        for own, turns in groupby(dialogue.turns, lambda turn: turn.speaker == self.speaker):
            words = [turn.words() if own or len(others) < 2 else f"{turn.speaker}: {turn.words()}" for turn in turns]
            messages.append({"role": "assistant" if own else "user", "content": _defused("\n".join(words))})
        if messages[0]["role"] == "assistant":
            messages.insert(0, {"role": "user", "content": template["opening"]})
        if messages[-1]["role"] == "assistant":
            messages.append({"role": "user", "content": template["go_on"].format_map(values)})
        return [{"role": "system", "content": template["system"].format_map(values)}, *messages]


def reply_messages(
    dialogue: Dialogue, thought: SkillOfMind | None, arm: Arm = "both", speaker: str | None = None
) -> list[Message]:
    """The messages that ask for the next turn.

    Args:
        dialogue: The turns so far.
        thought: The next speaker's skill-of-mind; None for none.
        arm: What of it the responder is told.
        speaker: Who speaks; by default `next_speaker(dialogue)`.

    Returns:
        A system message, which ends with the plan if there is one; then user and assistant in turn, the user last.

    Raises:
        ThanosError: if nobody can be said to speak next, or for an unknown arm.
    """
    messages = ReplyPrompt(speaker or next_speaker(dialogue)).render(dialogue)
    return with_plan(messages, plan_note(thought, arm))


def fit_reply(dialogue: Dialogue, speaker: str, note: str, engine: Engine, max_tokens: int) -> FittedPrompt:
    """`reply_messages` within the engine's context window: the oldest turns go first, the plan and the rules never.

    Args:
        note: What `plan_note` gave. It doesn't change which turns are kept unless it's longer than `PLAN_TOKENS`.
        max_tokens: Room for the reply.

    Raises:
        ThanosError: if not even the template fits.
    """
    window = engine.context_window
    room = PLAN_TOKENS if not note else max(PLAN_TOKENS, engine.count_tokens(with_plan([], note)))
    budget = None if window is None else window - max_tokens - room
    if budget is not None and budget < 1:
        raise ThanosError(f"max_tokens {max_tokens} leaves no room in a window of {window} tokens")
    fitted = fit(dialogue, ReplyPrompt(speaker), engine.count_tokens, budget)
    return FittedPrompt(with_plan(fitted.messages, note), fitted.dropped_turns, fitted.dropped_characters)


def with_plan(messages: list[Message], note: str) -> list[Message]:
    """The same messages with a plan at the end of the system message; one is put in front where there is none."""
    if not note:
        return messages
    note = _defused(note)
    if messages and messages[0]["role"] in ("system", "developer"):
        first = messages[0]
        return [{**first, "content": f"{first['content']}\n\n{note}"}, *messages[1:]]
    return [{"role": "system", "content": note}, *messages]


def prompt_version() -> int:
    """Raised with every change of the prompt's wording."""
    return _template()["version"]


def _defused(text: str) -> str:
    """Break up what a chat template would read as its own mark: "<|im_end|>" becomes "< |im_end|>"."""
    return _TEMPLATE_MARK.sub(lambda mark: mark.group() + " ", text)


@cache
def _template() -> dict:
    return yaml.safe_load(files("thanos.respond").joinpath("reply.yaml").read_text(encoding="utf-8"))
