"""Make the key that seals answers."""

from typing import Any

from django.core.management.base import CommandParser

from licenses.management.base import PortalCommand, find_product, unusable
from licenses.models import SigningKey
from licenses.models.signing_keys import RSA_BITS
from licenses.services.signing_keys import create_signing_key


class Command(PortalCommand):
    help = (
        "Create the global signing key, or the one of a product. With --rotate the active key retires and a new one "
        "signs from now on. Old signatures stay valid, but customers' software verifies new answers only with the "
        "new public key: give it out first (export_public_key)."
    )
    examples = """\
  manage.py create_signing_key
  manage.py create_signing_key --product "Photo Editor" --bits 3072
  manage.py create_signing_key --rotate
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--product", help="Id or exact name of the product it signs for (default: the global key).")
        parser.add_argument(
            "--bits", type=int, choices=RSA_BITS, help="The key's size (default: the setting SIGNING_KEY_BITS)."
        )
        parser.add_argument("--rotate", action="store_true", help="Retire the active signing key.")

    def handle(self, *args: Any, **options: Any) -> None:
        product = find_product(options["product"]) if options["product"] else None
        whose = f"the product {product}" if product else "the portal"
        active = SigningKey.objects.active_of(product)
        if active and not options["rotate"]:
            raise unusable(f"There is an active signing key for {whose}: {active}. Add --rotate to replace it.")
        signing_key = create_signing_key(product=product, bits=options["bits"], actor=self.actor)
        self.stdout.write(f"Signing key for {whose}: {signing_key.bits} bits, fingerprint {signing_key.fingerprint}.")
