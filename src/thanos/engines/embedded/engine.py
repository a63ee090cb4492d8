"""embedded: the small model that runs right after installation, on a CPU."""

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer

from thanos.engines.chat_tokens import defuse
from thanos.engines.choice_trie import ChoiceTrie
from thanos.engines.embedded.decode import Decoder, Job
from thanos.engines.embedded.model_file import model_path
from thanos.engines.embedded.session import Cache, Session
from thanos.engines.embedded.tuning import SHIPPED, Tuning
from thanos.engines.free_part import cut_before_lead
from thanos.engines.protocol import Choices, Generation, Request, Usage
from thanos.errors import EngineError
from thanos.prompts import Message

WINDOW = 2048
"""Tokens of context: longer dialogues are cut."""
ROWS = 16
"""Prompts decoded together; more gain little, since reading the cache is what takes the time."""
CACHED_TOKENS = 16_384
"""Most tokens of cache in all, 0.75 GB: with very long prompts fewer rows are decoded together."""
REQUESTS_IN_HAND = 4
"""Windows of this many times the rows are sorted by length together."""
CHOICE_ROOM = 32
"""Tokens that the lead and a name take at most."""
LOOK_BACK = 16
"""Tokens at the end of a text in which the lead is looked for."""
HALF_CHARACTER = "\ufffd"
"""What a text ends with whose last character takes more tokens."""
BEGIN, END = "<|im_start|>", "<|im_end|>"
"""ChatML, the base's chat template."""


@dataclass
class _Asked:
    """A request on its way through the decoder."""

    request: Request
    scores: dict[str, float] | None = None
    """What the skill head said after the prompt."""


