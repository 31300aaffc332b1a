"""Reading CSV files of any size as a stream, with the line number of whatever is wrong."""

import csv
import hashlib
import re
import sqlite3
from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import NamedTuple, TextIO

from licenses.services.rows import shown

MAX_LINE = 65_536  # characters; nothing in a row is longer than a few hundred
MAX_LINES_IN_ROW = 1_000  # a text in quotes may hold line breaks; further on, its closing quote is missing
SKIPPED_LINE = "\n"
UNDECODABLE = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of bytes that are not in the encoding
UTF16_MARKS = ("\udcff\udcfe", "\udcfe\udcff")
FORMULA = ("=", "+", "-", "@", "\t", "\r")  # what spreadsheets take for the beginning of a formula
NEUTRAL = re.compile(r"'+[=+\-@\t\r]")
OTHER_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "bars"}


class FileProblem(Exception):
    """The file cannot be worked on: nothing certain can be said about its rows."""

    def __init__(self, line: int, text: str) -> None:
        super().__init__(f"line {line}: {text}")


class Record(NamedTuple):
    """One row as it was read: the line where it begins, its cells by column, and what is wrong with it."""

    line: int
    cells: dict[str, str]
    problem: str = ""
    is_blank: bool = False


class CsvFile:
    """A CSV file with a header. It is read anew, from the beginning, whenever `records` is called.

    `known` columns are read, `required` ones must be there; others are ignored and named in `notices`.
    """

    separator = ","

    def __init__(self, path: Path, *, encoding: str, known: Sequence[str], required: Sequence[str]) -> None:
        self.path, self.known, self.required = path, known, required
        self.encoding = "utf-8-sig" if encoding.lower().replace("_", "-") in ("utf-8", "utf8") else encoding
        self.notices: list[tuple[int, str]] = []
        with closing(self._reader()) as reader:
            self.columns = self._read_header(next(reader, None))

    def digest(self) -> str:
        """SHA-256 of the file's bytes, in hexadecimal."""
        with self.path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()

    def records(self) -> Iterator[Record]:
        """The rows after the header; FileProblem where it is not certain any more where a row ends."""
        with closing(self._reader()) as reader:
            next(reader)
            for line, cells, problem in reader:
                yield self._record(line, cells, problem)

    def _record(self, line: int, cells: list[str], problem: str) -> Record:
        stripped = [cell.strip() for cell in cells]
        if not problem and not any(stripped):
            return Record(line, {}, is_blank=True)
        if not problem and len(stripped) != len(self.columns):
            problem = f"{len(stripped)} fields where the header has {len(self.columns)}: check commas and quotes."
        by_column = {name: cell for name, cell in zip(self.columns, stripped, strict=False) if name in self.known}
        return Record(line, {} if problem else by_column, problem)

    def _open(self) -> TextIO:
        return self.path.open(encoding=self.encoding, errors="surrogateescape", newline="")

    def _reader(self) -> Generator[tuple[int, list[str], str], None, None]:
        """(line, cells, problem) of each row, the header being the first."""
        with self._open() as file:
            lines = _Lines(file, self.encoding)
            reader = csv.reader(lines, strict=True, delimiter=self.separator)
            while True:
                lines.begin_row()
                try:
                    cells = next(reader)
                except StopIteration:
                    return
                except csv.Error as error:
                    if lines.at_end or lines.number > lines.row_began:
                        raise _unclosed_quote(lines.row_began) from error
                    yield lines.row_began, [], f"The quotes in this row are not placed as CSV wants them ({error})."
                else:
                    yield lines.row_began, cells, lines.problem

    def _read_header(self, first: tuple[int, list[str], str] | None) -> list[str]:
        if first is None:
            raise FileProblem(1, f"The file is empty: its first line must be {','.join(self.known)}.")
        _, cells, problem = first
        names = [cell.strip("\ufeff \t").lower() for cell in cells]
        if missing := [name for name in self.required if name not in names]:
            raise FileProblem(1, problem or self._missing(missing, names))
        if twice := [name for name, times in Counter(filter(None, names)).items() if times > 1]:
            raise FileProblem(1, f"The column {shown(twice[0])} is there twice: remove one.")
        self.notices = [
            (1, f"Column {number} ({shown(name)}) is not known and is ignored.")
            for number, name in enumerate(names, 1)
            if name not in self.known
        ]
        return names

    def _missing(self, missing: list[str], names: list[str]) -> str:
        text = f"The column {missing[0]} is missing; the header says {shown(','.join(names))}."
        if "\0" in "".join(names):
            return f"{text} This looks like UTF-16: run it again with --encoding utf-16."
        for separator, word in OTHER_SEPARATORS.items():
            if len(names) == 1 and separator in names[0]:
                return f"{text} It is separated by {word}: save it with commas."
        return text


