"""Annotate a file through an endpoint: many requests at a time, failed ones again, nothing lost and nothing twice."""

import asyncio
import heapq
import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from thanos.annotate.answer import Annotation, annotated_row, read_answer
from thanos.annotate.cost import Budget, SpentFile, usage_row
from thanos.annotate.endpoint import Endpoint, Reply, TryAgainError
from thanos.data.next_turn import NextTurn, read_next_turn
from thanos.dialogue import Row
from thanos.engines.protocol import Usage
from thanos.errors import EngineError, ThanosError
from thanos.longrun import Journal, Stop

FIRST_WAIT, LONGEST_WAIT = 0.25, 60.0
"""Seconds before the second try; each further one waits twice as long, less up to a quarter at random.

After an answer that is merely of no use the next try follows at once."""
LONG_PAUSE = 1.0
"""A server that asks for a longer wait (in seconds) than this means everybody: no request is sent until then."""
WAITING_PER_WORKER = 4
"""No new row is begun while so many wait for another try: then the server is in trouble, and memory is finite."""
_TICK = 0.02


@dataclass
class LiveTally:
    """What a run did."""

    annotated: int = 0
    failed: int = 0
    retried: int = 0
    usage: Usage = field(default_factory=Usage)
    errors: list[tuple[int, str]] = field(default_factory=list)
    """(line, reason) of the first failures."""
    out_of_money: bool = False
    """Stopped because the next request could have overrun the budget."""


@dataclass(order=True)
class _Job:
    due: float
    line: int
    turn: NextTurn = field(compare=False)
    attempt: int = field(default=0, compare=False)


class LiveRun:
    """One run over a file's rows."""

    def __init__(
        self,
        endpoint: Endpoint,
        journal: Journal,
        budget: Budget,
        stop: Stop,
        advance: Callable[[], None] = lambda: None,
        concurrency: int = 64,
        retries: int = 8,
    ):
        """Nothing is sent before `run`."""
        self._endpoint, self._journal, self._budget, self._stop = endpoint, journal, budget, stop
        self._advance, self._concurrency, self._retries = advance, concurrency, retries
        self._spent = SpentFile(journal.path)
        self._waiting: list[_Job] = []
        self._flying = 0
        self._exhausted = False
        self._paused_until = 0.0
        self._fatal: EngineError | None = None
        self._rng = random.Random(0)
        self.tally = LiveTally()

    async def run(self, rows: Iterator[Row]) -> LiveTally:
        """Annotate all rows that the journal doesn't hold.

        Raises:
            EngineError: for what concerns all requests, after those in flight are written.
        """
        self._rows = self._due(rows)
        try:
            await asyncio.gather(*(self._work() for _ in range(self._concurrency)))
        finally:
            await self._endpoint.close()
        if self._fatal:
            raise self._fatal
        return self.tally

    async def _work(self) -> None:
        while not self._is_over():
            taken = self._take()
            if taken is None:
                await asyncio.sleep(_TICK)
                continue
            self._flying += 1
            try:
                await self._do(*taken)
            finally:
                self._flying -= 1

    def _is_over(self) -> bool:
        if self._fatal or self._stop.asked or self.tally.out_of_money:
            return True
        return self._exhausted and not self._waiting and not self._flying

    def _take(self) -> tuple[_Job, float] | None:
        """What may be sent now, and the money set aside for it: another try that is due, or else a new row."""
        now = time.monotonic()
        if now < self._paused_until:
            return None
        if not self._waiting or self._waiting[0].due > now:
            if self._exhausted or len(self._waiting) >= WAITING_PER_WORKER * self._concurrency:
                return None
            job = next(self._rows, None)
            if job is None:
                self._exhausted = True
                return None
            heapq.heappush(self._waiting, job)
        reserved = self._budget.reserve(self._waiting[0].turn)
        if reserved is None:
            # What flies may come to less than was set aside for it; if nothing flies, the money is at its end.
            self.tally.out_of_money = self._flying == 0
            return None
        return heapq.heappop(self._waiting), reserved

    def _due(self, rows: Iterator[Row]) -> Iterator[_Job]:
        for row in rows:
            if row.dialogue is None:
                self._fail(row.line, None, row.error)
                continue
            if self._journal.holds(row.line, row.dialogue.id):
                continue
            try:
                turn = read_next_turn(row.dialogue)
            except ThanosError as error:
                self._fail(row.line, row.dialogue.id, str(error))
                continue
            yield _Job(0.0, row.line, turn)

    async def _do(self, job: _Job, reserved: float) -> None:
        usage = Usage()
        try:
            reply = await self._endpoint.ask(job.turn, job.attempt)
            usage = reply.usage
            annotation = _read(reply)
        except TryAgainError as problem:
            usage = problem.usage
            self._spent.add(job.turn.dialogue.id, str(problem), usage)
            self._again(job, problem)
        except EngineError as problem:
            self._fatal = self._fatal or problem
        except ThanosError as problem:
            self._fail(job.line, job.turn.dialogue.id, str(problem))
        else:
            self._write(job, annotated_row(job.turn, annotation) | {"usage": usage_row(usage)})
        finally:
            self._budget.settle(reserved, usage)
            self.tally.usage += usage

    def _write(self, job: _Job, row: dict[str, Any]) -> None:
        self._journal.append(job.line, job.turn.dialogue.id, row)
        self.tally.annotated += 1
        self._advance()

    def _again(self, job: _Job, problem: TryAgainError) -> None:
        if job.attempt >= self._retries:
            self._fail(job.line, job.turn.dialogue.id, f"{problem} (try {job.attempt + 1})")
            return
        now, wait = time.monotonic(), problem.wait
        pause = (
            0.0 if problem.at_once else min(LONGEST_WAIT, FIRST_WAIT * 2**job.attempt) * (1 - 0.25 * self._rng.random())
        )
        if wait > LONG_PAUSE:
            self._paused_until = max(self._paused_until, now + wait)
        self.tally.retried += 1
        heapq.heappush(self._waiting, _Job(now + max(pause, wait), job.line, job.turn, job.attempt + 1))

    def _fail(self, line: int, id: str | None, reason: str) -> None:
        self._journal.fail(line, id, reason)
        self.tally.failed += 1
        if len(self.tally.errors) < 100:
            self.tally.errors.append((line, reason))
        self._advance()


def _read(reply: Reply) -> Annotation:
    try:
        return read_answer(reply.text)
    except ThanosError as error:  # another try samples anew
        raise TryAgainError(str(error), at_once=True, usage=reply.usage) from None