class EmbeddedEngine:
    """A tuned SmolLM2-135M-Instruct in 8 bits on onnxruntime.

    The tuned model plans first: a linear head on the state after the prompt gives the probability of each skill. The
    most probable one is put before the explanation, unseen by the reader, so that the words go with the skill. The
    base weights are fetched and the model is built at first use; then it works offline.
    """

    def __init__(self, variant: str = "", adapter: str | None = None, batch_size: int | None = None):
        """Load the model.

        Args:
            variant: "base" for the untuned base; nothing for the default model.
            adapter: A tuning file that `thanos export --to embedded` wrote, instead of the one that ships.
            batch_size: Prompts decoded together.

        Raises:
            EngineError: if the base weights can't be fetched, or the tuning file isn't one.
        """
        if variant and adapter:
            raise EngineError("embedded/base takes no adapter: leave out /base")
        self.name = f"embedded/{variant}" if variant else "embedded"
        self.context_window = WINDOW
        tuning = None if variant else Tuning(Path(adapter) if adapter else SHIPPED)
        self._head = tuning and tuning.head
        graph, tokenizer = model_path(tuning)
        self._tokenizer = Tokenizer.from_file(str(tokenizer))
        self._session = Session(graph, threads=_cores())
        self._end = self._tokenizer.token_to_id(END)
        self._special = [token.content for token in self._tokenizer.get_added_tokens_decoder().values()]
        self._decoder = Decoder(self._session, self._end)
        self._rows = batch_size or ROWS
        self._cache: Cache | None = None
        self._tries: dict[Choices, ChoiceTrie] = {}

    def count_tokens(self, messages: list[Message]) -> int:
        """Exact number of tokens, chat template included."""
        return len(self._encode_chat(messages))

    def generate(self, requests: Iterable[Request]) -> Iterator[Generation]:
        """Decode `batch_size` prompts together; results come as texts end."""
        requests = iter(requests)
        while window := list(islice(requests, self._rows * REQUESTS_IN_HAND)):
            jobs = [self._job(request) for request in window]
            jobs.sort(key=lambda job: -len(job.prompt))
            cache = self._room_for(max(len(job.prompt) + job.budget for job in jobs) + CHOICE_ROOM, len(jobs))
            self._decoder.keep_head([job.prompt for job in jobs], cache)
            for job in self._decoder.run(jobs, cache, self._plan):
                yield self._finish(job, cache)

    def stream(self, request: Request) -> Iterator[str]:
        """Write one text piece by piece; see `StreamingEngine`."""
        job = self._job(replace(request, choices=None))
        cache = self._room_for(len(job.prompt) + job.budget, 1)
        shown = ""
        for _ in self._decoder.steps(job, cache):
            text = self._decode(job.written).lstrip()
            if not text.endswith(HALF_CHARACTER):
                yield text[len(shown) :]
                shown = text

    def score(
        self, requests: Iterable[Request], continuations: Iterable[Sequence[str]]
    ) -> Iterator[tuple[Any, list[float]]]:
        """Log-probabilities of continuations; see `ScoringEngine`."""
        for request, texts in zip(requests, continuations, strict=True):
            ends = [tuple(self._ids(text)) for text in texts]
            prompt = self._encode_chat(request.messages)
            cache = self._room_for(len(prompt) + sum(map(len, ends)), 1)
            cache.used[0] = 0
            self._session.run(cache, 0, np.array([prompt[:-1]]))
            logits, _ = self._session.run_tree(cache, 0, prompt[-1:], [end[:-1] for end in ends])
            log_p = {path: _log_softmax(row) for path, row in logits.items()}
            yield request.key, [sum(float(log_p[end[:i]][token]) for i, token in enumerate(end)) for end in ends]

    def close(self) -> None:
        """Free the model and its cache."""
        self._cache = None
        del self._session, self._decoder

    def _job(self, request: Request) -> Job:
        generator = np.random.default_rng(request.seed)
        return Job(
            item=_Asked(request),
            prompt=self._encode_chat(request.messages),
            budget=request.max_tokens,
            pick=partial(_pick, request, generator),
            done=partial(self._shows, request.choices.lead) if request.choices else lambda _: False,
        )

    def _plan(self, job: Job, hidden: np.ndarray) -> list[int]:
        """Let the head choose the skill; its name and a line break go before the explanation."""
        asked: _Asked = job.item
        choices = asked.request.choices
        if self._head is None or choices is None or choices.names != self._head.names:
            return []
        asked.scores = self._head.probabilities(hidden)
        return self._ids(f"{max(asked.scores, key=asked.scores.get)}\n") if job.budget else []

    def _shows(self, lead: str, written: list[int]) -> bool:
        return lead in self._decode(written[-LOOK_BACK:])

    def _finish(self, job: Job, cache: Cache) -> Generation:
        asked: _Asked = job.item
        request = asked.request
        usage = Usage(len(job.prompt), len(job.written))
        if request.choices is None:
            return Generation(request.key, text=self._decode(job.written).strip(), usage=usage)
        free, text = cut_before_lead(job.written, self._decode, request.choices.lead)
        scores = asked.scores or self._weigh(job, free, request.choices, cache)
        return Generation(request.key, text=text, choice=max(scores, key=scores.get), scores=scores, usage=usage)

    def _weigh(self, job: Job, free: list[int], choices: Choices, cache: Cache) -> dict[str, float]:
        """Probability of each choice after the free part, on what the cache holds of it."""
        unfed = job.unfed if len(free) == len(job.written) else []
        cache.used[job.row] = len(job.prompt) + len(free) - len(unfed)
        trunk = unfed + self._ids(f" {choices.lead}" if free else choices.lead)
        if choices not in self._tries:
            self._tries[choices] = ChoiceTrie([self._ids(f" {name}") for name in choices.names], self._end)
        trie = self._tries[choices]
        logits, _ = self._session.run_tree(cache, job.row, trunk, trie.branches)
        return dict(zip(choices.names, trie.probabilities(logits), strict=True))

    def _room_for(self, length: int, jobs: int) -> Cache:
        """A cache for prompts of up to `length` tokens: the one at hand if it serves."""
        length = -(-length // 256) * 256
        rows = max(1, min(self._rows, jobs, CACHED_TOKENS // length))
        have = self._cache
        if have is None or have.data.shape[3] < length or len(have.used) != rows:
            self._cache = None  # its memory is free before the next one's is taken
            self._cache = self._session.cache(rows, length)
        return self._cache

    def _encode_chat(self, messages: list[Message]) -> list[int]:
        texts = [f"{BEGIN}{m['role']}\n{defuse(m['content'], self._special)}{END}\n" for m in messages]
        return self._ids("".join(texts) + f"{BEGIN}assistant\n")

    def _ids(self, text: str) -> list[int]:
        return self._tokenizer.encode(text, add_special_tokens=False).ids

    def _decode(self, ids: Sequence[int]) -> str:
        return self._tokenizer.decode(list(ids), skip_special_tokens=True)


def _pick(request: Request, generator: np.random.Generator, logits: np.ndarray) -> int:
    """The next token: greedy, or drawn with the request's own generator."""
    if request.temperature == 0:
        return int(logits.argmax())
    p = np.exp(_log_softmax(logits / request.temperature).astype(np.float64))
    if request.top_p < 1:
        order = np.argsort(-p)
        beyond = np.cumsum(p[order]) - p[order] > request.top_p
        p[order[beyond]] = 0.0
    return int(generator.choice(len(p), p=p / p.sum()))


def _log_softmax(logits: np.ndarray) -> np.ndarray:
    peak = logits.max()
    return logits - peak - np.log(np.exp(logits - peak).sum())


def _cores() -> int:
    """Cores that this process may use, at most 8: a small model gains nothing from more."""
    available = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, min(8, available))
