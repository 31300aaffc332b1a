"""What all commands share: help with examples, errors that say what to do, and who is at the keyboard."""

import argparse
import os
import pwd
import sys
from pathlib import Path
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser, DjangoHelpFormatter
from django.db import OperationalError, ProgrammingError
from django.db.models import Q

from licenses.models import Actor, Door, Product, SigningKey

REFUSED, UNUSABLE, INTERRUPTED = 1, 2, 130  # exit codes: some rows refused; nothing done; stopped in the middle
LARGEST_ID = 2**63 - 1
SHORTEST_FINGERPRINT = 8  # characters of it that name a signing key


class _HelpFormatter(DjangoHelpFormatter, argparse.RawDescriptionHelpFormatter):
    """Django's order of options, with the examples' line breaks kept."""


class PortalCommand(BaseCommand):
    """A command that never answers bad input with a traceback. `examples` ends its help text."""

    examples = ""

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        return super().create_parser(
            prog_name, subcommand, formatter_class=_HelpFormatter, epilog=f"examples:\n{self.examples}", **kwargs
        )

    def execute(self, *args: Any, **options: Any) -> str | None:
        try:
            return super().execute(*args, **options)
        except ValidationError as error:
            raise CommandError("\n".join(_lines(error)), returncode=UNUSABLE) from error
        except UnicodeEncodeError as error:
            raise unusable("An argument is not valid UTF-8: check the terminal's encoding.") from error
        except (OperationalError, ProgrammingError) as error:
            raise unusable(
                f"The database does not serve: {error}\nCheck DATABASE_URL; run `manage.py migrate`."
            ) from error
        except KeyboardInterrupt as error:
            raise CommandError("Stopped.", returncode=INTERRUPTED) from error

    def say(self, text: str) -> None:
        """A word to the person at the terminal: on standard error, so that standard output stays for programs."""
        self.stderr.write(text, str)

    @property
    def actor(self) -> Actor:
        """The user of the operating system who runs the command; environment variables do not decide it."""
        try:
            return Actor(Door.COMMAND, pwd.getpwuid(os.getuid()).pw_name)
        except KeyError:  # a container may run under a number without a name
            return Actor(Door.COMMAND, f"user {os.getuid()}")


def unusable(message: str) -> CommandError:
    """The error for input with which nothing can be done."""
    return CommandError(message, returncode=UNUSABLE)


def _lines(error: ValidationError) -> list[str]:
    if not hasattr(error, "error_dict"):
        return error.messages
    return [f"{field}: {' '.join(messages)}" for field, messages in error.message_dict.items()]


def find_product(text: str) -> Product:
    """The product with this id or exactly this name that is not deleted; CommandError when not exactly one is."""
    wanted = Q(name=text)
    if text.isascii() and text.isdecimal() and int(text) <= LARGEST_ID:
        wanted |= Q(pk=int(text))
    found = list(Product.objects.offered().filter(wanted).order_by("pk")[:10]) if text.isprintable() else []
    if not found:
        raise unusable(f"There is no product with the id or exact name “{text}”.")
    if len(found) > 1:
        names = ", ".join(f"{product.pk} ({product.name})" for product in found)
        raise unusable(f"“{text}” fits several products; give the id of one of them: {names}.")
    return found[0]


def find_signing_key(text: str) -> SigningKey:
    """The signing key whose fingerprint begins like this; CommandError when not exactly one does."""
    start = text.strip().lower()
    if len(start) < SHORTEST_FINGERPRINT or not set(start) <= set("0123456789abcdef"):
        raise unusable(f"“{text}” is not the beginning of a fingerprint: at least 8 of its hexadecimal digits.")
    keys = SigningKey.objects.defer("private_key_locked").select_related("product")
    found = list(keys.filter(fingerprint__startswith=start)[:2])
    if len(found) != 1:
        which = "Several signing keys have fingerprints" if found else "No signing key has a fingerprint"
        raise unusable(f"{which} that begin{'' if found else 's'} so: `manage.py list_signing_keys` shows them all.")
    return found[0]


def whose(product: Product | None) -> str:
    """For whom a signing key signs, as messages say it."""
    return f"the product {product}" if product else "the portal"


def read_input(name: str, *, at_most: int) -> bytes:
    """The first bytes of a file, or of standard input for the name -."""
    if name == "-":
        return sys.stdin.buffer.read(at_most)
    try:
        with Path(name).open("rb") as file:
            return file.read(at_most)
    except OSError as error:
        raise unusable(f"{name}: {error.strerror}. Nothing was done.") from None


def whole_number(low: int, high: int) -> Any:
    """For argparse: a whole number from `low` to `high`."""

    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal() and low <= int(text) <= high):
            raise argparse.ArgumentTypeError(f"“{text}” is not a whole number from {low} to {high}")
        return int(text)

    return parse
