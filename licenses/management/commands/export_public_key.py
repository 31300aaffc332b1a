"""Hand out what customers' software verifies answers with."""

from typing import Any

from django.core.management.base import CommandParser

from licenses.management.base import PortalCommand, find_product, unusable
from licenses.models import SigningKey


class Command(PortalCommand):
    help = (
        "Print the public half of the active signing key as PEM: the global one, or the one that signs for a product."
    )
    examples = """\
  manage.py export_public_key > public.pem
  manage.py export_public_key --product "Photo Editor" > photo-editor.pem
  openssl dgst -sha256 -verify public.pem -signature signature.bin response_base64.txt
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--product", help="Id or exact name of the product (default: the global key).")

    def handle(self, *args: Any, **options: Any) -> None:
        product = find_product(options["product"]) if options["product"] else None
        signing_key = SigningKey.objects.signing_for(product.pk if product else None)
        if signing_key is None:
            raise unusable("There is no signing key yet: run `manage.py create_signing_key`.")
        if product and signing_key.product_id is None:
            self.say(f"{product} has no signing key of its own: this is the global one, which signs for it.")
        self.stdout.write(signing_key.public_key, ending="")
