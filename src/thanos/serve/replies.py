"""Replies without an upstream: a chat model in this process."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from fastapi.responses import Response, StreamingResponse

from thanos.dialogue import Dialogue
from thanos.engines.batcher import Batcher
from thanos.engines.protocol import Engine, Generation, Request, StreamingEngine
from thanos.errors import ThanosError
from thanos.respond.clean import read_reply, read_stream
from thanos.respond.messages import fit_reply
from thanos.respond.plan import plan_note
from thanos.serve.completion import Chunks, ReplyOptions, completion, until_stop
from thanos.serve.errors import ApiError
from thanos.serve.json_answer import JsonAnswer
from thanos.serve.metrics import Metrics
from thanos.serve.planner import Plan, read_dialogue
from thanos.serve.relay import error_event
from thanos.serve.schema import ThanosOptions

SPEAKER = "Assistant"


@dataclass(frozen=True)
class _Turn:
    """One reply to write."""

    dialogue: Dialogue
    note: str
    """What the model is told of the plan."""
    options: ReplyOptions

    @property
    def others(self) -> list[str]:
        return sorted({turn.speaker for turn in self.dialogue.turns} - {SPEAKER})


class Replies:
    """The chat model of this server. Whole replies that are asked for together are batched; streams are written one by
    one, since their tokens are wanted as they come."""

    def __init__(self, engine: Engine, metrics: Metrics):
        self._engine = engine
        self.model = engine.name
        self._engine_is_mine = threading.Lock()
        self._batcher = Batcher(self._write_many, on_batch=metrics.batch_rows.labels("reply").observe)
        self._streams = ThreadPoolExecutor(1, thread_name_prefix="reply")

    def models(self) -> dict[str, Any]:
        """As OpenAI's list of models."""
        return {"object": "list", "data": [{"id": self.model, "object": "model", "created": 0, "owned_by": "thanos"}]}

    async def answer(self, messages: Any, options: ReplyOptions, ours: ThanosOptions, plan: Plan) -> Response:
        """Write a reply, told of a plan.

        Raises:
            ApiError: 400 if the messages hold no dialogue, 502 if the model fails.
        """
        try:
            dialogue = read_dialogue({"messages": messages, "social_context": ours.social_context})
        except ThanosError as error:
            raise ApiError(400, str(error), "invalid_messages") from None
        turn = _Turn(dialogue, plan_note(plan.thought, ours.arm), options)
        try:
            if options.stream:
                return await self._streamed(turn, plan)
            generation = await self._batcher.submit(turn)
            if generation.error:
                raise ThanosError(generation.error)
        except ThanosError as error:
            raise ApiError(502, str(error), "responder_failed") from None
        text = "".join(until_stop([read_reply(generation.text, SPEAKER, turn.others)], options.stops))
        cut = generation.usage.completion_tokens >= options.max_tokens
        body = completion(self.model, text, "length" if cut else "stop", generation.usage)
        return JsonAnswer(body | {"thanos": plan.as_field()})

    def close(self) -> None:
        """End the threads and free the model."""
        self._batcher.close()
        self._streams.shutdown(cancel_futures=True)
        self._engine.close()

    def _request(self, key: Any, turn: _Turn) -> Request:
        room = turn.options.max_tokens
        fitted = fit_reply(turn.dialogue, SPEAKER, turn.note, self._engine, room)
        return Request(key, fitted.messages, room, **turn.options.sampling)

    def _write_many(self, turns: Iterable[_Turn]) -> Iterator[tuple[int, Generation]]:
        rejected: list[Generation] = []

        def requests() -> Iterator[Request]:
            for place, turn in enumerate(turns):
                try:
                    yield self._request(place, turn)
                except ThanosError as error:
                    rejected.append(Generation(place, error=str(error)))

        with self._engine_is_mine:
            for generation in self._engine.generate(requests()):
                yield generation.key, generation
        yield from ((generation.key, generation) for generation in rejected)

    def _write(self, turn: _Turn) -> Iterator[str]:
        """A reply piece by piece; in one where the engine can't stream."""
        request = self._request(0, turn)
        if isinstance(self._engine, StreamingEngine):
            pieces = read_stream(self._engine.stream(request), SPEAKER, turn.others)
        else:
            generation = next(iter(self._engine.generate([request])))
            if generation.error:
                raise ThanosError(generation.error)
            pieces = iter([read_reply(generation.text, SPEAKER, turn.others)])
        yield from until_stop(pieces, turn.options.stops)

    async def _streamed(self, turn: _Turn, plan: Plan) -> Response:
        pieces = self._pieces(turn)
        first = await anext(pieces, "")  # a model that fails at once still gets its status
        events = self._events(first, pieces, plan)
        return StreamingResponse(events, media_type="text/event-stream", headers={"Cache-Control": "no-cache"})

    async def _events(self, first: str, pieces: AsyncIterator[str], plan: Plan) -> AsyncIterator[bytes]:
        chunks = Chunks(self.model)
        yield chunks.event({"role": "assistant", "content": first}, thanos=plan.as_field())
        try:
            async for piece in pieces:
                yield chunks.event({"content": piece})
        except ThanosError as error:
            yield error_event(ApiError(502, str(error), "responder_failed"))
            return
        finally:
            await pieces.aclose()
        yield chunks.event({}, "stop")
        yield b"data: [DONE]\n\n"

    async def _pieces(self, turn: _Turn) -> AsyncIterator[str]:
        """`_write` from a thread; the writing stops when nobody takes the pieces any more."""
        loop, pieces, gone = asyncio.get_running_loop(), asyncio.Queue(), threading.Event()
        hand_over = lambda piece: loop.call_soon_threadsafe(pieces.put_nowait, piece)

        def work() -> None:
            try:
                with self._engine_is_mine, closing(self._write(turn)) as written:
                    while not gone.is_set() and (piece := next(written, None)) is not None:
                        hand_over(piece)
                hand_over(None)
            except Exception as error:
                hand_over(error)

        self._streams.submit(work)
        try:
            while (piece := await pieces.get()) is not None:
                if isinstance(piece, Exception):
                    raise piece
                yield piece
        finally:
            gone.set()
