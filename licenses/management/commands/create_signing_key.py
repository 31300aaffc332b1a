"""Make the key that seals answers."""

from typing import Any

from django.core.management.base import CommandParser

from licenses.management.base import PortalCommand, find_product, unusable, whose
from licenses.models import SigningKey
from licenses.models.signing_keys import RSA_BITS
from licenses.services.signing_keys import create_signing_key


class Command(PortalCommand):
    help = (
        "Create the global signing key, or the one of a product. With --rotate the active key retires and a new one "
        "signs from now on. Old signatures stay valid, but customers' software verifies new answers only with the "
        "new public key. With --upcoming it is only published, so that software can fetch it before use_signing_key "
        "lets it sign."
    )
    examples = """\
  manage.py create_signing_key
  manage.py create_signing_key --product "Photo Editor" --bits 3072
  manage.py create_signing_key --upcoming
  manage.py create_signing_key --rotate
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--product", help="Id or exact name of the product it signs for (default: the global key).")
        parser.add_argument(
            "--bits", type=int, choices=RSA_BITS, help="The key's size (default: the setting SIGNING_KEY_BITS)."
        )
        how = parser.add_mutually_exclusive_group()
        how.add_argument("--upcoming", action="store_true", help="Publish it, and let the active one sign on.")
        how.add_argument("--rotate", action="store_true", help="Retire the active signing key at once.")

    def handle(self, *args: Any, **options: Any) -> None:
        product = find_product(options["product"]) if options["product"] else None
        active, upcoming = SigningKey.objects.active_of(product), options["upcoming"]
        if active and not (options["rotate"] or upcoming):
            raise unusable(
                f"There is an active signing key for {whose(product)}: {active}. Add --rotate to replace it at once, "
                "or --upcoming to publish the next one first."
            )
        made = create_signing_key(product=product, bits=options["bits"], upcoming=upcoming, actor=self.actor)
        what = "Upcoming signing key" if upcoming else "Signing key"
        self.stdout.write(f"{what} for {whose(product)}: {made.bits} bits, fingerprint {made.fingerprint}.")
        if upcoming:
            self.say(
                f"It is published. When software has fetched it: manage.py use_signing_key {made.fingerprint[:12]}"
            )
