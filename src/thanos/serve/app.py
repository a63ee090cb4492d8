"""The application: every endpoint of the server, wired together."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from importlib.metadata import version

from fastapi import FastAPI
from fastapi.responses import Response
from fastapi_offline import FastAPIOffline
from prometheus_client import CONTENT_TYPE_LATEST

from thanos.engines import load_engine
from thanos.errors import ThanosError
from thanos.predict import Thanos
from thanos.serve.chat import chat_router
from thanos.serve.errors import install_error_handlers
from thanos.serve.gate import Gate
from thanos.serve.json_answer import JsonAnswer
from thanos.serve.keys import KeyRing
from thanos.serve.metrics import Metrics
from thanos.serve.page import page_router
from thanos.serve.planner import Planner, is_remote
from thanos.serve.replies import Replies
from thanos.serve.settings import ServeSettings
from thanos.serve.skill_of_mind import skill_router
from thanos.serve.upstream import Upstream

PLANNER_RETRIES = 1
"""A planner elsewhere that fails is tried once more; a reply doesn't wait for longer rows of tries."""


def create_app(settings: ServeSettings) -> FastAPI:
    """Load the models and build the application. They are freed when it shuts down.

    Raises:
        ThanosError: for a model that can't be loaded or a setting that can't be.
    """
    if is_remote(settings.responder):
        raise ThanosError("--responder runs here; for a chat endpoint elsewhere give --upstream")
    metrics, keys = Metrics(), KeyRing(settings.api_keys)
    upstream = None
    if settings.upstream:
        upstream = Upstream(settings.upstream, settings.upstream_key, settings.timeout, not keys, metrics)
    thanos = _load_planner(settings)
    planner = Planner(thanos, metrics)
    replies = None if upstream else Replies(load_engine(settings.responder), metrics)

    @asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        if upstream:
            await upstream.open()
        yield
        if upstream:
            await upstream.close()
        await planner.close()
        if replies:
            replies.close()
        thanos.close()

    app = FastAPIOffline(  # its API page asks no other host for its scripts
        title="Thanos",
        summary="Plan the conversational skill, then speak.",
        version=version("thanos-skill-of-mind"),
        lifespan=lifespan,
    )
    install_error_handlers(app)
    app.include_router(skill_router(settings, planner))
    app.include_router(chat_router(settings, planner, upstream or replies))
    app.include_router(page_router())

    @app.get("/health", tags=["operation"], summary="Is it up?")
    async def health() -> JsonAnswer:
        replies_from = "upstream" if upstream else settings.responder
        return JsonAnswer({"status": "ok", "model": thanos.model, "replies": replies_from})

    @app.get("/metrics", tags=["operation"], summary="For Prometheus", response_class=Response)
    async def exposition() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE_LATEST)

    app.add_middleware(Gate, keys=keys, metrics=metrics, max_concurrency=settings.max_concurrency)
    return app


def _load_planner(settings: ServeSettings) -> Thanos:
    options = {name: value for name, value in settings.engine_options.items() if value is not None}
    if is_remote(settings.model):
        # A call that nobody waits for any more would hold up the plans behind it.
        options = {"timeout": settings.plan_timeout, "retries": PLANNER_RETRIES} | options
    return Thanos(settings.model, prompt=settings.prompt, mode=settings.mode, max_tokens=settings.max_tokens, **options)
