"""Make new license keys and put them into the stock of a product."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any, TextIO, cast

from django.core.management.base import CommandParser

from licenses.codes import Refused
from licenses.management.base import PortalCommand, find_product, unusable, whole_number
from licenses.management.bulk import explained
from licenses.management.report_files import create_private_file
from licenses.models import LicenseKey, Product
from licenses.models.license_keys import MAX_VALIDITY_DAYS
from licenses.services.generators import find_generator, generate_with
from licenses.services.retries import UNHURRIED, retried
from licenses.services.stock import MAX_ACTIVATION_LIMIT, NotGenerated, generate_license_keys

BATCH = 1_000  # license keys in one transaction


class Command(PortalCommand):
    help = (
        "Generate available license keys for a product: five groups of five letters and digits that nobody confuses, "
        "125 random bits from the operating system; or as a generator makes them. They are printed one per line, each "
        "batch after it is stored."
    )
    examples = """\
  manage.py generate_license_keys --product "Photo Editor" --quantity 500 --output keys.txt
  manage.py generate_license_keys --product 3 --quantity 10 --activation-limit 5 --validity-days 365
  manage.py generate_license_keys --generator 7 --quantity 100
"""

    def add_arguments(self, parser: CommandParser) -> None:
        source = parser.add_mutually_exclusive_group(required=True)
        source.add_argument("--product", help="Id or exact name of the product they belong to.")
        source.add_argument("--generator", metavar="ID", help="The active generator that makes them, for its product.")
        parser.add_argument("--quantity", required=True, type=whole_number(1, 1_000_000), help="How many.")
        parser.add_argument(
            "--activation-limit",
            type=whole_number(0, MAX_ACTIVATION_LIMIT),
            help="How many identifiers may be active at the same time; 0: no limit (default: 1, or the generator's).",
        )
        parser.add_argument(
            "--validity-days",
            type=whole_number(0, MAX_VALIDITY_DAYS),
            help="Days from assignment to expiry; 0: for ever (default: 0, or the generator's).",
        )
        parser.add_argument("--output", metavar="FILE", default="-", help="Where to; -: standard output (default).")

    def handle(self, *args: Any, **options: Any) -> None:
        product, make = self.source(**options)
        wanted, done = options["quantity"], 0
        with self.output(options["output"]) as file:
            while done < wanted:
                try:
                    batch = partial(make, quantity=min(BATCH, wanted - done), actor=self.actor)
                    keys = retried(batch, patience=UNHURRIED)
                except NotGenerated as refused:
                    before = f" The {done:,} printed before are in stock." if done else ""
                    raise unusable(f"{refused.reason}{before}") from refused
                file.writelines(f"{found.license_key}\n" for found in keys)
                file.flush()
                done += len(keys)
        self.say(f"{options['quantity']:,} license keys generated for {product}.")

    def source(self, **options: Any) -> tuple[Product, Callable[..., list[LicenseKey]]]:
        """The product, and what makes license keys for it."""
        terms = {name: options[name] for name in ("activation_limit", "validity_days") if options[name] is not None}
        if options["generator"] is None:
            product = find_product(options["product"])
            return product, partial(generate_license_keys, product=product, **terms)
        try:
            generator = find_generator(options["generator"])
        except Refused as refused:
            raise unusable(f"There is no active generator with the id “{options['generator']}”.") from refused
        return generator.product, partial(generate_with, generator=generator, **terms)

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
