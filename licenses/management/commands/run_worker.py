"""Do what the portal has promised to do later: queued assignments, their delivery, bulk assignments."""

import logging
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from functools import partial
from typing import Any

from django.core.management.base import CommandParser
from django.db import InterfaceError, OperationalError, close_old_connections, connection

from licenses.management.base import PortalCommand
from licenses.management.bulk import stop_requests
from licenses.management.presence import WAITING, Presence, input_ended
from licenses.services.assignment_jobs import forget_old_files
from licenses.services.assignment_work import work_on_next_assignment
from licenses.services.figures import keep_figures
from licenses.services.idempotency import forget_old_answers
from licenses.services.queued_assignments import work_on_next
from licenses.services.refused_calls import forget_old_refusals
from licenses.services.staff import forget_ended_sessions
from licenses.services.throttles import forget_empty_buckets
from licenses.services.workers import forget_lost_workers

logger = logging.getLogger(__name__)

PAUSE = 1.0  # seconds between two looks when nothing is due
PAUSE_WITHOUT_DATABASE = 5.0
TIDY_EVERY = timedelta(minutes=10)
COUNT_EVERY = timedelta(minutes=1)


class Command(PortalCommand):
    help = (
        "Do what the portal has promised to do later: assign the license keys of random-assign-license-keys-queued "
        "and post each result to the shop that asked; check, run and undo the files that staff upload. It runs until "
        "it is stopped (Ctrl-C, SIGTERM), and then ends "
        "after what it is doing just now. Several may run at once, on one machine or on many. Exit code: 0."
    )
    examples = """\
  manage.py run_worker
  manage.py run_worker --once
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="Do what is due now, and end.")
        parser.add_argument(
            "--until-input-ends",
            action="store_true",
            help="End also when standard input ends: for a worker that a server starts beside itself.",
        )

    def handle(self, *args: Any, once: bool, until_input_ends: bool, **options: Any) -> None:
        self.done: Counter[str] = Counter()
        self.tidied_at = self.counted_at = -TIDY_EVERY.total_seconds()
        self.presence = Presence()
        self.prefix = "worker: " if until_input_ends else ""  # among the lines of a server
        with stop_requests() as asked_to_stop:
            try:
                self.run(once, lambda: asked_to_stop() or (until_input_ends and input_ended()))
            finally:
                self.presence.end()
        self.say("Done: " + (", ".join(f"{count:,} {word}" for word, count in self.done.items()) or "nothing was due"))

    def say(self, text: str) -> None:
        super().say(self.prefix + text)

    def run(self, once: bool, must_stop: Callable[[], bool]) -> None:
        if once:
            self.work(must_stop)
        else:
            advice = "" if self.prefix else " Ctrl-C ends the worker."
            self.say(f"Waiting for queued assignments.{advice}")
            self.work_until_stopped(must_stop)

    def work_until_stopped(self, must_stop: Callable[[], bool]) -> None:
        """Whatever happens to one piece of work, and while the database is away, the worker stays."""
        while not must_stop():
            pause = PAUSE
            try:
                self.work(must_stop)
                close_old_connections()
            except (OperationalError, InterfaceError) as error:
                self.say(f"The database does not serve, trying again in {PAUSE_WITHOUT_DATABASE:.0f} s: {error}")
                connection.close()
                pause = PAUSE_WITHOUT_DATABASE
            except Exception:
                logger.exception("What is due could not be worked on")
            wait(pause, must_stop)

    def work(self, must_stop: Callable[[], bool]) -> None:
        """All that is due, then what the first page shows, then some tidying."""
        self.presence.say(WAITING)
        self.work_on_queue(must_stop)
        while not must_stop() and (assignment := work_on_next_assignment(between=partial(self.between, must_stop))):
            assignment.refresh_from_db()
            self.done["bulk assignments"] += 1
            self.say(f"Bulk assignment {assignment.pk} ({assignment}): {assignment.get_state_display().lower()}")
        if not must_stop() and time.monotonic() - self.counted_at >= COUNT_EVERY.total_seconds():
            self.counted_at = time.monotonic()
            keep_figures(must_stop)
        if not must_stop() and time.monotonic() - self.tidied_at >= TIDY_EVERY.total_seconds():
            self.tidied_at = time.monotonic()
            forget_old_answers()
            forget_empty_buckets()
            forget_ended_sessions()
            forget_lost_workers()
            forget_old_refusals()
            forget_old_files()

    def between(self, must_stop: Callable[[], bool]) -> bool:
        """What is due does not wait for the end of a bulk assignment."""
        self.work_on_queue(must_stop)
        self.presence.say("Bulk assignments")
        return must_stop()

    def work_on_queue(self, must_stop: Callable[[], bool]) -> None:
        while not must_stop() and (worked := work_on_next(actor=self.actor)):
            queued, step = worked
            self.presence.say("Queued assignments")
            self.done[step.value] += 1
            self.say(f"Queued assignment {queued.pk} ({queued}): {step.value}")


def wait(seconds: float, must_stop: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + seconds
    while not must_stop() and time.monotonic() < ends_at:
        time.sleep(0.1)
