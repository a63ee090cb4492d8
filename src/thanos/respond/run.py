"""Many dialogues through planner and responder: plan, then speak."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import count, islice
from typing import Any

from thanos.dialogue import Dialogue
from thanos.engines.protocol import Usage
from thanos.predict.predictor import Prediction, Thanos
from thanos.predict.row import output_row
from thanos.predict.run import run_settings as planner_settings
from thanos.respond.messages import prompt_version
from thanos.respond.plan import instructions_version
from thanos.respond.responder import Reply, Responder
from thanos.skills import SkillOfMind

CHUNK = 64
"""Dialogues planned together before they are answered, where one engine does both."""


@dataclass(frozen=True)
class Answer:
    """A dialogue's plan and reply."""

    index: int
    """The dialogue's place in the input, from 0."""
    plan: Prediction
    """An empty one in the arm "plain"."""
    reply: Reply | None
    """None if the plan failed."""

    @property
    def dialogue(self) -> Dialogue:
        """What was answered."""
        return self.plan.dialogue

    @property
    def error(self) -> str:
        """Why there is no reply: one line; empty if there is one."""
        return self.plan.error if self.reply is None else self.reply.error

    @property
    def valid(self) -> bool:
        """False if a plan was asked for and named no skill."""
        return self.plan.valid or (self.reply is not None and self.reply.arm == "plain")

    @property
    def usage(self) -> Usage:
        """Tokens of plan and reply together."""
        return self.plan.usage if self.reply is None else self.plan.usage + self.reply.usage


def plan_and_speak(
    thanos: Thanos | None, responder: Responder, dialogues: Iterable[Dialogue], speaker: str | None = None
) -> Iterator[Answer]:
    """Answer every dialogue, in any order and in constant memory.

    Args:
        thanos: Plans; None in the arm "plain", which needs no plan.
        speaker: Who answers, in all of them; by default `thanos.respond.next_speaker` of each.
    """
    if thanos is None:
        unplanned = (Prediction(index, dialogue, SkillOfMind()) for index, dialogue in enumerate(dialogues))
        yield from _speak(responder, unplanned, speaker)
    elif thanos.engine is not responder.engine:
        yield from _speak(responder, thanos.stream(dialogues), speaker)
    else:
        first, rest = 0, iter(dialogues)
        while chunk := list(islice(rest, CHUNK)):
            # All plans before the first reply: one engine can't write both at a time.
            plans = list(thanos.stream(chunk))
            yield from (replace(a, index=first + a.index) for a in _speak(responder, plans, speaker))
            first += len(chunk)


def run_settings(thanos: Thanos | None, responder: Responder) -> dict[str, Any]:
    """What makes two runs comparable; every output row carries it."""
    settings = planner_settings(thanos) if thanos else {}
    settings |= {
        "responder": responder.model,
        "arm": responder.arm,
        "reply_prompt": f"reply-{prompt_version()}.{instructions_version()}",
    }
    if responder.temperature:
        settings |= {"temperature": responder.temperature, "seed": responder.seed}
    return settings


def answer_row(answer: Answer) -> dict[str, Any]:
    """The row that is written for an answer: what `thanos predict` writes, and the reply.

    Where the model's own text was longer than the reply it is kept as `reply_raw`; a key of the input row that has a
    name of ours becomes `input_<name>`.
    """
    reply = answer.reply
    ours: dict[str, Any] = {"speaker": reply.speaker, "reply": reply.text, "planned": reply.planned}
    if reply.raw.strip() != reply.text:
        ours["reply_raw"] = reply.raw
    if reply.truncated:
        ours["reply_truncated"] = reply.truncated
    rest = answer.dialogue.meta if reply.arm == "plain" else output_row(answer.plan)
    names = {*ours, "reply_raw", "reply_truncated", "responder", "arm", "reply_prompt", "temperature", "seed"}
    carried = {f"input_{key}" if key in names else key: value for key, value in rest.items()}
    if carried.get("input_speaker") == reply.speaker:
        del carried["input_speaker"]
    return carried | ours


def _speak(responder: Responder, plans: Iterable[Prediction], speaker: str | None) -> Iterator[Answer]:
    waiting: dict[int, Prediction] = {}
    failed: deque[Answer] = deque()

    def pairs() -> Iterator[tuple[Dialogue, SkillOfMind]]:
        numbers = count()
        for plan in plans:
            if plan.error:
                failed.append(Answer(plan.index, plan, None))
                continue
            waiting[next(numbers)] = plan
            yield plan.dialogue, plan.skill_of_mind

    for reply in responder.respond_many(pairs(), speaker):
        while failed:
            yield failed.popleft()
        plan = waiting.pop(reply.index)
        yield Answer(plan.index, plan, reply)
    yield from failed
