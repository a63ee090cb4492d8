"""What every engine can do: write text for a prompt, and weigh fixed continuations of one.

An engine takes requests as they come (any iterable, however long), keeps only a bounded number of them in hand, and
yields each result as soon as it has it; results may come in another order than the requests.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

from thanos.prompts import Message


@dataclass(frozen=True)
class Choices:
    """A closed set that the text must end with: after the free part come `lead` and one of `names`."""

    lead: str
    """Written before the name; also what ends the free part when the model writes it itself."""
    names: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """One prompt and how to continue it."""

    key: Any
    """Whatever the caller needs to know the result by; engines hand it back untouched."""
    messages: list[Message]
    max_tokens: int
    """Most tokens of the free part; 0 goes straight to the choice."""
    choices: Choices | None = None
    """Ends the text with one of a closed set, and asks for the probability of each member."""
    temperature: float = 0.0
    """0 is greedy."""
    top_p: float = 1.0
    seed: int = 0
    """Seeds the sampling of this request alone, so that a result depends neither on batch size nor on order."""


@dataclass(frozen=True)
class Usage:
    """Tokens in and out."""

    prompt_tokens: int = 0
    completion_tokens: int = 0

    def __add__(self, other: "Usage") -> "Usage":
        return Usage(self.prompt_tokens + other.prompt_tokens, self.completion_tokens + other.completion_tokens)


@dataclass(frozen=True)
class Generation:
    """What came of a request."""

    key: Any
    text: str = ""
    """The free part, without the lead, the name and any end token."""
    choice: str | None = None
    """The most probable name, where the engine could constrain the end; None where the text must be parsed."""
    scores: dict[str, float] = field(default_factory=dict)
    """Name -> probability given the prompt, the free part and the lead; they sum to 1. Empty where it isn't known."""
    usage: Usage = Usage()
    error: str = ""
    """Why there is no text: one line. The other requests are unaffected."""


class Engine(Protocol):
    """A model behind a model string."""

    name: str
    """The model string that chose it."""
    context_window: int | None
    """Most tokens of prompt and completion together; None if the server doesn't say."""

    def count_tokens(self, messages: list[Message]) -> int:
        """Tokens of a prompt as sent, chat template included (an upper estimate where no tokenizer is at hand)."""
        ...

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation]:
        """Continue every prompt. Raises EngineError only for what concerns all requests."""
        ...

    def close(self) -> None:
        """Free memory, threads and connections."""
        ...


@runtime_checkable
class ScoringEngine(Protocol):
    """An engine that also gives exact log-probabilities of given texts."""

    def score(
        self, requests: Iterable[Request], continuations: Iterable[Sequence[str]]
    ) -> Iterator[tuple[Any, list[float]]]:
        """Weigh texts that could follow right after each prompt.

        Args:
            requests: Prompts; their `max_tokens` and `choices` don't matter here.
            continuations: For each request, the texts to weigh.

        Yields:
            (key, log-probability of each continuation): natural logarithms, summed over the continuation's tokens.
        """
        ...


@runtime_checkable
class StreamingEngine(Protocol):
    """An engine that also hands a text on while it is being written."""

    def stream(self, request: Request) -> Iterator[str]:
        """Continue one prompt, piece by piece; together, and stripped, the pieces are what `generate` gives as text.

        Args:
            request: Its `choices` don't matter here. Closing the iterator stops the writing.

        Raises:
            EngineError: if the text can't be had, or breaks off.
        """
        ...
