"""Many rows, a few at a time."""

import time
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

from django.db import connection

PAUSE = 0.025  # seconds

T = TypeVar("T")


def batched(rows: Iterable[T], size: int) -> Iterator[list[T]]:
    iterator = iter(rows)
    while batch := list(islice(iterator, size)):
        yield batch


def give_way() -> None:
    """SQLite has one writer at a time and no queue for it: without a pause, the portal's requests would go hungry."""
    if connection.vendor == "sqlite":
        time.sleep(PAUSE)
