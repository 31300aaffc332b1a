"""Bring license keys that exist elsewhere into the stock of a product."""

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.core.management.base import CommandParser

from licenses.management.base import find_product
from licenses.management.bulk import BulkCommand
from licenses.services import stock
from licenses.services.csv_files import Record, Seen
from licenses.services.retries import UNHURRIED, retried
from licenses.services.rows import RowOutcome, shown
from licenses.services.stock import ImportOutcome, StockRow

NUMBERS = ("activation_limit", "validity_days")
LONGEST_NUMBER = 10  # digits


class Command(BulkCommand):
    help = (
        "Import license keys from a CSV file with the column license_key and, optionally, activation_limit (0: no "
        "limit; default 1), validity_days (0: for ever; default), status (available or reserved) and reference. "
        "License keys that are there already are left as they are, so the command can be run again. "
        "Exit code: 0 all there, 1 some rows refused, 2 nothing done, 130 stopped in the middle."
    )
    examples = """\
  manage.py import_license_keys keys.csv --product "Photo Editor"
  manage.py import_license_keys keys.csv --product 3 --encoding cp1252
"""
    known = ("license_key", "activation_limit", "validity_days", "status", "reference")
    required = ("license_key",)
    report_columns = ("reference",)
    refused_outcome = ImportOutcome.REFUSED

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", help="The CSV file, with a header in its first line.")
        parser.add_argument("--product", required=True, help="Id or exact name of the product they belong to.")
        self.add_file_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.product = find_product(options["product"])
        file = self.open_file(options["file"], options["encoding"])
        total, _ = self.survey(file)
        with self.open_reports(file, options) as reports:
            self.run_batches(file, reports, total=total, batch_size=options["batch_size"])
        imported, exist, refused = (reports.counts[outcome] for outcome in ImportOutcome)
        counts = f"{total:,} rows, {imported:,} imported, {exist:,} there already, {refused:,} refused."
        self.conclude(reports, counts, "Correct what the file of errors says and run the command again.")

    def read_row(self, record: Record, seen: Seen) -> StockRow:
        license_key = record.cells.get("license_key", "")
        first, times = seen.add(license_key, record.line)
        problem = record.problem or number_problem(record)
        if license_key and times > 1:
            problem = f"This license key is on line {first} already."
        if problem:
            return StockRow(record.line, license_key, problem=problem)
        filled_in: dict[str, Any] = {
            name: int(cell) if name in NUMBERS else cell for name, cell in record.cells.items() if cell
        }
        return StockRow(record.line, **({"license_key": ""} | filled_in))  # an empty cell means the default

    def process(self, rows: Sequence[StockRow]) -> list[RowOutcome[StockRow]]:
        work = partial(stock.import_batch, rows=rows, product=self.product, actor=self.actor)
        return retried(work, patience=UNHURRIED)


def number_problem(record: Record) -> str:
    """What is wrong with the numbers of a row as they are written, or nothing."""
    for name in NUMBERS:
        cell = record.cells.get(name, "")
        if cell and not (cell.isascii() and cell.isdecimal() and len(cell) <= LONGEST_NUMBER):
            return f"{name} {shown(cell)} is not a whole number from 0 on."
    return ""