def _unclosed_quote(line: int) -> FileProblem:
    return FileProblem(line, 'A quote (") is opened in this row and not closed, so nobody can say where the row ends.')


class _Lines:
    """The lines of a file for csv.reader, bounded so that no file makes memory grow."""

    def __init__(self, file: TextIO, encoding: str) -> None:
        self.file, self.encoding = file, encoding
        self.number, self.at_end = 0, False
        self.begin_row()

    def begin_row(self) -> None:
        self.row_began, self.problem = self.number + 1, ""

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        line = self._read()
        if not line:
            self.at_end = True
            raise StopIteration
        self.number += 1
        if self.number - self.row_began >= MAX_LINES_IN_ROW:
            raise _unclosed_quote(self.row_began)
        if not line.isascii() and UNDECODABLE.search(line):
            raise self._undecodable(self.number, line)
        if len(line) == MAX_LINE and not line.endswith(("\n", "\r")):
            return self._skip(line)
        return line

    def _read(self) -> str:
        try:
            return self.file.readline(MAX_LINE)
        except UnicodeError as error:
            raise self._undecodable(self.number + 1) from error

    def _skip(self, line: str) -> str:
        """Pass over the rest of a line that is too long. An odd quote in it would decide where the row ends."""
        quotes, length = line.count('"'), len(line)
        while line and not line.endswith(("\n", "\r")):
            line = self._read()
            quotes, length = quotes + line.count('"'), length + len(line)
        if quotes % 2:
            raise _unclosed_quote(self.number)
        self.problem = f"Line {self.number} is {length:,} characters long: {MAX_LINE - 1:,} is the most."
        return SKIPPED_LINE

    def _undecodable(self, number: int, line: str = "") -> FileProblem:
        advice = "--encoding cp1252 fits most files that Excel on Windows has saved"
        if line.startswith(UTF16_MARKS):
            advice = "it begins like --encoding utf-16"
        text = f"This is not {self.encoding.removesuffix('-sig')}. Run it again with the file's own encoding: {advice}."
        return FileProblem(number, text)


class Seen:
    """Which texts came on which line first, and how often. On disk: a million of them would fill the memory."""

    def __init__(self) -> None:
        self._database = sqlite3.connect("", isolation_level=None)  # a temporary file, gone with the connection
        self._database.execute("CREATE TABLE seen (text PRIMARY KEY, line, times) WITHOUT ROWID")
        self._database.execute("BEGIN")

    def add(self, text: str, line: int) -> tuple[int, int]:
        """Note that the text is on this line; the line where it came first, and how many times it came."""
        self._database.execute(
            "INSERT INTO seen VALUES (?, ?, 1) ON CONFLICT (text) DO UPDATE SET times = times + 1", (text, line)
        )
        line, times = self._database.execute("SELECT line, times FROM seen WHERE text = ?", (text,)).fetchone()
        return line, times

    def __contains__(self, text: object) -> bool:
        return self._database.execute("SELECT 1 FROM seen WHERE text = ?", (text,)).fetchone() is not None


def neutral(cell: object) -> str:
    """The cell as text that no spreadsheet takes for a formula (S32), with an apostrophe before it.

    One that has apostrophes before it gets another, so that `restored` gives back every text.
    """
    text = str(cell)
    return f"'{text}" if text.lstrip("'").startswith(FORMULA) else text


def restored(text: str) -> str:
    """What the cell was before `neutral`."""
    return text[1:] if NEUTRAL.match(text) else text
