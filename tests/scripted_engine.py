"""An engine whose thoughts a test writes down, so that what a page shows is known beforehand."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from unittest.mock import patch

from thanos.engines.protocol import Generation, Request
from thanos.skills import Skill

SHARES = (0.58, 0.17, 0.09, 0.06, 0.04, 0.02)
"""Of the skill that is chosen and the five behind it; the others share the rest."""


class ScriptedEngine:
    """Thinks what the script says for the last turn of a dialogue, and Active Listening elsewhere."""

    name = "scripted"
    context_window = None

    def __init__(self, script: dict[str, tuple[str, str, list[str]]]):
        """`script`: words of a last turn -> skill, explanation, the next most probable skills."""
        self._script = script

    def count_tokens(self, messages: list[dict[str, str]]) -> int:
        """Nothing is ever cut."""
        return 0

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation]:
        """Answer each prompt."""
        for request in requests:
            last = _last_turn(request)
            skill, explanation, others = self._script.get(last, ("Active Listening", f"I heard: {last}", []))
            yield Generation(request.key, text=explanation, choice=skill, scores=_scores(skill, others))

    def close(self) -> None:
        """Nothing to free."""


@contextmanager
def scripted_planner(script: dict[str, tuple[str, str, list[str]]]):
    """Within the block, every `Thanos` has this engine."""
    with patch("thanos.predict.predictor.load_engine", lambda *_, **__: ScriptedEngine(script)):
        yield


def _last_turn(request: Request) -> str:
    dialogue = request.messages[-1]["content"].split("### Dialogue:\n")[1].split("\n\n### Explanation")[0]
    return dialogue.splitlines()[-1].partition(": ")[2]


def _scores(skill: str, others: list[str]) -> dict[str, float]:
    rest = [s.value for s in Skill if s.value not in (skill, *others)]
    names = [skill, *others, *rest]
    tail = (1 - sum(SHARES)) / (len(names) - len(SHARES))
    return {name: SHARES[i] if i < len(SHARES) else tail for i, name in enumerate(names)}
