"""Our engines and baselines as a model provider of inspect: `thanos/embedded`, `thanos/openai/...`, `thanos/tfidf`."""

import itertools
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from inspect_ai.model import ChatMessage, GenerateConfig, ModelAPI, ModelOutput, ModelUsage
from inspect_ai.tool import ToolChoice, ToolInfo

from thanos.bench.models.load import load_model
from thanos.engines.batcher import Batcher
from thanos.engines.protocol import Generation, Request
from thanos.errors import ThanosError
from thanos.predict.request import SKILL_CHOICES
from thanos.prompts import MARKER, Message

SKILL_OF_MIND = "skill_of_mind"
"""Metadata of the last message: "explain" or "direct" asks for a skill-of-mind, as `thanos predict` does."""
REPLY_TOKENS = 256
"""Most tokens of any other answer, unless the request says."""
LOCAL_CONNECTIONS = 128
"""Samples in flight, so that an engine in this process always has a window of 64 prompts to sort and to batch."""
REMOTE_CONNECTIONS = 32


class ThanosAPI(ModelAPI):
    """An engine behind inspect's interface; samples that wait at the same time go through it together."""

    def __init__(
        self,
        model_name: str,
        base_url: str | None = None,
        api_key: str | None = None,
        config: GenerateConfig = GenerateConfig(),  # noqa: B008 (inspect's own signature)
        train: str | None = None,
        **options: Any,
    ):
        """Load the engine.

        Args:
            model_name: embedded, embedded/base, hf/..., vllm/..., openai/..., random, majority, tfidf or nearest.
            base_url: For openai/.
            api_key: Unused: the openai engine reads $OPENAI_API_KEY.
            config: Defaults of requests; seed, temperature, top_p and max_tokens are heeded.
            train: Annotated rows that a baseline learns from.
            **options: Fields of `thanos.engines.EngineOptions`.

        Raises:
            ThanosError: if there's no such model.
        """
        super().__init__(model_name, base_url, api_key, [], config)
        self.engine = load_model(model_name, Path(train) if train else None, base_url=base_url, **options)
        self.fatal: ThanosError | None = None
        """What keeps the engine from answering anything; once there, no request is tried."""
        remote = model_name.startswith("openai/")
        self._connections = (options.get("concurrency") or REMOTE_CONNECTIONS) if remote else LOCAL_CONNECTIONS
        self._batcher = Batcher(self._run, threads=self._connections if remote else 1)

    async def generate(
        self, input: list[ChatMessage], tools: list[ToolInfo], tool_choice: ToolChoice, config: GenerateConfig
    ) -> ModelOutput:
        """Answer one prompt.

        Raises:
            ThanosError: if the engine has no answer to this one.
        """
        if self.fatal:
            raise self.fatal
        try:
            generation = await self._batcher.submit(_request(input, config))
        except ThanosError as error:
            self.fatal = error
            raise
        if generation.error:
            raise ThanosError(generation.error)
        return _output(self.model_name, generation)

    def max_connections(self) -> int:
        """Requests in flight."""
        return self._connections

    async def aclose(self) -> None:
        """Nothing: the engine serves the next task, too. `shut` frees it."""

    def shut(self) -> None:
        """Free the engine."""
        self._batcher.close()
        self.engine.close()

    def _run(self, requests: Iterable[Request]) -> Iterator[tuple[int, Generation]]:
        places = itertools.count()
        keyed = (Request(**(vars(request) | {"key": place})) for request, place in zip(requests, places, strict=False))
        for generation in self.engine.generate(keyed):
            yield generation.key, generation


def generation_of(output: ModelOutput) -> Generation:
    """What the engine gave: the scores, too. Of another provider's output, its text."""
    known = (output.metadata or {}).get("generation")
    return Generation(None, **known) if known else Generation(None, text=output.completion)


def messages_of(input: list[ChatMessage]) -> list[Message]:
    """inspect's messages -> ours."""
    return [{"role": message.role, "content": message.text} for message in input]


def _request(input: list[ChatMessage], config: GenerateConfig) -> Request:
    mode = (input[-1].metadata or {}).get(SKILL_OF_MIND)
    return Request(
        key=None,
        messages=messages_of(input),
        max_tokens=0 if mode == "direct" else config.max_tokens or REPLY_TOKENS,
        choices=SKILL_CHOICES if mode else None,
        temperature=config.temperature or 0.0,
        top_p=1.0 if config.top_p is None else config.top_p,
        seed=config.seed or 0,
    )


def _output(model: str, generation: Generation) -> ModelOutput:
    text = generation.text
    if generation.choice:
        text = f"{text.strip()} {MARKER} {generation.choice}".strip()
    output = ModelOutput.from_content(model, text)
    used = generation.usage
    output.usage = ModelUsage(
        input_tokens=used.prompt_tokens,
        output_tokens=used.completion_tokens,
        total_tokens=used.prompt_tokens + used.completion_tokens,
    )
    output.metadata = {
        "generation": {"text": generation.text, "choice": generation.choice, "scores": generation.scores}
    }
    return output
