"""Spreadsheets that staff upload: CSV in the encodings that programs save, and XLSX, all of it made CSV in UTF-8.

ValidationError says what is wrong with the file, by line where there is one. What is in a cell is not judged here.
"""

import codecs
import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Iterator
from datetime import date, datetime, time
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from openpyxl import load_workbook

from licenses.services.workbooks import TooLarge, require_readable

MAX_MB = 20
MAX_UNPACKED_MB = 128  # of an XLSX file; 100,000 rows of four columns take about 35
MAX_PARTS = 1_000  # files in an XLSX file
MAX_ROWS = 200_000
MAX_COLUMNS = 50
SEPARATORS = (",", ";", "\t", "|")
OLD_EXCEL = bytes.fromhex("d0cf11e0a1b11ae1")  # an .xls file, or an .xlsx file with a password
MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}


class Upload(NamedTuple):
    """The file as CSV text, what separates its fields, the SHA-256 of what was sent, and what was noticed."""

    text: str
    separator: str
    digest: str
    notices: list[str]


def read_upload(data: bytes) -> Upload:
    """What the file says, whatever program saved it. It is known by its bytes: names lie."""
    if len(data) > MAX_MB * 2**20:
        raise ValidationError(f"The file is larger than {MAX_MB} MB: split it.")
    digest = hashlib.sha256(data).hexdigest()
    if data.startswith(OLD_EXCEL):
        raise ValidationError(
            "This is an Excel file of the old kind (.xls) or one with a password. Save it as .xlsx or CSV, without one."
        )
    if data.startswith(b"PK\x03\x04"):
        text, notices = _read_xlsx(data)
        return Upload(text, ",", digest, notices)
    text, notices = _decoded(data)
    return Upload(text, _separator(text), digest, notices)


# CSV


def _decoded(data: bytes) -> tuple[str, list[str]]:
    """By its mark, else as UTF-8, else as Windows writes it, which is said."""
    encoding = next((name for mark, name in MARKS.items() if data.startswith(mark)), "utf-8")
    try:
        return data.decode(encoding), []
    except UnicodeDecodeError as error:
        if encoding != "utf-8":
            line = data.count(b"\n", 0, error.start) + 1
            raise ValidationError(f"Line {line}: this is not {encoding}, as the file says it is.") from error
    try:
        text = data.decode("cp1252")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise ValidationError(f"Line {line}: this is no text in UTF-8. Save the file as CSV UTF-8.") from error
    return text, ["The file is not in UTF-8 and was read as Windows-1252: look at the letters with accents below."]


def _separator(text: str) -> str:
    """What separates the names in the first line; European programs write semicolons."""
    first = text[:65_536].lstrip("\r\n").partition("\n")[0]
    return max(SEPARATORS, key=first.count)


# XLSX


def _read_xlsx(data: bytes) -> tuple[str, list[str]]:
    _require_size(data)
    try:
        book = load_workbook(io.BytesIO(data), read_only=True, data_only=True, keep_links=False)
        sheets = book.worksheets
        return _as_csv(sheets[0]), _notices(sheets)
    except ValidationError:
        raise
    except Exception as error:  # a broken file breaks its reader in more ways than can be named
        raise ValidationError("This XLSX file cannot be read. Save it anew, or as CSV UTF-8.") from error


def _require_size(data: bytes) -> None:
    """Before the reader sees any of it."""
    try:
        require_readable(data, most_parts=MAX_PARTS, most_unpacked=MAX_UNPACKED_MB * 2**20)
    except TooLarge as error:
        raise ValidationError(f"{error}: split it, or save it as CSV.") from error
    except (zipfile.BadZipFile, zlib.error, ValueError, EOFError, OSError, RuntimeError) as error:
        raise ValidationError("This XLSX file is damaged.") from error


def _notices(sheets: list[Any]) -> list[str]:
    others = f"Only the first of {len(sheets)} sheets is read: {sheets[0].title[:60]}."
    return [others] if len(sheets) > 1 else []


def _as_csv(sheet: Any) -> str:
    """One line for each row, so that the numbers of lines are those of the sheet."""
    sheet.reset_dimensions()  # what the file says of its size may be wrong
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    width = 0
    for line, cells in enumerate(_rows(sheet), 1):
        width = width or _width(cells)
        writer.writerow(cells[: max(width, _width(cells))] or [""])
        if written.tell() > MAX_UNPACKED_MB * 2**20:  # one long text may be shared by many cells
            raise ValidationError(f"Line {line}: until here the file has {MAX_UNPACKED_MB} MB of text. Split it.")
    return written.getvalue()


def _rows(sheet: Any) -> Iterator[list[str]]:
    for line, row in enumerate(sheet.iter_rows(max_col=MAX_COLUMNS + 1, values_only=True), 1):
        if line > MAX_ROWS + 1:
            raise ValidationError(f"There are more than {MAX_ROWS:,} rows: split the file.")
        yield [_as_text(value) for value in row]


def _width(cells: list[str]) -> int:
    return max((number for number, cell in enumerate(cells, 1) if cell), default=0)


def _as_text(value: Any) -> str:
    """As people read it: 1007 and not 1007.0, a date without the midnight; a formula is the value it had last."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:  # noqa: PLR2004  beyond, digits are lost
        return str(int(value))
    if isinstance(value, datetime):
        return value.date().isoformat() if value.time() == time() else value.isoformat(" ", "seconds")
    if isinstance(value, date | time):
        return value.isoformat()
    return " ".join(str(value).splitlines())
