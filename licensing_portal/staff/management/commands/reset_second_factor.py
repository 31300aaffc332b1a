"""For somebody who has lost the phone and the recovery codes."""

from typing import Any

from django.core.management.base import CommandParser

from licenses.management.base import PortalCommand
from licensing_portal.staff.factors import requires_second_factor, reset_second_factor
from licensing_portal.staff.management import find_account


class Command(PortalCommand):
    help = (
        "Remove the authenticator app, the passkeys and the recovery codes of a member of staff who has lost them. "
        "Make sure first who is asking: from then on the password alone lets in. Sessions go on."
    )
    examples = """\
  manage.py reset_second_factor ada
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="Whose second factors are removed.")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        account = find_account(username)
        removed = reset_second_factor(account=account, actor=self.actor)
        what = f"{removed} removed" if removed else "there was no second factor to remove"
        self.stdout.write(f"{account.get_username()}: {what}. The password alone lets in now.")
        if requires_second_factor(account):
            self.stdout.write("The next sign-in leads to where a new second factor is set up.")
