"""XLSX files: written, and looked at before they are unpacked.

A few kilobytes can hold what takes gigabytes of memory and minutes to read.
"""

import io
import re
import zipfile
from collections.abc import Iterable, Sequence
from itertools import pairwise
from tempfile import TemporaryFile
from typing import IO

from openpyxl import Workbook
from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

MAX_TAGS = 8_000_000  # of all parts; 200,000 rows of four columns have about 7 million
MAX_ROW = 4 * 2**20  # bytes of XML that the reader holds as a whole: one row, or one text that cells share
PIECE = 2**20
MANY_CELLS = "This file has too many cells, most of them empty perhaps"
# Where the reader lets go of what it has read. A marker may lie across two pieces, so a few bytes are looked at twice
MARKER = re.compile(rb"</?(?:\w{1,20}:)?(?:row|si)[ />]")
OVERLAP = 32


class TooLarge(Exception):
    """What is too large about it, in words for whoever sent it."""


def require_readable(data: bytes, *, most_parts: int, most_unpacked: int) -> None:
    """TooLarge for what its reader could not hold. Whatever zipfile raises for what is no archive is the caller's.

    The sizes are those that the archive declares: no more of a part is unpacked, neither here nor by the reader.
    """
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        parts = archive.infolist()
        if len(parts) > most_parts or sum(part.file_size for part in parts) > most_unpacked:
            raise TooLarge(f"Unpacked, this file is larger than {most_unpacked // 2**20} MB")
        tags = sum(_count_tags(archive, part) for part in parts if part.filename.lower().endswith((".xml", ".rels")))
    if tags > MAX_TAGS:
        raise TooLarge(MANY_CELLS)


def _count_tags(archive: zipfile.ZipFile, part: zipfile.ZipInfo) -> int:
    tags, since, tail = 0, 0, b""
    with archive.open(part) as file:
        while piece := file.read(PIECE):
            tags += piece.count(b"<")
            text = tail + piece
            places = [found.start() for found in MARKER.finditer(text)]
            longest = max((b - a for a, b in pairwise(places)), default=0)
            since = len(text) - places[-1] if places else since + len(piece)
            if tags > MAX_TAGS:
                raise TooLarge(MANY_CELLS)
            if max(longest, since) > MAX_ROW:
                raise TooLarge("This file has a row, or a part without rows, that is too large to be read")
            tail = text[-OVERLAP:]
    return tags


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
