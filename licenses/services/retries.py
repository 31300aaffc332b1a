"""Doing again what lost against another transaction through nobody's fault: deadlocks, serialization, a busy SQLite."""

import logging
import secrets
import time
from collections.abc import Callable
from typing import TypeVar

from django.db import Error, IntegrityError, OperationalError, connection

ATTEMPTS = 5
FIRST_PAUSE = 0.02  # seconds; twice as long each time, and half of it by chance, so that the same two do not meet again
PATIENCE = 10.0  # seconds after which no further attempt begins: somebody waits for the answer
UNHURRIED = 120.0  # the same, for a command that nobody waits for
LOST = {
    "40001": "its transaction could not be serialized",
    "40P01": "it was chosen to end a deadlock",
    "23503": "what it refers to was deleted meanwhile",  # the next attempt sees that
    "23505": "another has stored the same meanwhile",
}
BUSY = "is locked"  # SQLite: another process has been writing for longer than the busy timeout

T = TypeVar("T")
logger = logging.getLogger(__name__)


def retried(work: Callable[[], T], *, patience: float = PATIENCE) -> T:
    """What `work` gives, tried again where it lost against another transaction; the last failure is raised.

    `work` has one transaction, and no effect outside of the database before that is committed. Inside of a transaction
    it is tried once: only the outermost can be begun again.
    """
    began, attempt = time.monotonic(), 1
    while True:
        try:
            return work()
        except (OperationalError, IntegrityError) as error:
            reason = why_lost(error)
            in_time = attempt < ATTEMPTS and time.monotonic() - began < patience
            if not reason or not in_time or connection.in_atomic_block:
                raise
            logger.warning("A change is tried again (attempt %s of %s): %s", attempt + 1, ATTEMPTS, reason)
        pause = FIRST_PAUSE * 2 ** (attempt - 1)
        time.sleep(pause * (50 + secrets.randbelow(51)) / 100)
        attempt += 1


def why_lost(error: BaseException) -> str:
    """Why the database gave the transaction up although nothing is wrong with it; empty when something is."""
    if not isinstance(error, Error):
        return ""
    if connection.vendor == "sqlite":
        return str(error) if isinstance(error, OperationalError) and BUSY in str(error) else ""
    return LOST.get(getattr(error.__cause__, "sqlstate", None) or "", "")
