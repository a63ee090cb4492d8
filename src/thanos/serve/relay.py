"""An upstream's event stream, passed on as it comes."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from thanos.serve.disconnect import ClientGoneError, cancelled_when_gone
from thanos.serve.errors import ApiError, error_body

HELD_BACK = 1 << 20
"""Bytes of an unfinished event that are kept back; more are passed on as they are."""
RENEWED = 1.0
"""Seconds after which a client that takes its events gets its time-out anew: a timer for every token is dear. Added
twice to the time-out, so that a silent upstream is noticed before it."""
DONE = b"[DONE]"


class Relay(Response):
    """Streams whole events, the first with one more field. Events are passed on as bytes, never read again.

    Cut off in the middle of an event, the caller gets no half of it, but an error event that says what happened.
    """

    def __init__(
        self,
        answer: aiohttp.ClientResponse,
        field: dict[str, Any],
        headers: dict[str, str],
        timeout: float,
        failure: Callable[[Exception], ApiError],
    ):
        """Take over an open answer of an upstream; it is closed when the stream ends or the client goes.

        Args:
            answer: Its status is 200 and its body an event stream.
            field: Put into the first event as "thanos".
            headers: More headers for the client.
            timeout: Seconds that the upstream may be silent, or (give or take a second) the client take nothing.
            failure: What a broken connection means.
        """
        super().__init__(status_code=200, headers={"Cache-Control": "no-cache", **headers})
        del self.headers["content-length"]
        self.headers["content-type"] = "text/event-stream; charset=utf-8"
        self._answer, self._field, self._timeout, self._failure = answer, field, timeout, failure

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream."""
        try:
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
            async with cancelled_when_gone(receive), asyncio.timeout(None) as limit:
                now, renewed = asyncio.get_running_loop().time, float("-inf")
                async for events in self._events():
                    if now() - renewed >= RENEWED:
                        renewed = now()
                        limit.reschedule(renewed + self._timeout + 2 * RENEWED)
                    await send({"type": "http.response.body", "body": events, "more_body": True})
                await send({"type": "http.response.body", "body": b"", "more_body": False})
        except (ClientGoneError, TimeoutError):
            pass  # nobody listens any more
        finally:
            self._answer.close()

    async def _events(self) -> AsyncIterator[bytes]:
        held, begun, ended = b"", False, False
        try:
            async for part in self._answer.content.iter_any():
                whole, held = _split(held + part if held else part)
                if not whole:
                    continue
                if not begun:
                    whole, begun = _with_field(whole, self._field)
                ended = DONE in whole[-32:]
                yield whole
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            yield error_event(self._failure(error))
            return
        if not ended:
            yield error_event(self._failure(aiohttp.ClientPayloadError("no [DONE]")))


def error_event(error: ApiError) -> bytes:
    """An error within a stream."""
    return b"data: " + json.dumps(error_body(error.status, error.message, error.code)).encode() + b"\n\n"


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Whole events, and the unfinished one behind them."""
    if data.endswith((b"\n\n", b"\r\n\r\n")) or len(data) > HELD_BACK:
        return data, b""
    end = max(data.rfind(b"\n\n") + 2, data.rfind(b"\r\n\r\n") + 4)
    return (data[:end], data[end:]) if end > 3 else (b"", data)


def _with_field(events: bytes, field: dict[str, Any]) -> tuple[bytes, bool]:
    """Put the field into the first event that is a JSON object; False if there is none yet."""
    lines = events.split(b"\n")
    for i, line in enumerate(lines):
        if not line.startswith(b"data:"):
            continue
        try:
            chunk = json.loads(line[5:])
        except ValueError:
            continue
        if isinstance(chunk, dict):
            lines[i] = b"data: " + json.dumps(chunk | {"thanos": field}).encode()
            return b"\n".join(lines), True
    return events, False
