"""`manage.py set_setting NAME`: change one of the portal's settings."""

import getpass
import os
import pwd
import sys
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from settings_api import parameters
from settings_api.changes import Caller, Refusal, change_settings


class Command(BaseCommand):
    help = "Change one of the portal's settings. The value is read from standard input, where no process list shows it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("name", choices=[parameter.name for parameter in parameters.TABLE])

    def handle(self, *args: Any, name: str, **options: Any) -> None:
        parameter = next(parameter for parameter in parameters.TABLE if parameter.name == name)
        value = parameter.from_text(_read_value(parameter.label))
        caller = Caller(_operator(), door="command", may_change=True)
        try:
            change_settings({name: value}, caller=caller, replace=False)
        except Refusal as refusal:
            reasons = [reason for reasons in refusal.errors.values() for reason in reasons]
            raise CommandError(f"{refusal.message}: {'. '.join(reasons)}", returncode=2) from None
        self.stdout.write(f"{name} is set.")


def _read_value(label: str) -> str:
    return getpass.getpass(f"{label}: ") if sys.stdin.isatty() else sys.stdin.read()


def _operator() -> str:
    """The account that runs the command; in a container it may have no name."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"user {os.getuid()}"
