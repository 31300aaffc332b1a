"""Make new license keys and put them into the stock of a product."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO, cast

from django.core.management.base import CommandParser

from licenses.management.base import PortalCommand, find_product, whole_number
from licenses.management.bulk import explained
from licenses.management.csv_files import create_private_file
from licenses.models.license_keys import MAX_VALIDITY_DAYS
from licenses.services.stock import MAX_ACTIVATION_LIMIT, generate_license_keys

BATCH = 1_000  # license keys in one transaction


class Command(PortalCommand):
    help = (
        "Generate available license keys for a product: five groups of five letters and digits that nobody confuses, "
        "125 random bits from the operating system. They are printed one per line, each batch after it is stored."
    )
    examples = """\
  manage.py generate_license_keys --product "Photo Editor" --quantity 500 --output keys.txt
  manage.py generate_license_keys --product 3 --quantity 10 --activation-limit 5 --validity-days 365
"""

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--product", required=True, help="Id or exact name of the product they belong to.")
        parser.add_argument("--quantity", required=True, type=whole_number(1, 1_000_000), help="How many.")
        parser.add_argument(
            "--activation-limit",
            type=whole_number(0, MAX_ACTIVATION_LIMIT),
            default=1,
            help="How many identifiers may be active at the same time; 0: no limit (default: %(default)s).",
        )
        parser.add_argument(
            "--validity-days",
            type=whole_number(0, MAX_VALIDITY_DAYS),
            default=0,
            help="Days from assignment to expiry; 0: for ever (default: %(default)s).",
        )
        parser.add_argument("--output", metavar="FILE", default="-", help="Where to; -: standard output (default).")

    def handle(self, *args: Any, **options: Any) -> None:
        product, left = find_product(options["product"]), options["quantity"]
        with self.output(options["output"]) as file:
            while left:
                keys = generate_license_keys(
                    product=product,
                    quantity=min(BATCH, left),
                    activation_limit=options["activation_limit"],
                    validity_days=options["validity_days"],
                    actor=self.actor,
                )
                file.writelines(f"{found.license_key}\n" for found in keys)
                file.flush()
                left -= len(keys)
        self.say(f"{options['quantity']:,} license keys generated for {product}.")

    @contextmanager
    def output(self, name: str) -> Iterator[TextIO]:
        """Standard output, or a new file: one that exists may hold license keys of an earlier run."""
        with explained(Path(name)):
            file = cast(TextIO, self.stdout) if name == "-" else create_private_file(Path(name), overwrite=False)
        try:
            with explained(Path(name), "The license keys printed so far are in stock."):
                yield file
        finally:
            if name != "-":
                file.close()
