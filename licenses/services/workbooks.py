"""Rows as an XLSX file."""

from collections.abc import Iterable, Sequence
from tempfile import TemporaryFile
from typing import IO

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE


def as_workbook(title: str, rows: Iterable[Sequence[str | int]]) -> IO[bytes]:
    """A temporary file, gone when it is closed. Against formulas the cells are `neutral` already."""
    book = Workbook(write_only=True)
    sheet = book.create_sheet(title)
    for row in rows:
        sheet.append([cell if isinstance(cell, int) else ILLEGAL_CHARACTERS_RE.sub("\ufffd", cell) for cell in row])
    file = TemporaryFile()  # noqa: SIM115  whoever asked closes it
    book.save(file)
    file.seek(0)
    return file
