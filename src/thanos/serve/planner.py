"""Dialogue -> skill-of-mind, for callers that can't wait in a thread of their own."""

import asyncio
import logging
import time
from dataclasses import dataclass, field
from typing import Any

from pydantic import ValidationError

from thanos.dialogue import Dialogue, dialogue_from_row
from thanos.engines.batcher import Batcher
from thanos.errors import EngineError, ThanosError
from thanos.predict import Prediction, Thanos
from thanos.predict.row import output_row
from thanos.predict.run import run_settings
from thanos.serve.metrics import Metrics
from thanos.serve.remote import RemotePlans
from thanos.skills import SkillOfMind

REMOTE_THREADS = 32
"""Plans that wait for a server elsewhere at a time."""
FAILED = "the planner failed; the server's log says why"
"""What a caller is told of faults that are the operator's to mend."""

log = logging.getLogger("thanos.serve")


@dataclass(frozen=True)
class Plan:
    """What came of planning a chat reply."""

    prediction: Prediction | None = None
    """Holds a valid skill-of-mind, or None."""
    reason: str = ""
    """Why there is none: one line."""
    seconds: float = 0.0
    """Time spent on it."""
    settings: dict[str, Any] = field(default_factory=dict)
    """What made it: model, prompt, mode."""

    @property
    def thought(self) -> SkillOfMind | None:
        """The skill-of-mind alone."""
        return self.prediction and self.prediction.skill_of_mind

    def as_field(self) -> dict[str, Any]:
        """The `thanos` field of a chat reply."""
        seconds = {"seconds": round(self.seconds, 4)}
        if self.prediction is None:
            return {"planned": False, "reason": self.reason} | seconds
        return {"planned": True} | output_row(self.prediction) | self.settings | seconds


class Planner:
    """Plans for many callers at a time; dialogues that arrive together are batched in the engine."""

    def __init__(self, thanos: Thanos, metrics: Metrics):
        self._metrics = metrics
        self.settings = run_settings(thanos)
        threads = REMOTE_THREADS if is_remote(thanos.model) else 1
        rows = metrics.batch_rows.labels("plan")
        self._batcher = Batcher(lambda items: ((p.index, p) for p in thanos.stream(items)), threads, rows.observe)
        self._remote = RemotePlans(thanos, self._batcher.submit) if is_remote(thanos.model) else None
        self._submit = self._remote.submit if self._remote else self._batcher.submit

    async def predict(self, dialogue: Dialogue) -> dict[str, Any]:
        """The output row of one dialogue, with the settings that made it.

        Raises:
            ThanosError: if the engine fails on it.
        """
        try:
            prediction = await self._submit(dialogue.model_copy(update={"meta": {}}))
        except EngineError as error:
            log.warning("the planner fails: %s", error)
            raise ThanosError(FAILED) from None
        except ThanosError:
            raise
        except Exception:  # one row's fault mustn't become that of all the rows beside it
            log.exception("the planner fails")
            raise ThanosError(FAILED) from None
        if prediction.skill_of_mind.error:
            raise ThanosError(prediction.skill_of_mind.error)
        row = output_row(prediction) | self.settings
        return {"id": dialogue.id, **row} if dialogue.id else row

    async def plan(self, messages: Any, social_context: str, timeout: float) -> Plan:
        """The plan of a chat reply; whatever goes wrong, a `Plan` comes back, within the time-out."""
        begun = time.perf_counter()
        prediction, reason, outcome = None, "", "failed"
        try:
            async with asyncio.timeout(timeout):
                dialogue = read_dialogue({"messages": messages, "social_context": social_context})
                prediction = await self._submit(dialogue)
        except TimeoutError:
            reason, outcome = f"the plan took longer than {timeout:g} s", "timeout"
        except EngineError as error:
            log.warning("the planner fails: %s", error)
            reason = FAILED
        except ThanosError as error:
            reason = str(error)
        except Exception:
            log.exception("the planner fails")
            reason = FAILED
        if prediction and not prediction.skill_of_mind.valid:
            reason = prediction.skill_of_mind.error or "the model named no skill of the closed set"
            prediction = None
        seconds = time.perf_counter() - begun
        self._metrics.plans.labels("planned" if prediction else outcome).inc()
        self._metrics.plan_seconds.observe(seconds)
        if prediction:
            self._metrics.skills.labels(prediction.skill_of_mind.skill.value).inc()
        return Plan(prediction, reason, seconds, self.settings)

    async def close(self) -> None:
        """Close the connections and end the threads."""
        if self._remote:
            await self._remote.close()
        self._batcher.close()


def is_remote(model: str) -> bool:
    """True if a server elsewhere runs the model: it takes requests side by side, weights in this process take turns."""
    return model.startswith("openai/")


def read_dialogue(row: Any) -> Dialogue:
    """A row that came over the network -> Dialogue.

    Raises:
        ThanosError: one line that says what is wrong.
    """
    try:
        return dialogue_from_row(row)
    except ValidationError as error:
        raise ThanosError(error.errors()[0]["msg"]) from None
