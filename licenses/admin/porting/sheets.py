"""Reading a spreadsheet that somebody has uploaded: CSV or XLSX, whatever is wrong with it said by line."""

import csv
import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from openpyxl import load_workbook

from licenses.admin.porting.cells import LONGEST, cell_problem
from licenses.services.csv_files import restored
from licenses.services.workbooks import TooLarge, require_readable

MOST_COLUMNS = 100
MOST_BLANK = 10_000  # lines without a cell, between rows and after them
MOST_PARTS = 100  # files in an XLSX, which is an archive
MOST_UNPACKED = 40 * 2**20  # bytes of all of them: a file of 2.5 MB can hold gigabytes
ZIP = b"PK\x03\x04"
OLD_EXCEL = b"\xd0\xcf\x11\xe0"
DELIMITERS = (",", ";", "\t")
ENCODINGS = {"utf-8-sig": "UTF-8", "cp1252": "Windows-1252 (older Excel)", "utf-16": "UTF-16 (Unicode text)"}
SAVE_AS = "Save it as CSV UTF-8 or as XLSX."
NAMED = 60  # characters of a column's name that a message repeats


class SheetProblem(Exception):
    """What makes the whole file unreadable, in words for whoever sent it."""


class Row(NamedTuple):
    line: int
    cells: list[str]


class Sheet(NamedTuple):
    """The columns' names, in small letters, and the rows with their lines, which count from 1."""

    columns: list[str]
    rows: list[Row]


def read_sheet(content: bytes, *, encoding: str, most_rows: int) -> Sheet:
    """The table in the file. SheetProblem says, with the line, why it cannot be read."""
    lines = _xlsx_rows(content, most_rows) if content.startswith(ZIP) else _csv_rows(content, encoding)
    header = next(lines, None)
    if header is None:
        raise SheetProblem("The file is empty. The first line names the columns.")
    columns = _columns(header)
    rows: list[Row] = []
    for row in lines:
        if len(rows) == most_rows:
            raise SheetProblem(f"The file has more than {most_rows:,} rows.")
        rows.append(Row(row.line, _cells(row, columns)))
    if not rows:
        raise SheetProblem("There are no rows under the line with the columns' names.")
    return Sheet(columns, rows)


def _columns(header: Row) -> list[str]:
    names = [name.strip().lower() for name in header.cells]
    while names and not names[-1]:
        names.pop()
    if not all(names) or len(names) > MOST_COLUMNS:
        raise SheetProblem(f"Line {header.line} names the columns: 1 to {MOST_COLUMNS}, and none of them is empty.")
    for name in names:
        if names.count(name) > 1:
            raise SheetProblem(f"Line {header.line}: the column “{name[:NAMED]}” is there twice.")
        if problem := cell_problem(name):
            raise SheetProblem(f"Line {header.line}: {problem}")
    return names


def _cells(row: Row, columns: list[str]) -> list[str]:
    """As many cells as there are columns; further ones at the end may be there when they are empty."""
    cells = row.cells
    while len(cells) > len(columns) and not cells[-1]:
        cells = cells[:-1]
    if len(cells) != len(columns):
        raise SheetProblem(
            f"Line {row.line} has {len(cells)} cells for {len(columns)} columns: put texts with separators in quotes."
        )
    for cell in cells:
        if problem := cell_problem(cell):
            raise SheetProblem(f"Line {row.line}: {problem}")
    return [restored(cell) for cell in cells]


def _csv_rows(content: bytes, encoding: str) -> Iterator[Row]:
    if content.startswith(OLD_EXCEL):
        raise SheetProblem(f"This is a file of an old Excel. {SAVE_AS}")
    text = _decoded(content, encoding)
    csv.field_size_limit(LONGEST)
    first = text[: text.find("\n")] if "\n" in text else text
    delimiter = max(DELIMITERS, key=first.count)
    reader, line = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True), 1
    try:
        for cells in reader:
            if any(cells):
                yield Row(line, cells)
            line = reader.line_num + 1
    except csv.Error as error:
        raise SheetProblem(f"Line {line} cannot be read: {error}. {SAVE_AS}") from error


def _decoded(content: bytes, encoding: str) -> str:
    try:
        text = content.decode(encoding)
    except UnicodeError as error:
        line = content[: getattr(error, "start", 0)].count(b"\n") + 1
        raise SheetProblem(
            f"Line {line} is not {ENCODINGS[encoding]}. Choose another encoding, or: {SAVE_AS}"
        ) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise SheetProblem(f"Line {line}: there is a NUL byte. {SAVE_AS}")
    return text


def _xlsx_rows(content: bytes, most_rows: int) -> Iterator[Row]:
    """The rows of the first sheet. Openpyxl reads XML without entities here: defusedxml is installed."""
    _require_small(content)
    try:
        sheet = load_workbook(io.BytesIO(content), read_only=True, data_only=False).worksheets[0]
        sheet.reset_dimensions()  # what the file says of its size may be wrong
        for line, row in enumerate(sheet.iter_rows(max_col=MOST_COLUMNS + 1), start=1):
            if line > most_rows + MOST_BLANK:
                raise SheetProblem(f"The file has more than {most_rows:,} rows. Remove the empty ones.")
            cells = [_xlsx_text(cell, line) for cell in row]
            if any(cells):
                yield Row(line, cells + [""] * (MOST_COLUMNS + 1 - len(cells)))  # rows end where they like
    except SheetProblem:
        raise
    except Exception as error:  # broken archives and XML raise whatever their readers do
        raise SheetProblem(f"This is no spreadsheet that can be read ({type(error).__name__}). {SAVE_AS}") from error


def _require_small(content: bytes) -> None:
    try:
        require_readable(content, most_parts=MOST_PARTS, most_unpacked=MOST_UNPACKED)
    except TooLarge as error:
        raise SheetProblem(f"The file is too large when it is unpacked. {error}.") from error
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, RuntimeError) as error:
        raise SheetProblem(f"This is no spreadsheet that can be read. {SAVE_AS}") from error


def _xlsx_text(cell: Any, line: int) -> str:
    value = cell.value
    if cell.data_type in ("f", "e"):
        raise SheetProblem(f"Line {line}: the cell {cell.coordinate} is a formula. Paste its value instead.")
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return value.isoformat() if isinstance(value, datetime) else "" if value is None else str(value)
