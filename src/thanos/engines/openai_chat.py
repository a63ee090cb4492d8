"""openai/<model>: any OpenAI-compatible chat endpoint, many requests at a time."""

import os
import threading
from collections.abc import Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any

import openai

from thanos.dialogue.types import whole_characters
from thanos.engines.protocol import Choices, Generation, Request, Usage
from thanos.errors import EngineError
from thanos.prompts import Message, parse_thought

BYTES_PER_TOKEN = 3
"""English runs at about 4 bytes a token; 3 makes the estimate err towards too many tokens."""
NAME_TOKENS = 24
"""Room for the lead and a name after the free part."""
DROPPABLE = ("temperature", "top_p", "seed", "max_tokens", "max_completion_tokens")
"""Parameters that some hosted models refuse; a refused one is left out from then on."""


class OpenAIEngine:
    """A chat endpoint. Keeps `concurrency` requests in flight and retries 429, 5xx and time-outs with back-off."""

    def __init__(
        self, model: str, base_url: str | None = None, concurrency: int = 32, timeout: float = 60.0, retries: int = 5
    ):
        """Connect to nothing yet.

        Args:
            model: The name that the server knows the model by.
            base_url: The server, e.g. http://localhost:8000/v1; by default $OPENAI_BASE_URL or OpenAI.
            concurrency: Requests in flight at a time.
            timeout: Seconds to wait for one answer.
            retries: How often a failed request is tried again.

        Raises:
            EngineError: if the hosted API is meant and there is no $OPENAI_API_KEY.
        """
        base_url = base_url or os.environ.get("OPENAI_BASE_URL")
        key = os.environ.get("OPENAI_API_KEY") or ("none" if base_url else None)
        if key is None:
            raise EngineError("no API key: set OPENAI_API_KEY, or point --base-url to your own server")
        self.name = f"openai/{model}"
        self.context_window = None
        self._model, self._concurrency = model, concurrency
        self._client = openai.OpenAI(base_url=base_url, api_key=key, timeout=timeout, max_retries=retries)
        self._limit = "max_tokens" if base_url else "max_completion_tokens"
        self._refused: set[str] = set()
        self._reached = threading.Event()

    def count_tokens(self, messages: list[Message]) -> int:
        """An upper estimate from the number of bytes."""
        return sum(-(-len(m["content"].encode()) // BYTES_PER_TOKEN) + 4 for m in messages)

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation]:
        """Yield answers as they arrive. A request that keeps failing yields its error.

        Raises:
            EngineError: if the server can't be reached at all, or refuses the key or the model.
        """
        pool = ThreadPoolExecutor(self._concurrency, thread_name_prefix="openai")
        flying: set[Future[Generation]] = set()
        try:
            for request in requests:
                flying.add(pool.submit(self._ask, request))
                # Twice the concurrency: threads find new work while finished answers are being handed on.
                if len(flying) >= 2 * self._concurrency:
                    wait(flying, return_when=FIRST_COMPLETED)
                # Also with fewer: where requests come slowly, an answer mustn't wait for many others.
                done = {future for future in flying if future.done()}
                flying -= done
                yield from (future.result() for future in done)
            while flying:
                done, flying = wait(flying, return_when=FIRST_COMPLETED)
                yield from (future.result() for future in done)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def close(self) -> None:
        """Close the connections."""
        self._client.close()

    def address(self) -> tuple[str, dict[str, str]]:
        """Where `body` goes and the headers it goes with, for callers with connections of their own."""
        headers = {**self._client.default_headers, **self._client.auth_headers}
        url = f"{str(self._client.base_url).rstrip('/')}/chat/completions"
        return url, {name: value for name, value in headers.items() if isinstance(value, str)}

    def body(self, request: Request) -> dict[str, Any]:
        """What is sent for a request: the fields of OpenAI's API, without those that the server has refused."""
        messages = list(request.messages)
        if request.max_tokens == 0 and request.choices:
            ask = f"\n\nLeave the explanation out: answer with {request.choices.lead} and the name alone."
            messages[-1] = {**messages[-1], "content": messages[-1]["content"] + ask}
        arguments: dict[str, Any] = {
            "temperature": request.temperature,
            "top_p": request.top_p,
            "seed": request.seed,
            self._limit: request.max_tokens + (NAME_TOKENS if request.choices else 0),
        }
        given = {name: value for name, value in arguments.items() if name not in self._refused}
        return {"model": self._model, "messages": messages, **given}

    def stream(self, request: Request) -> Iterator[str]:
        """Write one text piece by piece; see `StreamingEngine`."""
        begun = False
        try:
            with self._create(request, stream=True) as answer:
                for chunk in answer:
                    begun = True
                    if chunk.choices and (piece := chunk.choices[0].delta.content):
                        yield piece
        except openai.APITimeoutError:
            raise EngineError(f"no answer within {self._client.timeout:g} s") from None
        except openai.APIConnectionError as error:
            what = "the server's stream broke off" if begun else f"can't reach {self._client.base_url}"
            raise EngineError(f"{what}: {error.__cause__ or error}") from None
        except openai.APIError as error:
            raise EngineError(f"{self.name} at {self._client.base_url}: {_reason(error)}") from None
        except (ValueError, AttributeError) as error:
            raise EngineError(f"the server's stream broke off: {error}") from None

    def _ask(self, request: Request) -> Generation:
        try:
            text, usage = self._complete(request)
            if request.choices and not parse_thought(text).skill:
                again, more = self._complete(request, schema=_schema(request.choices))
                # Worth having only if it brought a skill: else the first, freer answer says more about what went wrong.
                text, usage = (again if parse_thought(again).skill else text), usage + more
            return Generation(request.key, text=text, usage=usage)
        except (openai.AuthenticationError, openai.PermissionDeniedError, openai.NotFoundError) as error:
            raise EngineError(f"{self.name} at {self._client.base_url}: {_reason(error)}") from None
        except openai.APITimeoutError:
            return Generation(
                request.key, error=f"no answer within {self._client.timeout:g} s, {self._client.max_retries + 1} times"
            )
        except openai.APIConnectionError as error:
            if not self._reached.is_set():
                cause = error.__cause__ or error
                raise EngineError(f"can't reach {self._client.base_url}: {cause}; is the server running?") from None
            return Generation(request.key, error=f"connection lost: {error.__cause__ or error}")
        except openai.APIError as error:
            return Generation(request.key, error=_reason(error))
        except _NonsenseError as error:
            return Generation(request.key, error=str(error))

    def _complete(self, request: Request, schema: dict | None = None) -> tuple[str, Usage]:
        form = {"response_format": {"type": "json_schema", "json_schema": schema}} if schema else {}
        try:
            answer = self._create(request, **form)
        except openai.BadRequestError as error:
            if schema and "response_format" in _reason(error):
                return "", Usage()  # the server knows no structured output
            raise
        except ValueError as error:  # a 200 whose body is not JSON
            raise _NonsenseError(f"the server's answer isn't JSON: {error}") from None
        return _text_of(answer), _usage_of(answer)

    def _create(self, request: Request, **form: Any) -> Any:
        """Send a request, without what the server has refused or now refuses."""
        while True:
            try:
                answer = self._client.chat.completions.create(**self.body(request), **form)
            except openai.BadRequestError as error:
                self._reached.set()
                refused = error.param if error.param in DROPPABLE else None
                if refused is None or refused in self._refused:
                    raise
                self._refused.add(refused)
            else:
                self._reached.set()
                return answer


class _NonsenseError(Exception):
    """A successful answer that holds no message."""


def _text_of(answer: Any) -> str:
    try:
        text = answer.choices[0].message.content
    except (AttributeError, IndexError, TypeError):
        text = None
    if not isinstance(text, str):
        raise _NonsenseError(f"the server's answer holds no message: {str(answer)[:80]!r}")
    return whole_characters(text)


def _usage_of(answer: Any) -> Usage:
    usage = getattr(answer, "usage", None)
    return Usage(getattr(usage, "prompt_tokens", 0) or 0, getattr(usage, "completion_tokens", 0) or 0)


def _reason(error: openai.APIError) -> str:
    """One line: the status and what the server said."""
    status = getattr(error, "status_code", None)
    body = error.body if isinstance(error.body, dict) else {}
    said = " ".join(str(body.get("message") or error.message).split())[:200]
    return f"HTTP {status}: {said}" if status and str(status) not in said else said


def _schema(choices: Choices) -> dict:
    return {
        "name": "skill_of_mind",
        "strict": True,
        "schema": {
            "type": "object",
            "properties": {"explanation": {"type": "string"}, "skill": {"type": "string", "enum": list(choices.names)}},
            "required": ["explanation", "skill"],
            "additionalProperties": False,
        },
    }
