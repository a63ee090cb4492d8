"""The OpenAI-compatible server that replies."""

import asyncio
from collections.abc import Iterable
from urllib.parse import urlsplit

import aiohttp

from thanos.engines.web_proxy import proxy_for
from thanos.errors import ThanosError
from thanos.serve.errors import ApiError
from thanos.serve.metrics import Metrics

CONNECT_SECONDS = 5.0
"""To open a connection."""
IDLE_SECONDS = 4.0
"""A connection is kept this long for the next call: a second less than common servers do, so that none is used just as
the other side closes it."""
SENT_ON = ("openai-organization", "openai-project", "openai-beta", "x-request-id")
"""The caller's headers that the upstream gets."""
HANDED_BACK = ("x-request-id", "x-ratelimit-", "retry-after", "openai-")
"""Beginnings of the upstream's headers that the caller gets."""


class Upstream:
    """Calls to one upstream, over connections that are kept."""

    def __init__(self, url: str, key: str | None, timeout: float, pass_keys: bool, metrics: Metrics):
        """Connect to nothing yet.

        Args:
            url: Base URL, up to and with /v1.
            key: Sent as a bearer token in place of the caller's.
            timeout: Longest silence in seconds, before the first byte and between two.
            pass_keys: Without `key`, send the caller's own Authorization on; never where it is a key of this server.

        Raises:
            ThanosError: if the URL isn't one.
        """
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ThanosError("--upstream must be a URL such as http://localhost:8001/v1")
        if parts.username or parts.password:
            raise ThanosError("--upstream must hold no password; set THANOS_UPSTREAM_KEY")
        self.timeout = timeout
        self.has_own_key = key is not None
        self._url, self._pass_keys, self._metrics = url.rstrip("/"), pass_keys and key is None, metrics
        self._headers = {"Content-Type": "application/json", "Accept-Encoding": "identity"}
        if key is not None:
            self._headers["Authorization"] = f"Bearer {key}"
        self._session: aiohttp.ClientSession | None = None

    async def open(self) -> None:
        """Make the session; it belongs to the running event loop."""
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=IDLE_SECONDS),
            timeout=aiohttp.ClientTimeout(total=None, connect=CONNECT_SECONDS, sock_read=self.timeout),
            headers=self._headers,
            proxy=proxy_for(self._url),
            skip_auto_headers=("User-Agent",),
        )

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    async def call(
        self, method: str, path: str, headers: Iterable[tuple[str, str]], body: bytes | None = None
    ) -> aiohttp.ClientResponse:
        """Send a request and wait for the head of its answer; the caller closes it.

        Raises:
            ApiError: 502 if the upstream can't be reached or breaks off, 504 if it is silent for too long.
        """
        sent = {name: value for name, value in headers if name in SENT_ON}
        sent |= {name: value for name, value in headers if name == "authorization" and self._pass_keys}
        try:
            answer = await self._session.request(
                method, self._url + path, data=body, headers=sent, allow_redirects=False
            )
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self.failure(error) from None
        if answer.status in (401, 403) and self.has_own_key:
            answer.close()
            self._metrics.upstream_failures.labels("key").inc()
            raise ApiError(502, "the upstream refuses this server's key", "upstream_key")
        if 300 <= answer.status < 400:
            answer.close()
            raise ApiError(502, f"the upstream answers with a redirect ({answer.status})", "upstream_redirect")
        return answer

    async def read(self, answer: aiohttp.ClientResponse) -> bytes:
        """The rest of an answer.

        Raises:
            ApiError: as `call`.
        """
        try:
            return await answer.read()
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise self.failure(error) from None

    def failure(self, error: Exception) -> ApiError:
        """What a failed call means to the caller."""
        if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
            kind, answer = "unreachable", ApiError(502, "the upstream can't be reached", "upstream_unreachable")
        elif isinstance(error, asyncio.TimeoutError):
            message = f"the upstream was silent for {self.timeout:g} s"
            kind, answer = "timeout", ApiError(504, message, "upstream_timeout")
        else:
            kind, answer = "cut", ApiError(502, "the upstream broke off", "upstream_cut")
        self._metrics.upstream_failures.labels(kind).inc()
        return answer


def headers_back(answer: aiohttp.ClientResponse) -> dict[str, str]:
    """The headers of an answer that the caller gets."""
    return {name: value for name, value in answer.headers.items() if name.lower().startswith(HANDED_BACK)}
