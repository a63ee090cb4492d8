"""What every request passes first: its key, the limit of concurrency, and the count of answers."""

import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from thanos.serve.errors import ApiError
from thanos.serve.keys import KeyRing
from thanos.serve.metrics import Metrics

RETRY_AFTER = "1"
"""Seconds until a caller that was turned away should try again."""
COUNTED_PATHS = ("/v1/skill-of-mind", "/v1/chat/completions", "/v1/models", "/health", "/metrics")
GUARDED = ("/v1/", "/metrics")


class Gate:
    """ASGI middleware. Plain ASGI, since streams pass through it chunk by chunk."""

    def __init__(self, app: ASGIApp, keys: KeyRing, metrics: Metrics, max_concurrency: int):
        self._app, self._keys, self._metrics, self._most = app, keys, metrics, max_concurrency
        self._in_flight = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self._app(scope, receive, send)
        path = scope["path"] if scope["path"] in COUNTED_PATHS else "other"
        begun, status = time.perf_counter(), 0

        async def noted_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            if refusal := self._refusal(scope):
                await refusal.response()(scope, receive, noted_send)
            else:
                await self._pass(scope, receive, noted_send)
        finally:
            self._metrics.requests.labels(path, status or 499).inc()
            self._metrics.seconds.labels(path).observe(time.perf_counter() - begun)

    def _refusal(self, scope: Scope) -> ApiError | None:
        if self._keys and scope["path"].startswith(GUARDED) and not self._keys.accepts(_authorization(scope)):
            message = "wrong or missing API key; send it as Authorization: Bearer KEY"
            return ApiError(401, message, "invalid_api_key", {"WWW-Authenticate": "Bearer"})
        if scope["method"] == "POST" and self._in_flight >= self._most:
            message = f"{self._most} requests are in hand already; try again in {RETRY_AFTER} s"
            return ApiError(429, message, "too_many_requests", {"Retry-After": RETRY_AFTER})
        return None

    async def _pass(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["method"] != "POST":
            return await self._app(scope, receive, send)
        self._in_flight += 1
        self._metrics.in_flight.set(self._in_flight)
        try:
            await self._app(scope, receive, send)
        finally:
            self._in_flight -= 1
            self._metrics.in_flight.set(self._in_flight)


def _authorization(scope: Scope) -> bytes:
    return next((value for name, value in scope["headers"] if name == b"authorization"), b"")
