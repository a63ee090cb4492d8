"""The application under a real uvicorn on loopback, and calls to it."""

import json
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import uvicorn
from upstream_server import Seen

from thanos.serve import ServeSettings
from thanos.serve.app import create_app


@contextmanager
def thanos_server(settings: ServeSettings) -> Iterator[str]:
    """Serve until the block ends; yields the address without a path."""
    # uvicorn's own log_config would close every handler there is, and absl's (of rouge-score) then pytest's stderr.
    config = uvicorn.Config(
        create_app(settings), port=0, log_level="warning", log_config=None, timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    until = time.monotonic() + 10
    while not server.started and thread.is_alive() and time.monotonic() < until:
        time.sleep(0.005)
    assert server.started
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)


def planning_settings(seen: Seen, **changes: Any) -> ServeSettings:
    """Of a proxy whose planner and upstream are the same server."""
    given = {
        "model": "openai/plan",
        "engine_options": {"base_url": seen.url},
        "upstream": seen.url,
        "upstream_key": "up-secret",
        "plan_timeout": 0.4,
        "timeout": 0.5,
    }
    return ServeSettings(**given | changes)


def post(url: str, body: Any, headers: dict[str, str] | None = None) -> tuple[int, dict, dict[str, str]]:
    """Status, decoded answer and headers of a POST; `body` is an object, or the bytes to send."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    request = Request(url, data, {"Content-Type": "application/json", **(headers or {})})
    try:
        with urlopen(request, timeout=20) as answer:
            return answer.status, json.load(answer), dict(answer.headers)
    except HTTPError as error:
        return error.code, json.load(error), dict(error.headers)


def get(url: str, headers: dict[str, str] | None = None) -> tuple[int, str]:
    """Status and text of a GET."""
    try:
        with urlopen(Request(url, headers=headers or {}), timeout=20) as answer:
            return answer.status, answer.read().decode(errors="replace")
    except HTTPError as error:
        return error.code, error.read().decode()


def metric(server: str, line: str) -> float:
    """The value of one line of /metrics; 0 if it isn't there yet."""
    found = re.search(rf"^{re.escape(line)} (\S+)$", get(f"{server}/metrics")[1], re.M)
    return float(found.group(1)) if found else 0.0


def wait_for(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    """Return as soon as a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it didn't happen in time"
        time.sleep(0.01)
