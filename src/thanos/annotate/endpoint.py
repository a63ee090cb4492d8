"""One request to an OpenAI-compatible endpoint, and what kind of answer came of it."""

import importlib
import json
import os
from dataclasses import dataclass
from functools import cache
from typing import Any

import openai

from thanos.annotate.completion import UselessAnswerError, read_completion
from thanos.annotate.prompt import request_body
from thanos.data.next_turn import NextTurn
from thanos.engines.openai_chat import DROPPABLE
from thanos.engines.protocol import Usage
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
        self._http = _http_client(connections, timeout)
        # The official client knows where to send and what to sign with, but takes twice as long for a request as
        # its own http client: it checks both bodies and copies them. At a thousand requests a second, that limits.
        client = openai.AsyncOpenAI(base_url=base_url, api_key=key, http_client=self._http)
        headers = {**client.default_headers, **client.auth_headers, "Content-Type": "application/json"}
        self._http.headers.update({name: value for name, value in headers.items() if isinstance(value, str)})
        self.url = f"{str(client.base_url).rstrip('/')}/chat/completions"
        self._parsed_url = _library(self._http).URL(self.url)
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
            if response.status_code == 200:
                return _reply(response.text)
            if not self._learn(response, given):
                raise self._problem(response)

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _post(self, body: dict[str, Any]) -> Any:
        http = _library(self._http)
        content = json.dumps(body).encode()
        try:
            response = await self._http.send(self._http.build_request("POST", self._parsed_url, content=content))
        except (http.ConnectError, http.ConnectTimeout) as error:
            if not self._reached:
                raise EngineError(f"can't reach {self.url}: {error}; is the server running?") from None
            raise TryAgainError(f"connection lost: {error}") from None
        except http.TimeoutException:
            self._reached = True
            raise TryAgainError(f"no answer within {self._timeout:g} s") from None
        except http.HTTPError as error:
            self._reached = True
            raise TryAgainError(f"connection lost: {error}") from None
        self._reached = True
        return response

    def _learn(self, response: Any, given: dict[str, Any]) -> bool:
        """True if the server refused a field that it can be asked without; from then on it is left out."""
        error = _error(response)
        if response.status_code != 400:
            return False
        field = error.get("param") or ("response_format" if "response_format" in _reason(response) else "")
        field = str(field).partition(".")[0]
        if field not in OPTIONAL or field not in given:
            return False
        self._refused.add(field)
        return True

    def _problem(self, response: Any) -> Exception:
        status, reason = response.status_code, _reason(response)
        if status in (401, 403, 404) or _error(response).get("code") == "insufficient_quota":
            return EngineError(f"{self.name} at {self.url}: {reason}")
        if status in (408, 409, 429) or status >= 500:
            return TryAgainError(reason, wait=_wait(response))
        return ThanosError(reason)


def _http_client(connections: int, timeout: float) -> Any:
    """aiohttp where it is installed: twice as fast as the client's default."""
    # The client's own limits object, whichever http library this version of it is built on.
    limits = type(openai.DEFAULT_CONNECTION_LIMITS)(max_connections=connections, max_keepalive_connections=connections)
    try:
        return openai.DefaultAioHttpClient(limits=limits, timeout=timeout)
    except (ModuleNotFoundError, RuntimeError):  # the client's way to say that aiohttp isn't installed
        return openai.DefaultAsyncHttpxClient(limits=limits, timeout=timeout)


@cache
def _library(client: Any) -> Any:
    """The http library whose errors a client raises: httpx, or what followed it."""
    roots = (kind.__module__.partition(".")[0] for kind in type(client).__mro__)
    return importlib.import_module(next(root for root in roots if root.startswith("httpx")))


def _reply(raw: str) -> Reply:
    try:
        return Reply(*read_completion(json.loads(raw)))
    except UselessAnswerError as error:
        raise TryAgainError(str(error), at_once=True, usage=error.usage) from None
    except ValueError:
        raise TryAgainError(f"the server's answer isn't JSON: {raw[:80]!r}", at_once=True) from None


def _error(response: Any) -> dict[str, Any]:
    """The `error` object of a refusal, empty if it isn't one."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        return {}
    return error if isinstance(error, dict) else {}


def _reason(response: Any) -> str:
    """One line: the status and what the server said."""
    said = " ".join(str(_error(response).get("message") or response.text).split())[:200]
    return f"HTTP {response.status_code}: {said}"


def _wait(response: Any) -> float:
    """Seconds, from Retry-After (a number) or retry-after-ms; 0 without them."""
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return max(0.0, float(response.headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    return 0.0
