"""A worker's side of services/workers.py, and how it learns that it is no longer wanted."""

import contextlib
import os
import select
import sys
import time

from django.db import DatabaseError, InterfaceError

from licenses.services.workers import forget_worker, see_worker, worker_name

SEE_EVERY = 5.0  # seconds
WAITING = "Waiting for work"


class Presence:
    """Says what this worker does to whoever looks at the health page; a write every few seconds at most."""

    def __init__(self) -> None:
        self.name = worker_name()
        self.said_at: float | None = None

    def say(self, doing: str) -> None:
        now = time.monotonic()
        if self.said_at is None or now - self.said_at >= SEE_EVERY:
            see_worker(name=self.name, doing=doing, is_new=self.said_at is None)
            self.said_at = now

    def end(self) -> None:
        """Take the row away; if the database is away instead, the row tells of it until it is forgotten."""
        with contextlib.suppress(DatabaseError, InterfaceError):
            forget_worker(name=self.name)


def input_ended() -> bool:
    """Whether the other end of standard input is closed, as it is when the process that held it is gone."""
    ready, _, _ = select.select([sys.stdin], [], [], 0)
    return bool(ready) and os.read(sys.stdin.fileno(), 4096) == b""
