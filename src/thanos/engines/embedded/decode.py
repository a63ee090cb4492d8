"""Decoding many prompts at a time; a row that ends makes place for the next prompt at once."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from thanos.engines.embedded.session import Cache, Session

SHORTEST_HEAD = 16
"""Beginnings shorter than this aren't worth keeping."""


@dataclass
class Job:
    """A prompt and what is written for it."""

    item: Any
    """Whatever the caller knows the job by."""
    prompt: Sequence[int]
    budget: int
    """Most tokens to write; 0 only runs the prompt."""
    pick: Callable[[np.ndarray], int]
    """Logits [vocab] -> next token."""
    done: Callable[[list[int]], bool]
    """Told the tokens so far after each one; True ends the text."""
    row: int = -1
    """Its row of the cache while it is in hand; holds the prompt, the plan and every written token but the last."""
    planned: list[int] = field(default_factory=list)
    """Tokens between the prompt and what is written."""
    written: list[int] = field(default_factory=list)
    """Tokens without the end token."""
    unfed: list[int] = field(default_factory=list)
    """The last written token, if it isn't in the cache."""

    def accept(self, logits: np.ndarray, end: int) -> bool:
        """Take the next token; True if the text has ended."""
        if self.budget == 0:
            return True
        token = self.pick(logits)
        if token == end:
            self.unfed = []
            return True
        self.written.append(token)
        self.unfed = [token]
        return len(self.written) >= self.budget or self.done(self.written)


class Decoder:
    """Runs jobs through a session, `rows` at a time."""

    def __init__(self, session: Session, end: int):
        """`end` is the id of the end token."""
        self._session, self._end = session, end
        self._head: tuple[list[int], np.ndarray | None] = ([], None)

    def run(
        self, jobs: Iterable[Job], cache: Cache, plan: Callable[[Job, np.ndarray], Sequence[int]] | None = None
    ) -> Iterator[Job]:
        """Yield jobs as they end, not in order. While the consumer holds a job its row of the cache is untouched.

        Args:
            jobs: Prompts; the cache must have room for each with its budget.
            cache: Rows to work in.
            plan: Told the state [hidden] after a prompt; the tokens that it gives are put before what is written.
        """
        waiting = iter(jobs)
        active: list[Job] = []  # the job at place i lives in row i
        while True:
            while len(active) < len(cache.used) and (job := next(waiting, None)):
                job.row = len(active)
                logits, hidden = self._run_prompt(job, cache)
                job.planned = list(plan(job, hidden)) if plan else []
                if job.planned:
                    logits = self._session.run(cache, job.row, np.array([job.planned]))[0][0]
                if job.accept(logits, self._end):
                    yield job
                else:
                    active.append(job)
            if not active:
                return
            logits, _ = self._session.run(cache, 0, np.array([job.unfed for job in active]))
            ended = [job for job, row in zip(active, logits, strict=True) if job.accept(row, self._end)]
            yield from ended
            for job in sorted(ended, key=lambda job: -job.row):  # close the gaps from the end
                last = active.pop()
                if last is not job:
                    cache.move(last.row, job.row)
                    active[job.row], last.row = last, job.row

    def steps(self, job: Job, cache: Cache) -> Iterator[None]:
        """Run one job by itself in the first row, and stop after every token that it takes."""
        job.row = 0
        logits, _ = self._run_prompt(job, cache)
        while True:
            ended = job.accept(logits, self._end)
            yield
            if ended:
                return
            logits = self._session.run(cache, 0, np.array([job.unfed]))[0][0]

    def keep_head(self, prompts: Sequence[Sequence[int]], cache: Cache) -> None:
        """Run what all prompts begin with once and keep its keys and values for them (and for later calls)."""
        low, high = min(prompts), max(prompts)
        most = min(map(len, prompts)) - 1
        n = next((i for i, (a, b) in enumerate(zip(low, high, strict=False)) if a != b), most)
        head = list(low[: min(n, most)])
        kept = self._head[0]
        if len(prompts) == 1 or len(head) < SHORTEST_HEAD or (kept and head[: len(kept)] == kept):
            return  # one prompt shares nothing with another; a head that is kept and fits serves as well
        cache.used[0] = 0
        self._session.run(cache, 0, np.array([head]))
        self._head = (head, cache.save(0))

    def _run_prompt(self, job: Job, cache: Cache) -> tuple[np.ndarray, np.ndarray]:
        head, saved = self._head
        cache.used[job.row] = 0
        start = 0
        if saved is not None and len(job.prompt) > len(head) and list(job.prompt[: len(head)]) == head:
            cache.load(job.row, saved)
            start = len(head)
        logits, hidden = self._session.run(cache, job.row, np.array([job.prompt[start:]]))
        return logits[0], hidden[0]
