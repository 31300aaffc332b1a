"""What became of the rows of an assignment, as a table to download."""

import csv
import io
from collections.abc import Iterable, Iterator
from typing import IO

from licenses.models import Assignment, AssignmentFile, AssignmentRow
from licenses.services.assignment_files import stored_file
from licenses.services.assignments import ASSIGNED, EARLIER, REFUSED
from licenses.services.batches import batched
from licenses.services.csv_files import Seen, neutral
from licenses.services.rows import RequestedRow
from licenses.services.workbooks import as_workbook

COLUMNS = ("line", "license_key", "outcome", "owner_email", "owner_name", "reference", "problem")
PAGE = 1_000  # rows
NOT_DONE = "not done"

Row = tuple[object, ...]


def results_of(assignment: Assignment) -> Iterator[Row]:
    """Every row in the order of the file, as `COLUMNS` says; without the file, the rows that are remembered."""
    try:
        file = stored_file(assignment)
    except AssignmentFile.DoesNotExist:
        yield from _remembered(assignment)
        return
    for rows in batched(file.rows(Seen()), PAGE):
        yield from _joined(rows, assignment)


def problems_of(assignment: Assignment) -> Iterator[Row]:
    """The rows that were refused, or would be, and those that could not be undone."""
    return (row for row in results_of(assignment) if row[-1])


def _joined(rows: list[RequestedRow], assignment: Assignment) -> Iterator[Row]:
    lines = (rows[0].line, rows[-1].line)
    found = assignment.rows.filter(line__range=lines).select_related("license_key")
    known = {row.line: row for row in found}
    missing = {row.digest(assignment.product): row.line for row in rows if row.line not in known}
    earlier = _earlier(missing, assignment)
    for row in rows:
        stored = known.get(row.line)
        said = (row.owner_email, row.owner_name, row.reference)
        if stored:
            license_key = stored.license_key.license_key if stored.license_key else row.license_key
            yield (row.line, license_key, stored.outcome, *said, stored.problem)
        elif assignment.started_by and row.line <= assignment.position:
            yield (row.line, earlier.get(row.line, row.license_key), EARLIER, *said, "")
        else:
            yield (row.line, row.license_key, NOT_DONE, *said, "")


def _earlier(missing: dict[str, int], assignment: Assignment) -> dict[int, str]:
    """The license keys that other assignments gave to these rows, by line."""
    if assignment.again or not missing:
        return {}
    rows = AssignmentRow.objects.filter(digest__in=missing, outcome=ASSIGNED, license_key__isnull=False)
    return {missing[digest]: text for digest, text in rows.values_list("digest", "license_key__license_key")}


def _remembered(assignment: Assignment) -> Iterator[Row]:
    after = 0
    rows = assignment.rows.select_related("license_key__owner").order_by("line")
    while page := list(rows.filter(line__gt=after)[:PAGE]):
        after = page[-1].line
        for row in page:
            found = row.license_key
            owner = found.owner if found and row.outcome != REFUSED else None
            said = (owner.email, owner.name) if owner else ("", "")
            text, reference = (found.license_key, found.reference) if found else ("", "")
            yield (row.line, text, row.outcome, *said, reference, row.problem)


def as_csv(rows: Iterable[Row]) -> Iterator[str]:
    """Piece by piece; no cell is taken for a formula (S32). The mark at the beginning tells Excel that it is UTF-8."""
    yield "\ufeff"
    for page in batched(_with_header(rows), PAGE):
        written = io.StringIO()
        csv.writer(written).writerows([neutral(cell) for cell in row] for row in page)
        yield written.getvalue()


def as_xlsx(rows: Iterable[Row]) -> IO[bytes]:
    """A temporary file, gone when it is closed."""
    return as_workbook(
        "Results", ([cell if isinstance(cell, int) else neutral(cell) for cell in row] for row in _with_header(rows))
    )


def _with_header(rows: Iterable[Row]) -> Iterator[Row]:
    yield COLUMNS
    yield from rows
