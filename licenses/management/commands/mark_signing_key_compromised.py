"""Cut off a signing key whose private half somebody else may have."""

from datetime import UTC, datetime
from typing import Any

from django.core.management.base import CommandParser
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from licenses.management.base import PortalCommand, find_signing_key, unusable, whose
from licenses.models import SigningKey
from licenses.services.signing_keys import mark_compromised


class Command(PortalCommand):
    help = (
        "Mark a signing key as compromised: it never signs again, and the published keys say that what it signed from "
        "--since on is not to be trusted. If it was in use, the upcoming key takes over at once, or else a new one. "
        "Run again with another --since it changes the date. It cannot be undone."
    )
    examples = """\
  manage.py mark_signing_key_compromised 3fa94c01be77 --since 2026-11-01T12:00Z
  manage.py mark_signing_key_compromised 3fa94c01be77 --since now
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("fingerprint", metavar="FINGERPRINT", help="Its fingerprint, or at least 8 digits of it.")
        parser.add_argument(
            "--since",
            required=True,
            metavar="TIME",
            help="Since when it may be in other hands: 2026-11-01T12:00Z, UTC where no zone is given, or now.",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        signing_key, since = find_signing_key(options["fingerprint"]), read_time(options["since"])
        was_active = signing_key.status == SigningKey.Status.ACTIVE
        changed = mark_compromised(signing_key=signing_key, since=since, actor=self.actor)
        state = "is compromised" if changed else "was marked so already"
        self.stdout.write(f"The {signing_key} {state}: since {since.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC.")
        active = SigningKey.objects.active_of(signing_key.product)
        if changed and was_active and active:
            self.stdout.write(f"For {whose(signing_key.product)} signs from now on: fingerprint {active.fingerprint}.")
            self.say("Give out its public key (export_public_key); software that trusts only the old one must be told.")


def read_time(text: str) -> datetime:
    if text == "now":
        return timezone.now()
    try:
        at = parse_datetime(text)
    except ValueError:  # a date that no calendar has
        at = None
    if at is None:
        raise unusable(f"“{text}” is not a time: write 2026-11-01T12:00Z, or now.")
    return at if at.tzinfo else at.replace(tzinfo=UTC)
