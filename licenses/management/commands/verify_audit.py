"""Is the audit what was recorded? One answer for people and for cron."""

from typing import Any

from django.core.management.base import CommandError, CommandParser

from licenses.management.base import REFUSED, PortalCommand
from licenses.management.progress import progress
from licenses.services.audit_verification import Late, Verification, events_to_verify, verify_audit


class Command(PortalCommand):
    help = (
        "Read the whole audit trail and check that no event was altered, removed or moved: each one is linked to the "
        "one before it under a key that is not in the database. Prints how many there are and where the chain ends; "
        "note that elsewhere, and a later run with --contains shows whether the chain was cut off and begun anew. "
        "Exit code: 0 unbroken, 1 with problems, each of which is named, 2 when nothing could be checked."
    )
    examples = """\
  manage.py verify_audit
  manage.py verify_audit --contains 118:3f2a57c09b1e4d68
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--contains", metavar="HEAD", default="", help="The head that an earlier run has printed, like 118:3f2a…"
        )

    def handle(self, *args: Any, contains: str, **options: Any) -> None:
        with progress(self, events_to_verify(), "events") as show:
            found = verify_audit(contains=contains, show=show)
        if found.problems:
            raise CommandError(_told(found), returncode=REFUSED)
        pruned = f" (those up to position {found.pruned:,} were pruned)" if found.pruned else ""
        self.stdout.write(f"{found.events:,} events, unbroken{pruned}; head {found.head or 'none yet'}")
        if found.late:
            self.stdout.write(_told_late(found.late))


def _told(found: Verification) -> str:
    more = found.problem_count - len(found.problems)
    problems = "1 problem" if found.problem_count == 1 else f"{found.problem_count:,} problems"
    lines = [f"The audit is broken: {problems} in {found.events:,} events."]
    lines += [f"  {problem}" for problem in found.problems]
    lines += [f"  and {more:,} more"] if more else []
    return "\n".join(lines + ([_told_late(found.late)] if found.late else []))


def _told_late(late: Late) -> str:
    return (
        f"{late.events:,} events were not linked yet, the oldest of {late.oldest:%Y-%m-%d}: "
        "expected after an upgrade or a crash, otherwise ask who touched the table"
    )
