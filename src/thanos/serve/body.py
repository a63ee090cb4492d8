"""A request's body -> a JSON object, within limits."""

import asyncio
import json
from typing import Any

from fastapi import Request

from thanos.serve.errors import ApiError

UPLOAD_SECONDS = 30.0
"""A body must have come within this time."""
DISCARDED = 8
"""Of a body that is too large, up to this many times the limit is read and thrown away, so that the client, which first
sends and then listens, gets to see the answer."""


async def read_json(request: Request, max_body: int) -> dict[str, Any]:
    """Read and decode a body.

    Raises:
        ApiError: 400 if it isn't a JSON object, 408 if it comes too slowly, 413 if it is too large, 415 if it isn't
            declared as JSON.
    """
    # Pages of other sites can't send this type without asking first, so they can't use a server on loopback.
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json":
        raise ApiError(415, "send the body as Content-Type: application/json", "unsupported_media_type")
    try:
        async with asyncio.timeout(UPLOAD_SECONDS):
            raw = await _read(request, max_body)
    except TimeoutError:
        close = {"Connection": "close"}
        raise ApiError(408, f"the body took longer than {UPLOAD_SECONDS:g} s", "upload_timeout", close) from None
    try:
        body = json.loads(raw, parse_constant=_no_constant)
    except RecursionError:
        raise ApiError(400, "the body isn't JSON that can be read: nested too deeply", "invalid_json") from None
    except ValueError as error:
        raise ApiError(400, f"the body isn't JSON: {error}", "invalid_json") from None
    if not isinstance(body, dict):
        raise ApiError(400, "the body must be a JSON object", "invalid_json")
    return body


async def _read(request: Request, max_body: int) -> bytes:
    parts, size = [], 0
    async for part in request.stream():
        size += len(part)
        if size <= max_body:
            parts.append(part)
        elif size > DISCARDED * max_body:
            raise _too_large(max_body, {"Connection": "close"})
    if size > max_body:
        raise _too_large(max_body, {})
    return b"".join(parts)


def _too_large(max_body: int, headers: dict[str, str]) -> ApiError:
    return ApiError(413, f"the body is larger than {max_body} bytes", "body_too_large", headers)


def _no_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
