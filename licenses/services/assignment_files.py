"""The stored file of an assignment: its columns, its rows."""

import gzip
import io
import re
from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from itertools import islice
from typing import Any, TextIO

from django.core.exceptions import ValidationError

from licenses.models import Assignment, AssignmentFile
from licenses.services.csv_files import CsvFile, FileProblem, Record, Seen
from licenses.services.rows import RequestedRow
from licenses.services.uploads import MAX_COLUMNS, MAX_ROWS

FIELDS = ("license_key", "owner_email", "owner_name", "reference")
PREVIEW = 5  # rows
MAX_LINES = 2 * MAX_ROWS  # with those that are blank: 20 MB of them would take a minute
# What programs and people call the columns; compared without case, spaces and punctuation
NAMES = {
    "license_key": "licensekey licencekey license licence key serial serialnumber productkey activationkey code",
    "owner_email": "owneremail email mail emailaddress customeremail buyeremail useremail billingemail contactemail",
    "owner_name": "ownername owner name fullname customer customername buyer buyername user username contact",
    "reference": "reference ref order ordernumber orderid orderno note invoice invoicenumber",
}
ENCODING = "utf-8"


class StoredCsv(CsvFile):
    """A file out of the database. `columns` says which field is in which column, counted from 0."""

    def __init__(self, content: bytes, *, separator: str, columns: Mapping[str, int]) -> None:
        self.content, self.separator, self.chosen = content, separator, columns
        self.encoding, self.known, self.notices = ENCODING, FIELDS, []
        with closing(self._reader()) as reader:
            self.columns = self._read_header(next(reader, None))

    def _open(self) -> TextIO:
        packed = gzip.GzipFile(fileobj=io.BytesIO(self.content))
        return io.TextIOWrapper(packed, encoding=ENCODING, errors="surrogateescape", newline="")

    def _read_header(self, first: tuple[int, list[str], str] | None) -> list[str]:
        _, cells, problem = first or (1, [], "The file is empty.")
        self.names = [cell.strip("\ufeff \t\r\n") for cell in cells]
        if problem or not any(self.names):
            raise FileProblem(1, problem or "The first line must name the columns.")
        if len(self.names) > MAX_COLUMNS:
            raise FileProblem(1, f"There are more than {MAX_COLUMNS} columns: is this line the header?")
        by_number = {number: field for field, number in self.chosen.items()}
        return [by_number.get(number, "") for number in range(len(self.names))]

    def rows(self, seen: Seen | None = None) -> Iterator[RequestedRow]:
        """The rows that are not blank. `seen` learns them all; without it nobody looks whether rows are equal."""
        for record in self.records():
            if not record.is_blank:
                yield as_row(record, seen)

    def preview(self) -> list[tuple[int, list[str]]]:
        """The first rows: their lines, and what is in each column."""
        with closing(self._reader()) as reader:
            next(reader)
            rows = ((line, cells) for line, cells, _ in reader if any(cell.strip() for cell in cells))
            return list(islice(rows, PREVIEW))


def as_row(record: Record, seen: Seen | None) -> RequestedRow:
    """What a record says; a license key that came before is a problem, any other row that did counts its `times`."""
    cells: dict[str, Any] = dict(record.cells)
    row = RequestedRow(record.line, **cells, problem=record.problem)
    if record.problem or seen is None:
        return row
    said = row.license_key or "\x1f".join((row.owner_email.lower(), row.owner_name, row.reference))
    first, times = seen.add(said, record.line)
    if not row.license_key:
        return replace(row, times=times)
    return replace(row, problem=f"This license key is on line {first} already.") if times > 1 else row


def stored_file(assignment: Assignment) -> StoredCsv:
    """The file with the columns that were chosen. AssignmentFile.DoesNotExist once it was forgotten."""
    file = AssignmentFile.objects.get(assignment=assignment)
    return StoredCsv(bytes(file.content), separator=file.separator, columns=assignment.columns)


def packed(text: str) -> bytes:
    return gzip.compress(text.encode(ENCODING), compresslevel=6, mtime=0)


def count_rows(content: bytes, separator: str) -> int:
    """How many rows there are. ValidationError where it is not certain where a row ends."""
    found = 0
    try:
        for lines, record in enumerate(StoredCsv(content, separator=separator, columns={}).records(), 1):
            found += not record.is_blank
            if found > MAX_ROWS or lines > MAX_LINES:
                raise ValidationError(f"There are more than {MAX_ROWS:,} rows: split the file.")
    except FileProblem as error:
        text = str(error)
        raise ValidationError(text[:1].upper() + text[1:]) from error
    if not found:
        raise ValidationError("There are no rows below the first line, which names the columns.")
    return found


def guess_columns(names: list[str]) -> dict[str, int]:
    """Which field is in which column, going by their names."""
    folded = [re.sub(r"[\W_]+", "", name.lower()) for name in names]
    guessed: dict[str, int] = {}
    for field, known in NAMES.items():
        places = [folded.index(name) for name in known.split() if name in folded]
        if free := [place for place in places if place not in guessed.values()]:
            guessed[field] = free[0]
    return guessed
