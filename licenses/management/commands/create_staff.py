"""Make an account for somebody who works with the admin."""

import secrets
import sys
from collections.abc import Callable
from getpass import getpass
from typing import Any

from django.contrib.auth.models import Group
from django.core.management.base import CommandParser

from licenses.management.base import PortalCommand, unusable
from licenses.roles import BY_SLUG, ROLES
from licenses.services.staff import create_staff


class Command(PortalCommand):
    help = (
        "Create an account for the admin with a role. On a terminal it asks for the password; anywhere else, or with "
        "--generate, it makes one and prints it, alone, on standard output, this once. Superusers are made with "
        "createsuperuser."
    )
    examples = f"""\
  manage.py create_staff jo --role support
  manage.py create_staff ana --role license-manager --role auditor --email ana@example.com
  PASSWORD=$(manage.py create_staff sam --role administrator --generate)

roles:
  {chr(10).join(f"{role.slug:<16} {role.may}" for role in ROLES).replace(chr(10), chr(10) + "  ")}
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("username", metavar="USERNAME", help="What they sign in with.")
        parser.add_argument(
            "--role",
            action="append",
            choices=list(BY_SLUG),
            required=True,
            help="What they may do (see below); repeat it for several.",
        )
        parser.add_argument("--email", default="", help="Their e-mail address.")
        parser.add_argument("--generate", action="store_true", help="Make a password instead of asking for one.")

    def handle(self, *args: Any, **options: Any) -> None:
        groups = [_group(slug) for slug in dict.fromkeys(options["role"])]
        asks = not options["generate"] and sys.stdin.isatty()
        password = _asked(self.say) if asks else secrets.token_urlsafe(18)
        user = create_staff(
            username=options["username"],
            password=password,
            email=options["email"],
            groups=groups,
            by=None,
            actor=self.actor,
        )
        names = ", ".join(group.name for group in groups)
        if not asks:
            self.stdout.write(password)
        more = "" if asks else " The password is not shown again."
        self.say(f"Account “{user}” created. Role: {names}.{more}")


def _group(slug: str) -> Group:
    name = BY_SLUG[slug].name
    found = Group.objects.filter(name=name).first()
    if found is None:
        raise unusable(f"The role {name} is missing in the database: run `manage.py migrate`, which makes it.")
    return found


def _asked(say: Callable[[str], None]) -> str:
    """The password as typed twice on the terminal."""
    try:
        while (password := getpass("Password: ")) != getpass("Password (again): "):
            say("The two passwords differ. Type it again.")
    except EOFError as error:
        raise unusable("No password was typed. Nothing was done.") from error
    return password
