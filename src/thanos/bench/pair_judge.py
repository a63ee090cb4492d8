"""A model that says which of two replies is better, asked in both orders."""

import re
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

import yaml
from inspect_ai.model import ChatMessageSystem, ChatMessageUser, GenerateConfig

from thanos.bench.models.inspect_model import get_inspect_model
from thanos.dialogue import Dialogue
from thanos.prompts import Prompt

ANSWER_TOKENS = 64

PAIR_PROMPT = Prompt.model_validate(
    {
        "name": "pair_judge",
        **yaml.safe_load(files("thanos.bench").joinpath("pair_judge.yaml").read_text(encoding="utf-8")),
    }
)

_VERDICT = re.compile(r"\bverdict\b\W*(first|second|tie)\b", re.I)
_BARE = re.compile(r"\W*(first|second|tie)\W*", re.I)


@dataclass(frozen=True)
class PairVerdict:
    """What a judge said about replies A and B."""

    preferred: float | None
    """1 for A, 0 for B, 0.5 for a tie; None if one of the two answers couldn't be read: that is no tie."""
    agreed: bool | None
    """Whether both orders gave the same verdict; None if that isn't known."""
    answers: tuple[str, ...]
    """The judge's words with A first, then with B first; or why there are none."""


class PairJudge:
    """Asks a model, greedily."""

    def __init__(self, model: str):
        """Load the judge; the same one as the model under test is loaded once.

        Raises:
            ThanosError: if there's no such model.
        """
        self._model = get_inspect_model(model)

    async def compare(self, a: str, b: str, metadata: dict[str, Any]) -> PairVerdict:
        """Compare two replies to `metadata["dialogue"]`; a failure of the judge is a verdict without a preference."""
        if a.split() == b.split():
            return PairVerdict(0.5, None, ())
        return read_pair(await self._ask(a, b, metadata), await self._ask(b, a, metadata))

    async def _ask(self, first: str, second: str, metadata: dict[str, Any]) -> str:
        values = {
            "social_context": metadata["social_context"],
            "dialogue": Dialogue.model_validate({"turns": metadata["dialogue"]}).text(),
            "speaker": metadata["speaker"],
            "first": first,
            "second": second,
        }
        messages = [
            ChatMessageSystem(content=PAIR_PROMPT.system),
            ChatMessageUser(content=PAIR_PROMPT.user.format_map(values)),
        ]
        try:
            output = await self._model.generate(
                messages, config=GenerateConfig(temperature=0, max_tokens=ANSWER_TOKENS)
            )
        except Exception as error:  # whatever a provider raises, the row itself is fine
            return f"({type(error).__name__}: {error})"
        return output.completion


def read_pair(forward: str, backward: str) -> PairVerdict:
    """Join the two answers: a reply wins if it is preferred in both orders; preferred in one alone, it's a tie.

    Args:
        forward: The answer with A first.
        backward: The answer with B first.
    """
    found = read_verdict(forward), read_verdict(backward)
    if None in found:
        return PairVerdict(None, None, (forward, backward))
    a_first = {"first": 1.0, "second": 0.0, "tie": 0.5}[found[0]]
    b_first = {"first": 0.0, "second": 1.0, "tie": 0.5}[found[1]]
    agreed = a_first == b_first
    return PairVerdict(a_first if agreed else 0.5, agreed, (forward, backward))


def read_verdict(text: str) -> str | None:
    """`verdict: first` and the like anywhere in the text, of several the last; or a text of that one word alone."""
    marked = _VERDICT.findall(text)
    if marked:
        return marked[-1].lower()
    bare = _BARE.fullmatch(text)
    return bare.group(1).lower() if bare else None
