"""Plans from a chat endpoint, asked for in the event loop: a thread for each would slow the streams beside them."""

import json
import logging
from collections.abc import Awaitable, Callable

import aiohttp

from thanos.dialogue import Dialogue
from thanos.dialogue.types import whole_characters
from thanos.engines.openai_chat import OpenAIEngine
from thanos.engines.protocol import Generation, Usage
from thanos.engines.web_proxy import proxy_for
from thanos.predict import Prediction, Thanos
from thanos.predict.answer import read_generation
from thanos.predict.request import fit_dialogue, requests_for

log = logging.getLogger("thanos.serve")


class RemotePlans:
    """The short way to a plan: one request, one answer that names a skill.

    Whatever else comes, `otherwise` deals with it, which knows about retries, refused fields and structured output.
    """

    def __init__(self, thanos: Thanos, otherwise: Callable[[Dialogue], Awaitable[Prediction]]):
        """Connect to nothing yet; the engine of `thanos` is an `OpenAIEngine`."""
        self._thanos, self._otherwise = thanos, otherwise
        self._engine: OpenAIEngine = thanos.engine
        self._url, self._headers = self._engine.address()
        self._session: aiohttp.ClientSession | None = None

    async def submit(self, dialogue: Dialogue) -> Prediction:
        """Predict for one dialogue.

        Raises:
            ThanosError: as `otherwise`.
        """
        fitted = fit_dialogue(dialogue, self._thanos.prompt, self._engine, self._thanos.options)
        (request,) = requests_for(0, fitted, self._thanos.options)
        generation = await self._ask(json.dumps(self._engine.body(request)).encode())
        if generation:
            result = read_generation(generation, self._thanos.options)
            if result.skill:
                return Prediction(0, dialogue, result, fitted.truncated, generation.usage)
        return await self._otherwise(dialogue)

    async def close(self) -> None:
        """Close the connections."""
        if self._session:
            await self._session.close()

    async def _ask(self, body: bytes) -> Generation | None:
        if self._session is None:  # it belongs to the event loop that it is made in
            self._session = aiohttp.ClientSession(
                headers=self._headers,
                connector=aiohttp.TCPConnector(limit=0),
                timeout=aiohttp.ClientTimeout(total=None),  # whoever waits sets one
                proxy=proxy_for(self._url),
            )
        try:
            async with self._session.post(self._url, data=body) as answer:
                if answer.status != 200:
                    return None
                reply = json.loads(await answer.read())
            text = reply["choices"][0]["message"]["content"]
            usage = reply.get("usage") or {}
            used = Usage(usage.get("prompt_tokens") or 0, usage.get("completion_tokens") or 0)
            return Generation(0, text=whole_characters(text), usage=used) if isinstance(text, str) else None
        except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError, IndexError, AttributeError) as error:
            log.info("no plan the short way: %r", error)
            return None
