"""Thanos: dialogues in, skills-of-mind out, from any engine."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeVar

from thanos.dialogue import Dialogue, dialogue_from_row, dialogue_from_text
from thanos.engines import load_engine
from thanos.engines.protocol import Engine, Generation, Request, Usage
from thanos.errors import ThanosError
from thanos.predict.answer import read_generation, vote
from thanos.predict.request import Mode, PredictionOptions, fit_dialogue, requests_for
from thanos.prompts import load_prompt
from thanos.respond import Reply, Responder
from thanos.skills import SkillOfMind

Indexed = TypeVar("Indexed")


@dataclass(frozen=True)
class Prediction:
    """A dialogue's skill-of-mind with what belongs to the run."""

    index: int
    """The dialogue's place in the input, from 0."""
    dialogue: Dialogue
    skill_of_mind: SkillOfMind
    truncated: dict[str, int] | None = None
    """Turns and characters that had to be left out for the context window; None if all fitted."""
    usage: Usage = field(default_factory=Usage)

    @property
    def error(self) -> str:
        """Why there is no prediction: one line; empty if there is one."""
        return self.skill_of_mind.error

    @property
    def valid(self) -> bool:
        """True if a skill of the closed set came out."""
        return self.skill_of_mind.valid


class Thanos:
    """Predicts the skill-of-mind of the next speaker.

    >>> thanos = Thanos()                                           # doctest: +SKIP
    >>> thanos.predict("Tom: Hi!\\nSam: My dog died.").skill        # doctest: +SKIP
    <Skill.EMPATHY: 'Empathy'>

    The engine is loaded when first needed and kept. Use it as a context manager, or call `close`, to free it.
    """

    def __init__(
        self,
        model: str = "embedded",
        *,
        prompt: str | None = None,
        mode: Mode = "explain",
        samples: int = 1,
        max_tokens: int | None = None,
        seed: int = 0,
        **engine_options: Any,
    ):
        """Choose a model and how to ask it.

        Args:
            model: embedded, hf/<id or folder>, vllm/<id or folder>, or openai/<model>.
            prompt: thanos, zero-shot, or a YAML file; by default zero-shot for openai/ and thanos for the rest.
            mode: explain thinks aloud before it chooses; direct chooses at once.
            samples: Average over this many sampled explanations; 1 is greedy.
            max_tokens: Most tokens of an explanation.
            seed: Seeds the samples.
            **engine_options: Fields of `thanos.engines.EngineOptions`, e.g. base_url or adapter.

        Raises:
            ThanosError: for an unknown model string, prompt or option.
        """
        given = {} if max_tokens is None else {"max_tokens": max_tokens}
        self.options = PredictionOptions(mode=mode, samples=samples, seed=seed, **given)
        self.engine: Engine = load_engine(model, **engine_options)
        self.model = self.engine.name
        self.prompt = load_prompt(prompt or ("zero-shot" if model.startswith("openai/") else "thanos"))
        self._responders: dict[str, Responder] = {}

    def predict(self, dialogue: Dialogue | dict | str) -> SkillOfMind:
        """Predict for one dialogue: a `Dialogue`, a row, or text with `Name: words` lines.

        Raises:
            ThanosError: if the dialogue can't be read or the engine fails on it.
        """
        result = next(self.stream([_as_dialogue(dialogue)])).skill_of_mind
        if result.error:
            raise ThanosError(result.error)
        return result

    def predict_many(self, dialogues: Iterable[Dialogue | dict | str]) -> Iterator[SkillOfMind]:
        """Predict for many, in their order and in constant memory; a row that fails has `error` set."""
        for prediction in in_order(self.stream(map(_as_dialogue, dialogues))):
            yield prediction.skill_of_mind

    def trace(self, dialogue: Dialogue | dict | str) -> list[SkillOfMind]:
        """The skill-of-mind after every turn: item i is what the next speaker thinks after the first i + 1 turns."""
        whole = _as_dialogue(dialogue)
        return list(self.predict_many(whole.prefix(n) for n in range(1, len(whole.turns) + 1)))

    def respond(
        self,
        dialogue: Dialogue | dict | str,
        responder: str | Responder = "embedded/base",
        speaker: str | None = None,
    ) -> Reply:
        """Plan, then speak: predict the next speaker's skill-of-mind and let a chat model answer with it.

        Args:
            responder: A model string, whose model is loaded when first needed and kept, or a `Responder`.
            speaker: Who answers; by default `thanos.respond.next_speaker`.

        Raises:
            ThanosError: if the dialogue can't be read, nobody can be said to speak next, or a model fails.
        """
        dialogue = _as_dialogue(dialogue)
        if isinstance(responder, str):
            if responder not in self._responders:
                self._responders[responder] = self.responder(responder)
            responder = self._responders[responder]
        thought = None if responder.arm == "plain" else self.predict(dialogue)
        return responder.respond(dialogue, thought, speaker)

    def responder(self, model: str = "embedded/base", **options: Any) -> Responder:
        """A `Responder`, on this object's engine where both are the same local model, so that it's loaded once.

        Args:
            model: A model string.
            **options: Other arguments of `Responder`.
        """
        shared = model == self.model and not model.startswith("openai/")
        return Responder(model, **options, engine=self.engine if shared else None)

    def stream(self, dialogues: Iterable[Dialogue]) -> Iterator[Prediction]:
        """Predict as results come in; order may change, `index` tells. Holds only what the engine has in hand."""
        pending: dict[int, _Pending] = {}
        rejected: deque[Prediction] = deque()
        for generation in self.engine.generate(self._requests(dialogues, pending, rejected)):
            yield from _drain(rejected)
            index = generation.key[0]
            case = pending[index]
            case.generations.append(generation)
            if len(case.generations) == self.options.samples:
                del pending[index]
                yield self._finish(index, case)
        yield from _drain(rejected)

    def close(self) -> None:
        """Free the engine, and those of the responders that `respond` loaded."""
        for responder in self._responders.values():
            responder.close()
        self.engine.close()

    def __enter__(self) -> "Thanos":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _requests(
        self, dialogues: Iterable[Dialogue], pending: dict[int, "_Pending"], rejected: deque[Prediction]
    ) -> Iterator[Request]:
        for index, dialogue in enumerate(dialogues):
            try:
                fitted = fit_dialogue(dialogue, self.prompt, self.engine, self.options)
            except ThanosError as error:
                rejected.append(Prediction(index, dialogue, SkillOfMind(error=str(error))))
                continue
            pending[index] = _Pending(dialogue, fitted.truncated, [])
            yield from requests_for(index, fitted, self.options)

    def _finish(self, index: int, case: "_Pending") -> Prediction:
        generations = sorted(case.generations, key=lambda g: g.key)
        samples = [read_generation(generation, self.options) for generation in generations]
        usage = sum((generation.usage for generation in generations), Usage())
        result = samples[0] if len(samples) == 1 else vote(samples)
        return Prediction(index, case.dialogue, result, case.truncated, usage)


def in_order(results: Iterable[Indexed]) -> Iterator[Indexed]:
    """The same results (whatever has an `index`) in the order of their dialogues; holds back what comes early."""
    waiting: dict[int, Indexed] = {}
    due = 0
    for result in results:
        waiting[result.index] = result
        while due in waiting:
            yield waiting.pop(due)
            due += 1


@dataclass
class _Pending:
    dialogue: Dialogue
    truncated: dict[str, int] | None
    generations: list[Generation]


def _drain(rejected: deque[Prediction]) -> Iterator[Prediction]:
    while rejected:
        yield rejected.popleft()


def _as_dialogue(dialogue: Dialogue | dict | str) -> Dialogue:
    if isinstance(dialogue, Dialogue):
        return dialogue
    return dialogue_from_text(dialogue) if isinstance(dialogue, str) else dialogue_from_row(dialogue)
