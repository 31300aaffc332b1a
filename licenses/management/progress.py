"""How far a long command is: a bar on a terminal, else a line now and then."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from licenses.management.base import PortalCommand

PLAIN_LINE_EVERY = 5.0  # seconds between two lines of progress where there is no terminal


@contextmanager
def progress(command: PortalCommand, total: int, noun: str) -> Iterator[Callable[[int], None]]:
    """A function that shows how many of `total` are done."""
    if command.stderr.isatty():
        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        with Progress(*columns, console=Console(stderr=True)) as bar:
            task = bar.add_task(noun, total=total)
            yield lambda done: bar.update(task, completed=done)
    else:
        yield _plain_progress(command, total, noun)


def _plain_progress(command: PortalCommand, total: int, noun: str) -> Callable[[int], None]:
    shown_at = time.monotonic()

    def show(done: int) -> None:
        nonlocal shown_at
        if time.monotonic() - shown_at >= PLAIN_LINE_EVERY:
            shown_at = time.monotonic()
            command.say(f"{done:,} of {total:,} {noun}")

    return show
