"""What annotation costs: an estimate before, the count after, and a budget that isn't overrun."""

import json
from dataclasses import dataclass
from pathlib import Path

from thanos.annotate.prompt import EXPECTED_ANSWER_TOKENS, estimate_tokens, load_annotation_prompt
from thanos.data.next_turn import NextTurn
from thanos.engines.protocol import Usage


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    given: float
    made: float

    def of(self, usage: Usage) -> float:
        """Dollars."""
        return (usage.prompt_tokens * self.given + usage.completion_tokens * self.made) / 1e6


def expected_usage(turn: NextTurn) -> Usage:
    """About what a turn's annotation will take."""
    return Usage(estimate_tokens(load_annotation_prompt().render(turn)), EXPECTED_ANSWER_TOKENS)


class Budget:
    """Counts what was spent and refuses what could overrun the limit.

    A request in flight counts with its full price: its prompt, rather too high, and the longest answer it may get.
    """

    def __init__(self, price: Price | None = None, limit: float | None = None, spent: Usage | None = None):
        """Begin with what earlier runs on the same output spent; the limit holds for all of them together."""
        self.price, self.limit, self.spent = price, limit, spent or Usage()
        self._reserved = 0.0

    @property
    def cost(self) -> float:
        """Dollars spent, 0 without a price."""
        return self.price.of(self.spent) if self.price else 0.0

    def reserve(self, turn: NextTurn) -> float | None:
        """Set money aside for a request: the dollars, to be given to `settle`, or None if there aren't enough."""
        if self.limit is None or self.price is None:
            return 0.0
        longest = load_annotation_prompt().sampling.max_tokens
        most = self.price.of(Usage(expected_usage(turn).prompt_tokens, longest))
        if self.cost + self._reserved + most > self.limit:
            return None
        self._reserved += most
        return most

    def settle(self, reserved: float, usage: Usage) -> None:
        """A request is over: what it really took instead of what was set aside."""
        self._reserved -= reserved
        self.spent += usage


class SpentFile:
    """`<stem>.spent.jsonl`: answers that were paid for and gave no row. The rows carry their own usage.

    So rows and this file together hold all that was ever spent on an output, however its runs ended.
    """

    def __init__(self, output: Path):
        """Nothing is opened before something must be written."""
        self.output, self.path = output, output.with_name(f"{output.stem}.spent.jsonl")

    def total(self) -> Usage:
        """Tokens of all rows and of all useless answers so far."""
        return _sum(self.output, "usage") + _sum(self.path, "usage")

    def add(self, id: str, reason: str, usage: Usage) -> None:
        """Write down a useless answer."""
        if usage == Usage():
            return
        with self.path.open("ab") as file:
            file.write(json.dumps({"id": id, "reason": reason, "usage": usage_row(usage)}).encode() + b"\n")


def usage_row(usage: Usage) -> dict[str, int]:
    """The JSON form."""
    return {"prompt_tokens": usage.prompt_tokens, "completion_tokens": usage.completion_tokens}


def _sum(path: Path, key: str) -> Usage:
    given = made = 0
    if path.exists():
        with path.open("rb") as file:
            for raw in file:
                if raw.endswith(b"\n"):  # else cut short by a kill
                    used = json.loads(raw).get(key) or {}
                    given += used.get("prompt_tokens", 0)
                    made += used.get("completion_tokens", 0)
    return Usage(given, made)
