"""Work that arrives together is done together: one thread feeds an engine with all that waits."""

import asyncio
import queue
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from thanos.errors import ThanosError

Item = TypeVar("Item")
Result = TypeVar("Result")

GATHER_SECONDS = 0.005
"""After the first item, this long for others that were sent at the same moment: little beside any model's work."""


class Batcher(Generic[Item, Result]):
    """Awaitable front of a blocking function that works best on many items."""

    def __init__(
        self,
        run: Callable[[Iterable[Item]], Iterator[tuple[int, Result]]],
        threads: int = 1,
        on_batch: Callable[[int], None] = lambda rows: None,
    ):
        """Start the threads.

        Args:
            run: Takes items as long as it has room and yields (place of the item, result) in any order. It never waits
                for an item: the supply ends when nothing is waiting.
            threads: 1 for weights in this process, whose rows are computed together; more for a server elsewhere, each
                of whose requests has its own time (every thread then takes one item).
            on_batch: Told the number of items of each call of `run`.
        """
        self._run, self._on_batch = run, on_batch
        self._alone = threads > 1
        self._queue: queue.SimpleQueue[_Wish | None] = queue.SimpleQueue()
        self._threads = [threading.Thread(target=self._work, daemon=True) for _ in range(threads)]
        for thread in self._threads:
            thread.start()

    async def submit(self, item: Item) -> Result:
        """Have one item done. Cancelled while it waits, it is never begun.

        Raises:
            ThanosError: if the engine fails.
        """
        wish = _Wish(item)
        self._queue.put(wish)
        return await asyncio.wrap_future(wish.future)

    def close(self, seconds: float = 5.0) -> None:
        """Finish what is begun, within a time, and end the threads."""
        for _ in self._threads:
            self._queue.put(None)
        until = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))

    def _work(self) -> None:
        while wish := self._queue.get():
            if wish.future.set_running_or_notify_cancel():
                self._do(wish)

    def _do(self, first: "_Wish") -> None:
        taken: list[_Wish] = []
        try:
            for place, result in self._run(self._supply(first, taken)):
                taken[place].future.set_result(result)
        except ThanosError as error:  # concerns them all
            _fail(taken, error)
        except Exception as error:
            left = [wish for wish in taken if not wish.future.done()]
            if len(taken) == 1:
                _fail(left, error)
            else:  # one that the engine stumbles over mustn't take the others with it
                for wish in left:
                    self._do_alone(wish)
        finally:
            _fail(taken, RuntimeError("no result"))
            self._on_batch(len(taken))

    def _do_alone(self, wish: "_Wish") -> None:
        try:
            for _, result in self._run([wish.item]):
                wish.future.set_result(result)
        except Exception as error:
            _fail([wish], error)

    def _supply(self, first: "_Wish", taken: list["_Wish"]) -> Iterator[Any]:
        taken.append(first)
        yield first.item
        if self._alone:
            return
        time.sleep(GATHER_SECONDS)
        while True:
            try:
                wish = self._queue.get_nowait()
            except queue.Empty:
                return
            if wish is None:
                self._queue.put(None)
                return
            if wish.future.set_running_or_notify_cancel():
                taken.append(wish)
                yield wish.item


@dataclass
class _Wish:
    item: Any
    future: Future = field(default_factory=Future)


def _fail(wishes: list[_Wish], error: Exception) -> None:
    for wish in wishes:
        if not wish.future.done():
            wish.future.set_exception(error)
