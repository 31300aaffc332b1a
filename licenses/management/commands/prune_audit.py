"""Retention: the audit keeps what it must keep, and no longer."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from licenses.management.base import INTERRUPTED, PortalCommand, whole_number
from licenses.management.bulk import stop_requests
from licenses.management.progress import progress
from licenses.services.audit_retention import Old, find_old, prune_audit

LONGEST = 36_525  # days


class Command(PortalCommand):
    help = (
        "Delete the audit events that are older than so many days, at least 30. They go from the beginning of the "
        "chain, in batches; each batch leaves one event that says so under seal, and verify_audit goes on to accept "
        "the rest. A chain that is broken stays as it is. Ctrl-C stops after the batch; the same command does the "
        "rest. Exit code: 0 done, 2 nothing could be done, 130 stopped in the middle."
    )
    examples = """\
  manage.py prune_audit --older-than 730 --dry-run
  manage.py prune_audit --older-than 730
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--older-than",
            type=whole_number(0, LONGEST),
            required=True,
            metavar="DAYS",
            help="Delete events that are more than so many days old, at least 30.",
        )
        parser.add_argument("--dry-run", action="store_true", help="Say what would be deleted, and delete nothing.")

    def handle(self, *args: Any, older_than: int, dry_run: bool, **options: Any) -> None:
        old = find_old(older_than=older_than)
        if dry_run:
            self.stdout.write(f"{old.events:,} events from before {old.before:%Y-%m-%d %H:%M} would be deleted")
        else:
            self.prune(old)

    def prune(self, old: Old) -> None:
        with progress(self, old.events, "events") as show, stop_requests() as must_stop:
            deleted = prune_audit(before=old.before, actor=self.actor, show=show, must_stop=must_stop)
        text = f"{deleted:,} events from before {old.before:%Y-%m-%d %H:%M} deleted"
        if deleted < old.events:
            raise CommandError(
                f"Stopped: {text}, of {old.events:,}. Run the same command again to do the rest.",
                returncode=INTERRUPTED,
            )
        self.stdout.write(text)
