"""A progress bar for people: on a terminal only, on standard error, so that output can be piped."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn
from rich.text import Text


class RateColumn(TextColumn):
    """Rows per second or minute."""

    def __init__(self) -> None:
        super().__init__("")

    def render(self, task) -> Text:
        if not task.speed:
            return Text("")
        per_second = task.speed
        return Text(f"{per_second:.1f}/s" if per_second >= 1 else f"{60 * per_second:.1f}/min", style="cyan")


@contextmanager
def progress_bar(label: str, total: int | None, done: int = 0) -> Iterator[Callable[[], None]]:
    """Show a bar and yield the function that moves it on by one row. Silent where standard error isn't a terminal.

    Args:
        label: What is being done.
        total: Rows in all, or None if that isn't known.
        done: Rows that an earlier run finished.
    """
    console = Console(stderr=True)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        TaskProgressColumn(),
        MofNCompleteColumn(),
        RateColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console, disable=not console.is_terminal) as progress:
        task = progress.add_task(label, total=total, completed=done)
        yield lambda: progress.advance(task)


def count_lines(path: str) -> int | None:
    """Lines of a file, for the bar's total; None for standard input and other streams that can be read only once."""
    if path == "-" or not Path(path).is_file():
        return None
    with Path(path).open("rb") as file:
        return sum(block.count(b"\n") for block in iter(lambda: file.read(1 << 20), b"")) or 1
