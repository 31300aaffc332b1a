"""Give license keys to owners: many from a CSV file, or one from arguments."""

from collections.abc import Container, Sequence
from functools import partial
from typing import Any

from django.core.management.base import CommandError, CommandParser

from licenses.management.base import REFUSED, find_product, unusable
from licenses.management.bulk import BulkCommand, explained
from licenses.management.report_files import Reports
from licenses.models import Assignment
from licenses.services import assignments
from licenses.services.assignment_files import FIELDS, as_row
from licenses.services.assignments import Plan
from licenses.services.batches import batched
from licenses.services.csv_files import CsvFile, Record, Seen
from licenses.services.retries import UNHURRIED, retried
from licenses.services.rows import RequestedRow, RowOutcome

OVERLAP_BATCH = 1_000  # rows per question whether an earlier run has done them


class Command(BulkCommand):
    help = (
        "Assign license keys to owners, from a CSV file with the columns license_key, owner_email, owner_name and "
        "(optional) reference, or one from arguments. Where license_key is empty or missing, the owner gets an "
        "available license key of --product. A run that was stopped or killed is started again with the same "
        "command: it does the rest, and nothing twice. Exit code: 0 all assigned, 1 some rows refused, 2 nothing "
        "done, 130 stopped in the middle."
    )
    examples = """\
  manage.py assign_license_keys orders.csv --dry-run
  manage.py assign_license_keys orders.csv --product "Photo Editor"
  manage.py assign_license_keys --license-key ABCDE-12345 --owner-email jo@example.com --owner-name "Jo Doe"
  manage.py assign_license_keys --product 3 --owner-email jo@example.com --reference "order 1007"
"""
    known = FIELDS
    required = ("owner_email",)
    report_columns = ("owner_email", "reference")
    refused_outcome = assignments.REFUSED

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("file", metavar="FILE", nargs="?", help="The CSV file, with a header in its first line.")
        parser.add_argument("--license-key", default="", help="Without a file: the license key to assign.")
        parser.add_argument("--owner-email", default="", help="Without a file: the owner's e-mail address.")
        parser.add_argument("--owner-name", default="", help="Without a file: the owner's name.")
        parser.add_argument("--reference", default="", help="Without a file: your own note, an order number say.")
        parser.add_argument("--product", help="Id or exact name: its stock serves rows without a license key.")
        parser.add_argument("--dry-run", action="store_true", help="Say what would be done, and change nothing.")
        memory = parser.add_mutually_exclusive_group()
        memory.add_argument(
            "--again", action="store_true", help="Assign all rows of a file once more that was finished before."
        )
        memory.add_argument(
            "--corrects",
            metavar="RUN",
            type=int,
            help="The number of the run whose file this is a corrected version of: rows it has done stay as they are.",
        )
        self.add_file_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        self.product = find_product(options["product"]) if options["product"] else None
        self.plan = Plan() if options["dry_run"] else None
        self.assignment: Assignment | None = None
        self.named: Container[str] = ()
        given = [f"--{name.replace('_', '-')}" for name in FIELDS if options[name]]
        if options["file"] and given:
            raise unusable(f"{given[0]} goes without a file: put it into the file's column, or leave the file out.")
        if options["file"]:
            self.assign_file(self.open_file(options["file"], options["encoding"]), options)
        elif given:
            self.assign_one(options)
        else:
            raise unusable("Give a CSV file, or --owner-email with --license-key or --product (see --help).")

    def assign_one(self, options: dict[str, Any]) -> None:
        """The license key alone goes to standard output, so that a script can take it from there."""
        row = RequestedRow(1, **{name: options[name].strip() for name in FIELDS})
        (outcome,) = self.process([row])
        if outcome.problem:
            raise CommandError(outcome.problem, returncode=REFUSED)
        self.stdout.write(outcome.license_key)
        done = "would be assigned (dry run)" if self.plan else "assigned"
        self.say(f"License key {done} to {row.owner_email or row.owner_name}.")

    def assign_file(self, file: CsvFile, options: dict[str, Any]) -> None:
        if "license_key" not in file.columns and not self.product:
            raise unusable(f"{file.path} has no column license_key: say with --product whose license keys to take.")
        total, self.named = self.survey(file)
        digest, memory = file.digest(), {"again": options["again"], "corrects": find_run(options["corrects"])}
        self.assignment = assignments.find_assignment(digest, **memory)
        if self.assignment is None and not options["again"]:
            self.refuse_second_license_keys(file)
        earlier = assignments.count_done(self.assignment)
        with self.open_reports(file, options, suffix=".dry-run" if self.plan else "") as reports:
            if self.plan is None:
                begin = partial(assignments.begin_assignment, digest=digest, source=file.path.name, rows_total=total)
                self.assignment = retried(partial(begin, **memory), patience=UNHURRIED)
            self.run_batches(file, reports, total=total, batch_size=options["batch_size"])
            if self.plan is None and self.assignment:
                retried(partial(assignments.finish_assignment, self.assignment), patience=UNHURRIED)
        self.say_how_it_went(reports, total, earlier)

    def read_row(self, record: Record, seen: Seen) -> RequestedRow:
        return as_row(record, seen)

    def process(self, rows: Sequence[RequestedRow]) -> list[RowOutcome[RequestedRow]]:
        work: dict[str, Any] = {"product": self.product, "assignment": self.assignment, "named": self.named}
        if self.plan:
            return assignments.plan_batch(rows=rows, **work, plan=self.plan)
        return retried(partial(assignments.assign_batch, rows=rows, **work, actor=self.actor), patience=UNHURRIED)

    def refuse_second_license_keys(self, file: CsvFile) -> None:
        """A file nobody has seen whose rows were served before is most likely a corrected one: ask, do not guess."""
        if self.product is None:
            return
        with explained(file.path):
            batches = batched(self.rows(file, Seen()), OVERLAP_BATCH)
            overlap = assignments.find_overlap(batches, product=self.product)
        if overlap:
            run = overlap.assignment
            corrected = "upload it in the admin, too" if run.uploaded else f"add --corrects {run.pk}"
            raise unusable(
                f"Nothing was done: {overlap.rows:,} rows of {file.path} got their license keys in run {run.pk} "
                f"({run}).\nIf this is a corrected version of that file, {corrected}: those rows stay as "
                "they are.\nIf the owners are to get one more license key each, add --again."
            )

    def say_how_it_went(self, reports: Reports, total: int, earlier: int) -> None:
        assigned, refused = reports.counts[assignments.ASSIGNED], reports.counts[assignments.REFUSED]
        of_these = f" ({earlier:,} of them by an earlier run)" if earlier else ""
        counts = f"{total:,} rows, {assigned:,} assigned{of_these}, {refused:,} refused."
        if self.plan:
            self.conclude(reports, f"Dry run, nothing was changed: {counts}", "Correct these before the real run.")
        else:
            run = self.assignment.pk if self.assignment else 0
            self.conclude(
                reports,
                f"Run {run}: {counts}",
                f"Correct what the file of errors says. After changing the file, add --corrects {run}; after changing "
                "anything else (filling the stock, for example), run the same command again.",
            )


def find_run(number: int | None) -> Assignment | None:
    """The run that `--corrects` names."""
    if number is None:
        return None
    found = Assignment.objects.filter(pk=number).first()
    if found is None:
        raise unusable(f"There is no run {number}: the last lines of a run say its number.")
    if found.uploaded:
        raise unusable(f"Run {number} was uploaded in the admin: upload the corrected file there, too.")
    return found
