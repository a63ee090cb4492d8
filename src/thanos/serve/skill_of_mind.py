"""POST /v1/skill-of-mind: dialogues in, skills-of-mind out."""

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from thanos.dialogue import Dialogue
from thanos.errors import ThanosError
from thanos.serve.body import read_json
from thanos.serve.disconnect import ClientGoneError, cancelled_when_gone
from thanos.serve.errors import ApiError
from thanos.serve.json_answer import JsonAnswer
from thanos.serve.planner import Planner, read_dialogue
from thanos.serve.schema import ERRORS, SKILL_REQUEST, SkillAnswer
from thanos.serve.settings import ServeSettings

MOST_PLANS = 256
"""Dialogues, or turns of a trace, in one request."""


def skill_router(settings: ServeSettings, planner: Planner) -> APIRouter:
    """The endpoint, for a planner."""
    router = APIRouter(tags=["skill-of-mind"])

    @router.post(
        "/v1/skill-of-mind",
        summary="Predict the next speaker's skill-of-mind",
        responses={200: {"model": SkillAnswer}, **ERRORS},
        openapi_extra={"requestBody": SKILL_REQUEST},
    )
    async def skill_of_mind(request: Request) -> Response:
        """One dialogue, or {"dialogues": [...]}; with "trace": true a skill-of-mind for every turn."""
        body = await read_json(request, settings.max_body)
        try:
            async with cancelled_when_gone(request.receive), asyncio.timeout(settings.timeout):
                return JsonAnswer(await _answer(planner, body))
        except ClientGoneError:
            return Response(status_code=499)
        except TimeoutError:
            raise ApiError(504, f"no answer within {settings.timeout:g} s", "timeout") from None

    return router


async def _answer(planner: Planner, body: dict[str, Any]) -> dict[str, Any]:
    trace = body.pop("trace", False)
    if not isinstance(trace, bool):
        raise ApiError(400, "trace: expected true or false", "invalid_request")
    if "dialogues" in body:
        return {"results": await _many(planner, body, trace)}
    try:
        dialogue = read_dialogue(body)
    except ThanosError as error:
        raise ApiError(400, str(error), "invalid_dialogue") from None
    if trace:
        _check_number(len(dialogue.turns))
        return {"results": await _trace(planner, dialogue)}
    try:
        return await planner.predict(dialogue)
    except ThanosError as error:
        raise ApiError(502, str(error), "planner_failed") from None


async def _many(planner: Planner, body: dict[str, Any], trace: bool) -> list[dict[str, Any]]:
    """A result for every row; a bad one is {"error": ...} in its place."""
    rows = body.pop("dialogues")
    if not isinstance(rows, list) or not rows:
        raise ApiError(400, "dialogues: expected a list of dialogues", "invalid_request")
    if body:
        raise ApiError(400, f"{next(iter(body))!r} beside dialogues: put it into each dialogue", "invalid_request")
    _check_number(len(rows))
    dialogues: list[Dialogue | str] = []
    for row in rows:
        try:
            dialogues.append(read_dialogue(row))
        except ThanosError as error:
            dialogues.append(str(error))
    if trace:
        _check_number(sum(len(d.turns) for d in dialogues if isinstance(d, Dialogue)))
    return await asyncio.gather(*(_row(planner, dialogue, trace) for dialogue in dialogues))


async def _row(planner: Planner, dialogue: Dialogue | str, trace: bool) -> dict[str, Any]:
    if isinstance(dialogue, str):
        return {"error": dialogue}
    return {"results": await _trace(planner, dialogue)} if trace else await _predict(planner, dialogue)


async def _trace(planner: Planner, dialogue: Dialogue) -> list[dict[str, Any]]:
    """Item i: what the next speaker thinks after the first i + 1 turns."""
    prefixes = (dialogue.prefix(n) for n in range(1, len(dialogue.turns) + 1))
    return await asyncio.gather(*(_predict(planner, prefix) for prefix in prefixes))


async def _predict(planner: Planner, dialogue: Dialogue) -> dict[str, Any]:
    try:
        return await planner.predict(dialogue)
    except ThanosError as error:
        return {"error": str(error)}


def _check_number(plans: int) -> None:
    if plans > MOST_PLANS:
        message = f"{plans} predictions in one request: at most {MOST_PLANS}"
        raise ApiError(400, message, "too_many_dialogues")
