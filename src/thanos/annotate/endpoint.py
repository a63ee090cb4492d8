"""One request to an OpenAI-compatible endpoint, and what kind of answer came of it."""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import aiohttp
import openai

from thanos.annotate.completion import UselessAnswerError, read_completion
from thanos.annotate.prompt import request_body
from thanos.data.next_turn import NextTurn
from thanos.engines.openai_chat import DROPPABLE
from thanos.engines.protocol import Usage
from thanos.engines.web_proxy import proxy_for
from thanos.errors import EngineError, ThanosError

OPTIONAL = (*DROPPABLE, "response_format")
"""What a server may refuse; it is left out from then on. The prompt asks for JSON in words, too."""


@dataclass(frozen=True)
class Reply:
    """A complete answer."""

    text: str
    usage: Usage


class TryAgainError(Exception):
    """No usable answer this time; another try may bring one.

    Attributes:
        at_once: The server is well and answered, only not usefully: there is nothing to wait for.
        wait: Seconds that the server asks to wait, 0 if it doesn't.
        usage: What the useless answer cost.
    """

    def __init__(self, reason: str, at_once: bool = False, wait: float = 0.0, usage: Usage | None = None):
        self.at_once, self.wait, self.usage = at_once, wait, usage or Usage()
        super().__init__(reason)


class Endpoint:
    """An endpoint and a model. Retries nothing itself: whoever asks decides when."""

    def __init__(self, model: str, base_url: str | None = None, timeout: float = 60.0, connections: int = 64):
        """Connect to nothing yet.

        Args:
            model: openai/<the name that the server knows the model by>.
            base_url: The server, e.g. http://localhost:8000/v1; by default $OPENAI_BASE_URL or OpenAI.
            timeout: Seconds to wait for one answer.
            connections: Most requests at a time.

        Raises:
            ThanosError: if the model string is another engine's, or the hosted API is meant and there is no key.
        """
        kind, _, name = model.partition("/")
        if kind != "openai" or not name:
            raise ThanosError(f"annotate asks an endpoint: --model openai/<model>, not {model!r}")
        base_url = base_url or os.environ.get("OPENAI_BASE_URL")
        key = os.environ.get("OPENAI_API_KEY") or ("none" if base_url else None)
        if key is None:
            raise EngineError("no API key: set OPENAI_API_KEY, or point --base-url to your own server")
        self.name = model
        self._model, self._timeout = name, timeout
        self._limit = "max_tokens" if base_url else "max_completion_tokens"
        # The official client says where to send and what to sign with. The requests themselves go through aiohttp: the
        # client takes four times as long for each, and at a thousand a second that would be the limit.
        client = openai.AsyncOpenAI(base_url=base_url, api_key=key)
        headers = {**client.default_headers, **client.auth_headers, "Content-Type": "application/json"}
        self._headers = {name: value for name, value in headers.items() if isinstance(value, str)}
        self.url = f"{str(client.base_url).rstrip('/')}/chat/completions"
        self._connections = connections
        self._session: aiohttp.ClientSession | None = None
        self._refused: set[str] = set()
        self._reached = False

    async def ask(self, turn: NextTurn, attempt: int = 0) -> Reply:
        """Ask for one annotation.

        Args:
            attempt: Number of the try; another try samples with another seed.

        Raises:
            TryAgainError: for 429, 5xx, a time-out, a lost connection, an answer that is cut off or isn't one.
            EngineError: if the server can't be reached at all, or refuses the key, the model or the account.
            ThanosError: if it refuses this request for good.
        """
        body = request_body(self._model, turn, self._limit, seed=attempt)
        while True:
            given = {key: value for key, value in body.items() if key not in self._refused}
            response = await self._post(given)
            if response.status == 200:
                return _reply(response.text)
            if not self._learn(response, given):
                raise self._problem(response)

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    async def _post(self, body: dict[str, Any]) -> "_Response":
        if self._session is None:  # it belongs to the event loop that it is made in
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                connector=aiohttp.TCPConnector(limit=self._connections),
                timeout=aiohttp.ClientTimeout(total=self._timeout),
                proxy=proxy_for(self.url),
            )
        try:
            async with self._session.post(self.url, data=json.dumps(body).encode()) as answer:
                response = _Response(answer.status, await answer.text(errors="replace"), answer.headers)
        except aiohttp.ClientConnectorError as error:
            if not self._reached:
                raise EngineError(f"can't reach {self.url}: {error}; is the server running?") from None
            raise TryAgainError(f"connection lost: {error}") from None
        except TimeoutError:
            self._reached = True
            raise TryAgainError(f"no answer within {self._timeout:g} s") from None
        except aiohttp.ClientError as error:
            self._reached = True
            raise TryAgainError(f"connection lost: {error}") from None
        self._reached = True
        return response

    def _learn(self, response: "_Response", given: dict[str, Any]) -> bool:
        """True if the server refused a field that it can be asked without; from then on it is left out."""
        error = _error(response)
        if response.status != 400:
            return False
        field = error.get("param") or ("response_format" if "response_format" in _reason(response) else "")
        field = str(field).partition(".")[0]
        if field not in OPTIONAL or field not in given:
            return False
        self._refused.add(field)
        return True

    def _problem(self, response: "_Response") -> Exception:
        status, reason = response.status, _reason(response)
        if status in (401, 403, 404) or _error(response).get("code") == "insufficient_quota":
            return EngineError(f"{self.name} at {self.url}: {reason}")
        if status in (408, 409, 429) or status >= 500:
            return TryAgainError(reason, wait=_wait(response))
        return ThanosError(reason)


@dataclass(frozen=True)
class _Response:
    status: int
    text: str
    headers: Mapping[str, str]


def _reply(raw: str) -> Reply:
    try:
        return Reply(*read_completion(json.loads(raw)))
    except UselessAnswerError as error:
        raise TryAgainError(str(error), at_once=True, usage=error.usage) from None
    except ValueError:
        raise TryAgainError(f"the server's answer isn't JSON: {raw[:80]!r}", at_once=True) from None


def _error(response: _Response) -> dict[str, Any]:
    """The `error` object of a refusal, empty if it isn't one."""
    try:
        error = json.loads(response.text)["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _reason(response: _Response) -> str:
    """One line: the status and what the server said."""
    said = " ".join(str(_error(response).get("message") or response.text).split())[:200]
    return f"HTTP {response.status}: {said}"


def _wait(response: _Response) -> float:
    """Seconds, from Retry-After (a number) or retry-after-ms; 0 without them."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return max(0.0, float(response.headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    return 0.0
