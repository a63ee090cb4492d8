"""One request to an OpenAI-compatible endpoint, and what kind of answer came of it."""

import json
import os
from dataclasses import dataclass
from typing import Any

import openai

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
        wait: Seconds that the server asks to wait, or None.
        usage: What the useless answer cost.
    """

    def __init__(self, reason: str, wait: float | None = None, usage: Usage | None = None):
        self.wait, self.usage = wait, usage or Usage()
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
        self._client = openai.AsyncOpenAI(
            base_url=base_url, api_key=key, timeout=timeout, max_retries=0, http_client=_http_client(connections)
        )
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
        try:
            return _reply(await self._post(request_body(self._model, turn, self._limit, seed=attempt)))
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise EngineError(f"{self.name} at {self._client.base_url}: {_reason(error)}") from None
        except openai.RateLimitError as error:
            if error.code == "insufficient_quota":
                raise EngineError(f"{self.name}: {_reason(error)}") from None
            raise TryAgainError(_reason(error), _wait(error)) from None
        except openai.APIConnectionError as error:  # time-outs are among them
            raise self._connection_problem(error) from None
        except openai.APIStatusError as error:
            self._reached = True
            if error.status_code >= 500 or error.status_code in (408, 409):
                raise TryAgainError(_reason(error), _wait(error)) from None
            raise ThanosError(_reason(error)) from None

    async def close(self) -> None:
        """Close the connections."""
        await self._client.close()

    def _connection_problem(self, error: openai.APIConnectionError) -> Exception:
        cause = error.__cause__ or error
        # By name, as the class is that of whichever http library is in use; aiohttp's refused connection is a time-out.
        if type(cause).__name__ in ("ConnectError", "ConnectTimeout"):
            if not self._reached:
                return EngineError(f"can't reach {self._client.base_url}: {cause}; is the server running?")
            return TryAgainError(f"connection lost: {cause}")
        self._reached = True
        if isinstance(error, openai.APITimeoutError):
            return TryAgainError(f"no answer within {self._timeout:g} s")
        return TryAgainError(f"connection lost: {cause}")

    async def _post(self, body: dict[str, Any]) -> str:
        """The raw body of a successful answer. `post` spares the client's checks of both bodies: half of its time."""
        while True:
            given = {key: value for key, value in body.items() if key not in self._refused}
            try:
                text = await self._client.post("/chat/completions", body=given, cast_to=str)
            except openai.BadRequestError as error:
                self._reached = True
                refused = next((name for name in OPTIONAL if name in (error.param or "")), None)
                if refused is None and "response_format" in _reason(error):
                    refused = "response_format"
                if refused is None or refused not in given:
                    raise
                self._refused.add(refused)
                continue
            self._reached = True
            return text


def _http_client(connections: int) -> Any:
    """aiohttp where it is installed: twice as fast as the client's default, which matters from 500 answers a second."""
    limits = {"max_connections": connections, "max_keepalive_connections": connections}
    try:
        import aiohttp  # noqa: F401
    except ModuleNotFoundError:
        return openai.DefaultAsyncHttpxClient(limits=_limits(limits))
    return openai.DefaultAioHttpClient(limits=_limits(limits))


def _limits(limits: dict[str, int]) -> Any:
    # The client's own limits object, whichever http library this version of it is built on.
    return type(openai.DEFAULT_CONNECTION_LIMITS)(**limits)


def _reply(raw: str) -> Reply:
    try:
        body = json.loads(raw)
        choice, used = body["choices"][0], body.get("usage") or {}
        text, finish = choice["message"].get("content"), choice.get("finish_reason")
        usage = Usage(int(used.get("prompt_tokens") or 0), int(used.get("completion_tokens") or 0))
    except (ValueError, KeyError, IndexError, TypeError, AttributeError):
        raise TryAgainError(f"the server's answer holds no message: {raw[:80]!r}") from None
    if finish == "length":
        raise TryAgainError("the answer was cut off", usage=usage)
    if not isinstance(text, str) or not text.strip():
        raise TryAgainError(f"the answer is empty ({finish})", usage=usage)
    return Reply(text, usage)


def _reason(error: openai.APIStatusError) -> str:
    body = error.body if isinstance(error.body, dict) else {}
    said = " ".join(str(body.get("message") or error.message).split())[:200]
    return said if str(error.status_code) in said else f"HTTP {error.status_code}: {said}"


def _wait(error: openai.APIStatusError) -> float | None:
    """Seconds, from Retry-After (a number) or retry-after-ms."""
    headers = error.response.headers
    for name, unit in (("retry-after-ms", 1000), ("retry-after", 1)):
        try:
            return max(0.0, float(headers[name]) / unit)
        except (KeyError, ValueError):
            continue
    return None
