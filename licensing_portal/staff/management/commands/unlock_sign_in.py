"""For somebody on whose account others keep trying."""

from typing import Any

from django.core.management.base import CommandParser

from licenses.management.base import PortalCommand
from licensing_portal.staff.limits import BURST, unlock
from licensing_portal.staff.management import find_account


class Command(PortalCommand):
    help = (
        "Let an account try to sign in again at once, although there were too many tries. Without this command nobody "
        "waits longer than a minute after the last try, so it is for an account that others keep trying on. Addresses "
        "go on waiting."
    )
    examples = """\
  manage.py unlock_sign_in ada
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", help="Whose tries are forgotten.")

    def handle(self, *args: Any, username: str, **options: Any) -> None:
        account = find_account(username)
        unlock(account=account, actor=self.actor)
        self.stdout.write(f"{account.get_username()}: {BURST} tries are free again.")
