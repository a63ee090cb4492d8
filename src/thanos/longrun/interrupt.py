"""Ctrl-C without loss: the first one stops the supply of new rows, the second stops at once."""

import signal
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")


class Stop:
    """Whether the user asked to stop."""

    def __init__(self) -> None:
        self.asked = False

    def until(self, items: Iterable[T]) -> Iterator[T]:
        """The items up to the moment when the user asks to stop; what is in hand by then is still finished."""
        for item in items:
            if self.asked:
                return
            yield item


@contextmanager
def graceful_stop() -> Iterator[Stop]:
    """Catch the first Ctrl-C while the block runs (in the main thread; elsewhere nothing is changed)."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return

    def handle(*_: object) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    before = signal.signal(signal.SIGINT, handle)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
