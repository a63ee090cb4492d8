"""Run the application under uvicorn until a signal ends it."""

import gc
import ipaddress
import os
import signal
import socket
import sys

import uvicorn

from thanos.errors import ThanosError
from thanos.serve.app import create_app
from thanos.serve.log import start_log
from thanos.serve.settings import ServeSettings

GARBAGE = 20_000
"""New objects until the next collection. It holds all streams up, for tens of milliseconds at times; with Python's own
700 it comes several times a second."""


def run_server(settings: ServeSettings, host: str, port: int, shutdown_timeout: int) -> None:
    """Serve until SIGINT or SIGTERM; requests in hand then have `shutdown_timeout` seconds to finish.

    Raises:
        ThanosError: if the address is taken or isn't this machine's, or a model can't be loaded.
    """
    secrets = [*settings.api_keys, settings.upstream_key or "", os.environ.get("OPENAI_API_KEY", "")]
    start_log(secrets)
    listener = _listen(host, port)
    with listener:
        app = create_app(settings)
        address = f"[{host}]" if ":" in host else host
        print(f"thanos: listening on http://{address}:{listener.getsockname()[1]} (API page: /docs)", file=sys.stderr)
        if not settings.api_keys and not _is_loopback(host):
            print(f"thanos: {host} is open to everybody who reaches it; set --api-key-file", file=sys.stderr)
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=shutdown_timeout,
        )
        # Once it has stopped, uvicorn raises the signal again: an asked-for end is no failure.
        for name in (signal.SIGINT, signal.SIGTERM):
            signal.signal(name, lambda *_: None)
        # What is loaded stays: without it to look through, collecting garbage doesn't hold a stream up.
        gc.collect()
        gc.freeze()
        gc.set_threshold(GARBAGE)
        uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """Take the address before the models are loaded, so that a mistake shows at once."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        listener = socket.socket(family, socket.SOCK_STREAM)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except OSError as error:
        raise ThanosError(f"can't listen on {host} port {port}: {(error.strerror or str(error)).lower()}") from None
    return listener


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
