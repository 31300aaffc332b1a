"""What a check says: lines with a state, a value and what to do; and how times and sizes are said in it."""

import logging
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from django.db import connection, transaction
from django.utils import timezone

logger = logging.getLogger(__name__)


class State(StrEnum):
    """Values are the tones of badges. PLAIN is a fact that can be neither right nor wrong."""

    GOOD = "good"
    WARN = "warn"
    BAD = "bad"
    PLAIN = "quiet"

    @property
    def word(self) -> str:
        return {"good": "Fine", "warn": "Attention", "bad": "Broken", "quiet": "Note"}[self.value]


@dataclass(frozen=True)
class Line:
    """`advice` says what to do; only a line that is good or plain may be without."""

    title: str
    value: str
    state: State = State.GOOD
    advice: str = ""

    @property
    def needs_attention(self) -> bool:
        return self.state in (State.WARN, State.BAD)


@dataclass(frozen=True)
class Section:
    title: str
    lines: list[Line]


Check = Callable[[], Iterator[Line]]


def ask(title: str, check: Check) -> list[Line]:
    """The check's lines, and one that says so if it failed in between: the page is for when something is broken."""
    lines: list[Line] = []
    try:
        with _kept_apart():
            lines.extend(check())
    except Exception as error:  # whatever is broken is what the page is there to show
        logger.exception("The check “%s” of the health page failed", title)
        problem = f"This could not be looked at ({type(error).__name__})."
        lines.append(Line(title, problem, State.BAD, "The portal's log says what happened."))
    return lines


def _kept_apart() -> AbstractContextManager[object]:
    """In a transaction PostgreSQL would refuse everything after the first failure. Else none: SQLite's would lock."""
    return transaction.atomic() if connection.in_atomic_block else nullcontext()


class Stopwatch:
    """`with Stopwatch() as watch: …`, then `watch.ms`."""

    def __enter__(self) -> "Stopwatch":
        self.started_at = time.perf_counter()
        return self

    def __exit__(self, *failure: object) -> None:
        self.ms = (time.perf_counter() - self.started_at) * 1000


def in_ms(milliseconds: float) -> str:
    if milliseconds < 0.1:  # noqa: PLR2004
        return "less than 0.1 ms"
    return f"{milliseconds:.1f} ms" if milliseconds < 10 else f"{milliseconds:,.0f} ms"  # noqa: PLR2004


def span(length: timedelta) -> str:
    """About how long, in the largest unit that fits: 3 seconds, 1 minute, 5 days."""
    seconds = max(0, round(length.total_seconds()))
    for size, unit in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if seconds >= size:
            return plural(seconds // size, unit)
    return plural(seconds, "second")


def ago(at: datetime, now: datetime | None = None) -> str:
    return f"{span((now or timezone.now()) - at)} ago"


def plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def size(number: float) -> str:
    """Bytes, as people say them."""
    for unit in ("bytes", "KB", "MB", "GB"):
        if number < 1024:  # noqa: PLR2004  the step from unit to unit
            return f"{number:,.0f} {unit}" if unit in ("bytes", "KB") or number >= 100 else f"{number:,.1f} {unit}"  # noqa: PLR2004
        number /= 1024
    return f"{number:,.1f} TB"
