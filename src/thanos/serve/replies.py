"""Replies without an upstream: a chat model in this process, as a small OpenAI-compatible server of its own."""

import json
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from fastapi.responses import Response

from thanos.dialogue import Dialogue
from thanos.engines.protocol import Generation, Request
from thanos.errors import ThanosError
from thanos.respond import Responder
from thanos.respond.clean import read_reply
from thanos.serve.batcher import Batcher
from thanos.serve.errors import ApiError
from thanos.serve.json_answer import JsonAnswer
from thanos.serve.metrics import Metrics
from thanos.serve.planner import REMOTE_THREADS, Plan, read_dialogue
from thanos.serve.schema import ThanosOptions
from thanos.skills import SkillOfMind

SPEAKER = "Assistant"
MOST_TOKENS = 1024
"""Room for a reply, whatever the request asks for."""


@dataclass(frozen=True)
class _Turn:
    """One reply to write."""

    dialogue: Dialogue
    thought: SkillOfMind | None
    options: dict[str, Any]
    """Fields of an engine's request that the caller set."""


class Replies:
    """The built-in chat model; replies that arrive together are batched in its engine."""

    def __init__(self, responder: Responder, metrics: Metrics):
        self._responder = responder
        self.model = responder.model
        threads = REMOTE_THREADS if self.model.startswith("openai/") else 1
        self._batcher = Batcher(self._run, threads, metrics.batch_rows.labels("reply").observe)

    def models(self) -> dict[str, Any]:
        """As OpenAI's list of models."""
        return {"object": "list", "data": [{"id": self.model, "object": "model", "created": 0, "owned_by": "thanos"}]}

    def check(self, body: dict[str, Any]) -> None:
        """Refuse at once what can't be answered.

        Raises:
            ApiError: 404 for another model, 400 for what is wrong or more than this model can do.
        """
        if body.get("model") != self.model:
            raise ApiError(404, f"no model {body.get('model')!r} here: use {self.model!r}", "model_not_found")
        if body.get("n") not in (None, 1):
            raise ApiError(400, "n: this model gives one reply", "unsupported")
        if body.get("tool_choice") not in (None, "auto", "none"):
            raise ApiError(400, "tool_choice: this model calls no tools", "unsupported")
        if body.get("stream") not in (None, True, False):
            raise ApiError(400, "stream: expected true or false", "invalid_request")
        _engine_options(body)
        _stops(body)

    async def answer(self, body: dict[str, Any], options: ThanosOptions, plan: Plan) -> Response:
        """Write a reply.

        Raises:
            ApiError: 400 if the messages hold no dialogue, 502 if the model fails.
        """
        try:
            dialogue = read_dialogue({"messages": body.get("messages"), "social_context": options.social_context})
        except ThanosError as error:
            raise ApiError(400, str(error), "invalid_messages") from None
        turn = _Turn(dialogue, _told(plan.thought, options.arm), _engine_options(body))
        try:
            generation = await self._batcher.submit(turn)
        except ThanosError as error:
            raise ApiError(502, str(error), "responder_failed") from None
        if generation.error:
            raise ApiError(502, generation.error, "responder_failed")
        completion = self._completion(dialogue, generation, turn, _stops(body))
        completion["thanos"] = plan.as_field()
        return _stream(completion) if body.get("stream") else JsonAnswer(completion)

    def close(self) -> None:
        """End the thread and free the model."""
        self._batcher.close()
        self._responder.close()

    def _run(self, turns: Iterable[_Turn]) -> Iterator[tuple[int, Generation]]:
        rejected: list[tuple[int, Generation]] = []

        def requests() -> Iterator[Request]:
            for place, turn in enumerate(turns):
                try:
                    request, _ = self._responder.request(place, turn.dialogue, turn.thought, SPEAKER)
                except ThanosError as error:
                    rejected.append((place, Generation(place, error=str(error))))
                    continue
                yield replace(request, **turn.options)

        for generation in self._responder.engine.generate(requests()):
            yield generation.key, generation
        yield from rejected

    def _completion(self, dialogue: Dialogue, generation: Generation, turn: _Turn, stops: list[str]) -> dict[str, Any]:
        usage = generation.usage
        cut = usage.completion_tokens >= turn.options.get("max_tokens", self._responder.max_tokens)
        others = {t.speaker for t in dialogue.turns} - {SPEAKER}
        text = read_reply(generation.text, SPEAKER, others)
        ends = [place for stop in stops if (place := text.find(stop)) >= 0]
        text = text[: min(ends)] if ends else text
        return {
            "id": f"chatcmpl-{uuid.uuid4().hex}",
            "object": "chat.completion",
            "created": int(time.time()),
            "model": self.model,
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text},
                    "logprobs": None,
                    "finish_reason": "length" if cut and not ends else "stop",
                }
            ],
            "usage": {
                "prompt_tokens": usage.prompt_tokens,
                "completion_tokens": usage.completion_tokens,
                "total_tokens": usage.prompt_tokens + usage.completion_tokens,
            },
        }


def _told(thought: SkillOfMind | None, arm: str) -> SkillOfMind | None:
    """As much of a thought as an arm tells."""
    if thought is None or arm == "both":
        return thought
    return thought.model_copy(update={"explanation": ""} if arm == "skill" else {"skill": None})


def _engine_options(body: dict[str, Any]) -> dict[str, Any]:
    """The sampling fields of a request, checked."""
    out: dict[str, Any] = {}
    most = body.get("max_completion_tokens", body.get("max_tokens"))
    for name, value, low, high, kind in (
        ("max_tokens", most, 1, 1 << 31, int),
        ("temperature", body.get("temperature"), 0, 2, float),
        ("top_p", body.get("top_p"), 0, 1, float),
        ("seed", body.get("seed"), -(1 << 63), 1 << 64, int),
    ):
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int if kind is int else int | float):
            raise ApiError(400, f"{name}: expected a number", "invalid_request")
        if not low <= value <= high:
            raise ApiError(400, f"{name}: expected {low} to {high}", "invalid_request")
        out[name] = kind(value)
    if "max_tokens" in out:
        out["max_tokens"] = min(out["max_tokens"], MOST_TOKENS)
    if "seed" in out:
        out["seed"] %= 1 << 63  # the engines' generators take no negative seed
    return out


def _stops(body: dict[str, Any]) -> list[str]:
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else stop or []
    if not isinstance(stops, list) or not all(isinstance(s, str) and s for s in stops):
        raise ApiError(400, "stop: expected a text or a list of texts", "invalid_request")
    return stops


def _stream(completion: dict[str, Any]) -> Response:
    """A finished completion as events."""
    choice = completion["choices"][0]
    base = {key: completion[key] for key in ("id", "created", "model")} | {"object": "chat.completion.chunk"}
    delta = lambda content, finish: [{"index": 0, "delta": content, "logprobs": None, "finish_reason": finish}]
    chunks = [
        base | {"choices": delta(choice["message"], None), "thanos": completion["thanos"]},
        base | {"choices": delta({}, choice["finish_reason"]), "usage": completion["usage"]},
    ]
    events = [f"data: {json.dumps(chunk)}\n\n" for chunk in chunks] + ["data: [DONE]\n\n"]
    return Response("".join(events), media_type="text/event-stream", headers={"Cache-Control": "no-cache"})
