"""Responder: a chat model that answers as the next speaker."""

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from thanos.dialogue import Dialogue
from thanos.engines import load_engine
from thanos.engines.protocol import Engine, Generation, Request, StreamingEngine, Usage
from thanos.errors import ThanosError
from thanos.respond.clean import read_reply, read_stream
from thanos.respond.messages import fit_reply
from thanos.respond.plan import Arm, check_arm, plan_note
from thanos.respond.speaker import next_speaker
from thanos.skills import SkillOfMind

REPLY_TOKENS = 160
"""Room for a reply, about 120 words; the turns of the source dialogues have 15 on average."""
NO_REPLY = "the model wrote no reply"


@dataclass(frozen=True)
class Reply:
    """What the next speaker says, and what it was made from."""

    index: int
    """The dialogue's place in the input, from 0."""
    dialogue: Dialogue
    thought: SkillOfMind | None
    speaker: str
    arm: Arm
    text: str = ""
    """The reply alone."""
    planned: bool = False
    """False if the responder was told nothing: in the arm "plain", or because there was no valid plan."""
    raw: str = ""
    """The model's own text, before names and other speakers' turns were cut off."""
    truncated: dict[str, int] | None = None
    """Turns and characters that had to be left out for the context window; None if all fitted."""
    usage: Usage = field(default_factory=Usage)
    error: str = ""
    """Why there is no reply: one line."""


class Responder:
    """Answers as the next speaker, with or without a skill-of-mind.

    The engine is loaded at once and kept. Use it as a context manager, or call `close`, to free it.
    """

    def __init__(
        self,
        model: str = "embedded/base",
        *,
        arm: Arm = "both",
        max_tokens: int = REPLY_TOKENS,
        temperature: float = 0.0,
        seed: int = 0,
        engine: Engine | None = None,
        **engine_options: Any,
    ):
        """Choose a chat model and what of the skill-of-mind it is told.

        Args:
            model: embedded/base, hf/<id or folder>, vllm/<id or folder>, or openai/<model>.
            arm: plain, skill, explanation or both.
            max_tokens: Most tokens of a reply.
            temperature: 0 is greedy.
            seed: Seeds the sampling of each reply.
            engine: A loaded engine to use instead of `model`; it stays the caller's to close.
            **engine_options: Fields of `thanos.engines.EngineOptions`, e.g. base_url.

        Raises:
            ThanosError: for an unknown model string, arm or option.
        """
        check_arm(arm)
        if max_tokens < 1 or temperature < 0:
            raise ThanosError("max_tokens must be at least 1, temperature at least 0")
        if engine is not None and any(value is not None for value in engine_options.values()):
            raise ThanosError(f"a loaded engine takes no more options: leave {', '.join(engine_options)} out")
        self.arm, self.max_tokens, self.temperature, self.seed = arm, max_tokens, temperature, seed
        self._owns_engine = engine is None
        self.engine: Engine = load_engine(model, **engine_options) if engine is None else engine
        self.model = self.engine.name

    def respond(self, dialogue: Dialogue, thought: SkillOfMind | None = None, speaker: str | None = None) -> Reply:
        """Answer one dialogue.

        Raises:
            ThanosError: if nobody can be said to speak next, or the engine fails on it.
        """
        reply = next(self.respond_many([(dialogue, thought)], speaker))
        if reply.error:
            raise ThanosError(reply.error)
        return reply

    def respond_many(
        self, pairs: Iterable[tuple[Dialogue, SkillOfMind | None]], speaker: str | None = None
    ) -> Iterator[Reply]:
        """Answer as results come in; order may change, `index` tells. Holds only what the engine has in hand.

        Args:
            pairs: Dialogues, each with its next speaker's skill-of-mind or None.
            speaker: Who speaks, in all of them; by default `next_speaker` of each.
        """
        pending: dict[int, Reply] = {}
        rejected: deque[Reply] = deque()
        for generation in self.engine.generate(self._requests(pairs, speaker, pending, rejected)):
            while rejected:
                yield rejected.popleft()
            yield self._finish(pending.pop(generation.key), generation)
        yield from rejected

    def stream(
        self, dialogue: Dialogue, thought: SkillOfMind | None = None, speaker: str | None = None
    ) -> Iterator[str]:
        """Answer one dialogue while the reply is being written; in one piece where the engine can't stream.

        Raises:
            ThanosError: if nobody can be said to speak next, the engine fails on it, or writes no reply.
        """
        if not isinstance(self.engine, StreamingEngine):
            yield self.respond(dialogue, thought, speaker).text
            return
        speaker = speaker or next_speaker(dialogue)
        request, _ = self.request(0, dialogue, thought, speaker)
        empty = True
        for piece in read_stream(self.engine.stream(request), speaker, _others(dialogue, speaker)):
            empty = False
            yield piece
        if empty:
            raise ThanosError(NO_REPLY)

    def close(self) -> None:
        """Free the engine, unless it was the caller's."""
        if self._owns_engine:
            self.engine.close()

    def __enter__(self) -> "Responder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def request(
        self, key: Any, dialogue: Dialogue, thought: SkillOfMind | None, speaker: str
    ) -> tuple[Request, dict[str, int] | None]:
        """The request for one reply, and what had to be left out for the context window.

        Raises:
            ThanosError: if not even the template fits.
        """
        note = plan_note(thought, self.arm)
        fitted = fit_reply(dialogue, speaker, note, self.engine, self.max_tokens)
        request = Request(key, fitted.messages, self.max_tokens, temperature=self.temperature, seed=self.seed)
        return request, fitted.truncated

    def _requests(
        self,
        pairs: Iterable[tuple[Dialogue, SkillOfMind | None]],
        speaker: str | None,
        pending: dict[int, Reply],
        rejected: deque[Reply],
    ) -> Iterator[Request]:
        for index, (dialogue, thought) in enumerate(pairs):
            who = speaker or ""
            try:
                who = who or next_speaker(dialogue)
                request, truncated = self.request(index, dialogue, thought, who)
            except ThanosError as error:
                rejected.append(Reply(index, dialogue, thought, who, self.arm, error=str(error)))
                continue
            planned = bool(plan_note(thought, self.arm))
            pending[index] = Reply(index, dialogue, thought, who, self.arm, planned=planned, truncated=truncated)
            yield request

    def _finish(self, begun: Reply, generation: Generation) -> Reply:
        cut = generation.usage.completion_tokens >= self.max_tokens
        text = read_reply(generation.text, begun.speaker, _others(begun.dialogue, begun.speaker), cut)
        error = generation.error or ("" if text else NO_REPLY)
        return replace(begun, text=text, raw=generation.text, usage=generation.usage, error=error)


def _others(dialogue: Dialogue, speaker: str) -> list[str]:
    return sorted({turn.speaker for turn in dialogue.turns} - {speaker})
