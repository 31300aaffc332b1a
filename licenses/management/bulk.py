"""Streaming a CSV file through a service: options, progress, files of results and errors, stopping, exit code."""

import signal
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError, CommandParser
from django.db import OperationalError

from licenses.management.base import INTERRUPTED, REFUSED, UNUSABLE, PortalCommand, unusable, whole_number
from licenses.management.progress import progress
from licenses.management.report_files import Reports
from licenses.services.batches import batched, give_way
from licenses.services.csv_files import CsvFile, FileProblem, Record, Seen
from licenses.services.rows import RowOutcome

LARGEST_BATCH = 5_000  # rows; their license keys stay locked for one transaction

GO_ON = "What is done stays done: run the same command again to do the rest."


def ignore(_line: int, _text: str) -> None:
    """For a reading of the file whose notices were told before, or will be."""


class BulkCommand(PortalCommand):
    """A command about a CSV file. A subclass names the columns, turns a record into a row and processes batches."""

    known: tuple[str, ...]
    required: tuple[str, ...]
    report_columns: tuple[str, ...]  # attributes of a row that the file of results repeats
    refused_outcome: str

    def add_file_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--encoding", default="utf-8", help="How the file is encoded (default: %(default)s).")
        parser.add_argument(
            "--batch-size",
            type=whole_number(1, LARGEST_BATCH),
            default=500,
            help="Rows in one transaction (default: %(default)s).",
        )
        parser.add_argument("--results", metavar="FILE", help="What became of each row (default: FILE.results.csv).")
        parser.add_argument("--errors", metavar="FILE", help="Lines and what is wrong (default: FILE.errors.csv).")

    def rows(self, file: CsvFile, seen: Seen, *, notice: Callable[[int, str], None] = ignore) -> Iterator[Any]:
        """The rows of the file; `seen` learns what is in them, `notice` what is worth telling and no row."""
        for record in file.records():
            if record.is_blank:
                notice(record.line, "This line is blank and was passed over.")
            else:
                yield self.read_row(record, seen)

    def read_row(self, record: Record, seen: Seen) -> Any:
        raise NotImplementedError

    def process(self, rows: Sequence[Any]) -> Sequence[RowOutcome[Any]]:
        """Do one batch: one call of a service, one transaction."""
        raise NotImplementedError

    def open_file(self, name: str, encoding: str) -> CsvFile:
        path = Path(name)
        if not path.is_file():
            raise unusable(f"{name}: there is no such file (it is read twice, so a pipe will not do).")
        try:
            with explained(path):
                return CsvFile(path, encoding=encoding, known=self.known, required=self.required)
        except LookupError as error:
            raise unusable(f"{error}: give an encoding like utf-8, cp1252 or utf-16.") from error

    def survey(self, file: CsvFile) -> tuple[int, Seen]:
        """How many rows there are, and what is in them. What is wrong with the file as a whole shows now."""
        seen = Seen()
        with explained(file.path):
            return sum(1 for _ in self.rows(file, seen)), seen

    def open_reports(self, file: CsvFile, options: dict[str, Any], suffix: str = "") -> Reports:
        self.results = Path(options["results"] or f"{file.path}{suffix}.results.csv")
        self.errors = Path(options["errors"] or f"{file.path}{suffix}.errors.csv")
        if len({path.resolve() for path in (file.path, self.results, self.errors)}) < 3:  # noqa: PLR2004  three files
            raise unusable("The file, --results and --errors must be three different files.")
        with explained(file.path):
            reports = Reports(self.results, self.errors, columns=self.report_columns)
        for line, text in file.notices:
            self.say(f"Warning: line {line}: {text}")
        return reports

    def run_batches(self, file: CsvFile, reports: Reports, *, total: int, batch_size: int) -> None:
        """Read, process and report batch by batch; CommandError after the batch in which somebody asked to stop."""
        notices = list(file.notices)
        rows = self.rows(file, Seen(), notice=lambda line, text: notices.append((line, text)))
        done = 0
        with (
            explained(file.path, GO_ON, INTERRUPTED),
            progress(self, total, "rows") as show,
            stop_requests() as must_stop,
        ):
            for batch in batched(rows, batch_size):
                reports.write(self.process(batch), notices)
                notices.clear()
                done += len(batch)
                show(done)
                if must_stop() and done < total:
                    raise CommandError(f"Stopped after {done:,} of {total:,} rows. {GO_ON}", returncode=INTERRUPTED)
                give_way()
            reports.write([], notices)

    def conclude(self, reports: Reports, summary: str, advice: str) -> None:
        """Say how it went; with refused rows as an error, which sets the exit code."""
        refused = reports.counts[self.refused_outcome]
        text = f"{summary}\nResults: {self.results}\nErrors: {self.errors}"
        if refused:
            raise CommandError(f"{text}\n{advice}", returncode=REFUSED)
        self.stdout.write(text)


@contextmanager
def explained(path: Path, advice: str = "Nothing was done.", code: int = UNUSABLE) -> Iterator[None]:
    """Turn what can go wrong while a file is worked on into an error that names it and says how to go on."""
    try:
        yield
    except FileProblem as error:
        raise CommandError(f"{path}, {error} {advice}", returncode=code) from error
    except OSError as error:
        raise CommandError(f"{error.filename or path}: {error.strerror}. {advice}", returncode=code) from error
    except OperationalError as error:
        raise CommandError(f"The database does not serve: {error}\n{advice}", returncode=code) from error
    except sqlite3.Error as error:
        raise CommandError(f"The folder for temporary files: {error}. {advice}", returncode=code) from error


@contextmanager
def stop_requests() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM asked to stop: the first stops after the batch, the second at once."""
    asked = []

    def ask(number: int, _: object) -> None:
        asked.append(number)
        signal.signal(number, signal.default_int_handler)

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield lambda: bool(asked)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
