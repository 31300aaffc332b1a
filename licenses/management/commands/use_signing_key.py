"""Let the signing key that is published already sign from now on."""

from typing import Any

from django.core.management.base import CommandParser

from licenses.management.base import PortalCommand, find_signing_key, whose
from licenses.services.signing_keys import use_signing_key


class Command(PortalCommand):
    help = (
        "Put an upcoming signing key in use: it signs from now on, on every node, and the active one before it "
        "retires. Old signatures stay valid. Do it when customers' software has had the time to fetch the new public "
        "key. Run again for a key that is in use already, it changes nothing."
    )
    examples = """\
  manage.py create_signing_key --upcoming
  manage.py use_signing_key 3fa94c01be77
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("fingerprint", metavar="FINGERPRINT", help="Its fingerprint, or at least 8 digits of it.")

    def handle(self, *args: Any, **options: Any) -> None:
        signing_key = find_signing_key(options["fingerprint"])
        changed = use_signing_key(signing_key=signing_key, actor=self.actor)
        when = "from now on" if changed else "already"
        self.stdout.write(f"The {signing_key} signs for {whose(signing_key.product)} {when}.")
