"""The page on which annotators answer: a web server for this machine alone.

It has no passwords. Whoever can reach it can answer under any name, so it listens on loopback; `ssh -L` or a proxy with
a password of its own lets others in (see docs/study.md).
"""

import socket
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from aiohttp import web
from pydantic import ValidationError

from thanos.errors import ThanosError
from thanos.study.folder import Answer, Study
from thanos.study.questions import first_problem

HOST = "127.0.0.1"
LOOPBACK = ("127.0.0.1", "localhost", "[::1]")
MOST_BYTES = 64 * 1024
"""Largest answer that is read."""
HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; script-src 'unsafe-inline'; "
    "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "no-store",
}


def study_app(study: Study) -> web.Application:
    """The pages of one study: `/`, `/study?annotator=NAME` and `/answers` (POST)."""
    page = files("thanos.study").joinpath("page.html").read_text(encoding="utf-8")

    async def index(_: web.Request) -> web.Response:
        return web.Response(text=page, content_type="text/html")

    async def items(request: web.Request) -> web.Response:
        return web.json_response(for_annotator(study, request.query.get("annotator", "")))

    async def answer(request: web.Request) -> web.Response:
        # Pages of other sites can't send this content type without being asked first, so they can't answer here.
        if request.content_type != "application/json":
            return _refused("send application/json", 415)
        try:
            given = Answer.model_validate_json(await request.read())
            study.append(given)
        except ValidationError as error:
            return _refused(first_problem(error))
        except ThanosError as error:
            return _refused(str(error))
        return web.json_response({"saved": given.item})

    app = web.Application(middlewares=[_guard], client_max_size=MOST_BYTES)
    app.add_routes([web.get("/", index), web.get("/study", items), web.post("/answers", answer)])
    return app


def for_annotator(study: Study, annotator: str) -> dict[str, Any]:
    """What the page shows to one annotator: questions, items, and what this annotator answered before."""
    answered = [answer for answer in study.answers()[0] if answer.annotator == annotator]
    fields = {"item", "choices", "ratings", "note"}
    return {
        "study": study.id,
        "questions": study.questions.model_dump(),
        "items": [item.model_dump() for item in study.items.values()],
        "answers": [answer.model_dump(include=fields) for answer in answered],
    }


@web.middleware
async def _guard(request: web.Request, handler: Any) -> web.StreamResponse:
    """Answer to a name of this machine only: a site that points its own name here gets nothing."""
    host = request.host.rpartition(":")[0] if request.host.rpartition(":")[2].isdigit() else request.host
    if host not in LOOPBACK:
        return _refused("this page answers on localhost only", 403)
    try:
        response = await handler(request)
    except web.HTTPException as error:  # an unknown path, or an answer that is too long
        response = _refused(error.reason, error.status)
    response.headers.update(HEADERS)
    return response


def _refused(reason: str, status: int = 400) -> web.Response:
    return web.json_response({"error": reason}, status=status, headers=HEADERS)


def serve_study(study: Study, port: int, on_start: Callable[[str], None]) -> None:
    """Serve until Ctrl-C.

    Args:
        port: 0 takes a free one.
        on_start: Called with the page's address.

    Raises:
        ThanosError: if the port is taken.
    """
    with socket.socket() as listener:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind((HOST, port))
        except OSError as error:
            raise ThanosError(f"port {port}: {(error.strerror or str(error)).lower()}; give another --port") from None
        on_start(f"http://{HOST}:{listener.getsockname()[1]}/")
        web.run_app(study_app(study), sock=listener, print=None)
