"""The bodies of OpenAI's chat API, for the chat model that runs here: requests read, answers written."""

import json
import time
import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from thanos.engines.protocol import Usage
from thanos.respond.responder import REPLY_TOKENS
from thanos.serve.errors import ApiError

MOST_TOKENS = 1024
"""Room for a reply, whatever the request asks for."""


@dataclass(frozen=True)
class ReplyOptions:
    """What a request says of the reply, besides the messages."""

    stream: bool
    max_tokens: int
    stops: tuple[str, ...]
    """Texts before which the reply ends."""
    sampling: dict[str, Any]
    """Fields of an engine's request: temperature, top_p, seed."""


def read_options(body: dict[str, Any], model: str) -> ReplyOptions:
    """Check a request for `model`; fields that don't concern one small model are left aside, as servers do.

    Raises:
        ApiError: 404 for another model, 400 for what is wrong or more than this model can do.
    """
    if body.get("model") != model:
        raise ApiError(404, f"no model {body.get('model')!r:.80} here: use {model!r}", "model_not_found")
    if body.get("n") not in (None, 1):
        raise ApiError(400, "n: this model gives one reply", "unsupported")
    if body.get("tool_choice") not in (None, "auto", "none"):
        raise ApiError(400, "tool_choice: this model calls no tools", "unsupported")
    stream = body.get("stream")
    if stream is not None and not isinstance(stream, bool):
        raise ApiError(400, "stream: expected true or false", "invalid_request")
    most = "max_completion_tokens" if body.get("max_completion_tokens") is not None else "max_tokens"
    sampling = {
        "temperature": _number(body, "temperature", 0, 2),
        "top_p": _number(body, "top_p", 0, 1),
        "seed": _number(body, "seed", 0, (1 << 63) - 1, whole=True),
    }
    return ReplyOptions(
        stream=bool(stream),
        max_tokens=min(_number(body, most, 1, 1 << 31, whole=True) or REPLY_TOKENS, MOST_TOKENS),
        stops=_stops(body),
        sampling={name: value for name, value in sampling.items() if value is not None},
    )


def completion(model: str, text: str, finish: str, usage: Usage) -> dict[str, Any]:
    """A whole answer."""
    message = {"role": "assistant", "content": text}
    return {
        **_head(model, "chat.completion"),
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": finish}],
        "usage": {
            "prompt_tokens": usage.prompt_tokens,
            "completion_tokens": usage.completion_tokens,
            "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        },
    }


class Chunks:
    """The events of one streamed answer."""

    def __init__(self, model: str):
        self._head = _head(model, "chat.completion.chunk")

    def event(self, delta: dict[str, str], finish: str | None = None, **fields: Any) -> bytes:
        """One chunk."""
        choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
        return b"data: " + json.dumps({**self._head, "choices": [choice], **fields}).encode() + b"\n\n"


def until_stop(pieces: Iterable[str], stops: tuple[str, ...]) -> Iterator[str]:
    """The pieces of a text up to the first stop; what may yet turn out to begin one is held back."""
    held = ""
    for piece in pieces:
        held += piece
        ends = [place for stop in stops if (place := held.find(stop)) >= 0]
        if ends:
            if min(ends):
                yield held[: min(ends)]
            return
        unsure = max((n for stop in stops for n in range(1, len(stop)) if held.endswith(stop[:n])), default=0)
        if sure := held[: len(held) - unsure]:
            yield sure
        held = held[len(held) - unsure :]
    if held:
        yield held


def _head(model: str, kind: str) -> dict[str, Any]:
    return {"id": f"chatcmpl-{uuid.uuid4().hex}", "object": kind, "created": int(time.time()), "model": model}


def _number(body: dict[str, Any], name: str, low: int, high: int, whole: bool = False) -> Any:
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int if whole else int | float):
        raise ApiError(400, f"{name}: expected a {'whole ' if whole else ''}number", "invalid_request")
    if not low <= value <= high:
        raise ApiError(400, f"{name}: expected {low} to {high}", "invalid_request")
    return value if whole else float(value)


def _stops(body: dict[str, Any]) -> tuple[str, ...]:
    stop = body.get("stop")
    stops = [stop] if isinstance(stop, str) else [] if stop is None else stop
    if not isinstance(stops, list) or not all(isinstance(s, str) and s for s in stops):
        raise ApiError(400, "stop: expected a text or a list of texts", "invalid_request")
    return tuple(stops)
