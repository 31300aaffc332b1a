"""Bring along the key that shipped software trusts."""

import getpass
import sys
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import CommandParser

from licenses.management.base import PortalCommand, find_product, read_input, unusable, whose
from licenses.models import SigningKey
from licenses.services.signing_keys import import_signing_key

LONGEST = 64 * 1024  # bytes; the largest key takes four thousand


class Command(PortalCommand):
    help = (
        "Import an RSA private key of 2048 to 4096 bits from a PEM file (PKCS#1 or PKCS#8, encrypted or not), as the "
        "global signing key or as that of a product. It signs at once and the active one before it retires, unless "
        "--upcoming or --retired says otherwise. It is stored encrypted under the first of VAULT_KEYS. A passphrase "
        "is asked for on a terminal; it is no option, because lists of processes show those."
    )
    examples = """\
  manage.py import_signing_key old-portal.pem
  manage.py import_signing_key photo-editor.pem --product "Photo Editor" --passphrase-file passphrase.txt
  manage.py import_signing_key from-before.pem --retired
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="The PEM file; - for standard input.")
        parser.add_argument("--product", help="Id or exact name of the product it signs for (default: the global key).")
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--upcoming", action="store_true", help="Publish it, and let the active one sign on.")
        how.add_argument("--retired", action="store_true", help="Only publish it: for what it has signed elsewhere.")
        parser.add_argument("--passphrase-file", metavar="FILE", help="A file whose first line is the passphrase.")

    def handle(self, *args: Any, **options: Any) -> None:
        product = find_product(options["product"]) if options["product"] else None
        passphrase = read_passphrase(options["passphrase_file"]) if options["passphrase_file"] else ""
        fields = {"pem": read_input(options["file"], at_most=LONGEST), "product": product, "status": status_of(options)}
        try:
            imported = self.imported(**fields, passphrase=passphrase)
        except ValidationError as error:
            raise unusable(f"{options['file']}: {' '.join(error.messages)}{hint(error, passphrase)}") from None
        what = f"{imported.get_status_display()} signing key for {whose(product)}"
        self.stdout.write(f"{what}: {imported.bits} bits, fingerprint {imported.fingerprint}.")
        self.say("Keep the file where nobody reads it, or delete it: the portal has its own copy, encrypted.")

    def imported(self, *, passphrase: str, **fields: Any) -> SigningKey:
        """Asks for the passphrase when it turns out that one is needed and somebody sits at the terminal."""
        try:
            return import_signing_key(**fields, passphrase=passphrase, actor=self.actor)
        except ValidationError as error:
            if passphrase or "passphrase" not in getattr(error, "error_dict", {}) or not sys.stdin.isatty():
                raise
        return import_signing_key(**fields, passphrase=getpass.getpass("Passphrase: "), actor=self.actor)


def hint(error: ValidationError, passphrase: str) -> str:
    missing = not passphrase and "passphrase" in getattr(error, "error_dict", {})
    return " Put it on the first line of a file, and add --passphrase-file." if missing else ""


def status_of(options: dict[str, Any]) -> SigningKey.Status:
    if options["upcoming"]:
        return SigningKey.Status.UPCOMING
    return SigningKey.Status.RETIRED if options["retired"] else SigningKey.Status.ACTIVE


def read_passphrase(name: str) -> str:
    try:
        return read_input(name, at_most=LONGEST).decode().partition("\n")[0].rstrip("\r")
    except UnicodeDecodeError:
        raise unusable(f"{name}: the passphrase is not UTF-8. Nothing was imported.") from None
