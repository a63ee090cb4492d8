"""POST /v1/chat/completions: plan the skill, then let the chat model speak."""

import json
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError

from thanos.serve.body import read_json
from thanos.serve.completion import read_options
from thanos.serve.disconnect import ClientGoneError, cancelled_when_gone
from thanos.serve.errors import ApiError
from thanos.serve.inject import messages_with_plan
from thanos.serve.json_answer import JsonAnswer
from thanos.serve.planner import Plan, Planner
from thanos.serve.relay import Relay
from thanos.serve.replies import Replies
from thanos.serve.schema import CHAT_REQUEST, ERRORS, UPSTREAM_ERRORS, ThanosOptions
from thanos.serve.settings import ServeSettings
from thanos.serve.upstream import Upstream, headers_back


def chat_router(settings: ServeSettings, planner: Planner, voice: Upstream | Replies) -> APIRouter:
    """The endpoints of OpenAI's API, for a planner and whoever speaks."""
    router = APIRouter(tags=["chat"])

    @router.post(
        "/v1/chat/completions",
        summary="Chat, with the skill planned first",
        responses={200: {"description": "As OpenAI's, with a field `thanos`"}, **ERRORS, **UPSTREAM_ERRORS},
        openapi_extra={"requestBody": CHAT_REQUEST},
    )
    async def chat(request: Request) -> Response:
        """OpenAI-compatible, streaming too; the answer (or the first chunk) says in `thanos` what was planned."""
        body = await read_json(request, settings.max_body)
        ours = _our_options(body)
        reply_options = read_options(body, voice.model) if isinstance(voice, Replies) else None
        try:
            async with cancelled_when_gone(request.receive):
                plan = await _plan(planner, settings, body, ours)
                if reply_options:
                    return await voice.answer(body.get("messages"), reply_options, ours, plan)
                return await _through(voice, request, body, ours, plan)
        except ClientGoneError:
            return Response(status_code=499)

    @router.get(
        "/v1/models",
        summary="The chat models",
        responses={200: {"description": "As OpenAI's"}, **{s: ERRORS[s] for s in (401, 502, 504)}, **UPSTREAM_ERRORS},
    )
    async def models(request: Request) -> Response:
        """The upstream's models, or the one that replies without an upstream."""
        if isinstance(voice, Replies):
            return JsonAnswer(voice.models())
        answer = await voice.call("GET", "/models", request.headers.items())
        try:
            return _as_it_came(answer, await voice.read(answer))
        finally:
            answer.close()

    return router


def _our_options(body: dict[str, Any]) -> ThanosOptions:
    """Take our own field out of a request."""
    given = body.pop("thanos", None)
    try:
        return ThanosOptions() if given is None else ThanosOptions.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(["thanos", *map(str, first["loc"])])
        raise ApiError(400, f"{where}: {first['msg']}", "invalid_request") from None


async def _plan(planner: Planner, settings: ServeSettings, body: dict[str, Any], ours: ThanosOptions) -> Plan:
    if not ours.plan:
        return Plan(reason="the request asks for no plan")
    return await planner.plan(body.get("messages"), ours.social_context, settings.plan_timeout)


async def _through(
    upstream: Upstream, request: Request, body: dict[str, Any], ours: ThanosOptions, plan: Plan
) -> Response:
    """Ask the upstream, told of the plan."""
    if plan.thought:
        body = body | {"messages": messages_with_plan(body["messages"], plan.thought, ours.arm)}
    raw = json.dumps(body).encode()
    answer = await upstream.call("POST", "/chat/completions", request.headers.items(), raw)
    try:
        if answer.status == 200 and answer.content_type == "text/event-stream":
            stream = answer
            answer = None
            return Relay(stream, plan.as_field(), headers_back(stream), upstream.timeout, upstream.failure)
        data = await upstream.read(answer)
        if answer.status != 200:
            return _as_it_came(answer, data)
        try:
            reply = json.loads(data)
        except ValueError:
            reply = None
        if not isinstance(reply, dict):
            raise ApiError(502, "the upstream's answer isn't a JSON object", "upstream_nonsense")
        return JsonAnswer(reply | {"thanos": plan.as_field()}, headers=headers_back(answer))
    finally:
        if answer:
            answer.close()


def _as_it_came(answer: Any, data: bytes) -> Response:
    """An upstream's answer unchanged, as far as it is JSON; else an error in OpenAI's shape with its status."""
    try:
        json.loads(data)
    except ValueError:
        status = answer.status if answer.status >= 400 else 502
        raise ApiError(status, f"the upstream answers {answer.status} without JSON", "upstream_nonsense") from None
    return Response(data, answer.status, headers_back(answer), "application/json")
