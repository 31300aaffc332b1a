"""The files that commands write, readable by their owner alone: what became of each row, and what is wrong."""

import csv
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, TextIO

from licenses.services.csv_files import neutral
from licenses.services.rows import RowOutcome


class Reports:
    """The files of results and of errors. Both are written anew by each run, and readable by their owner alone."""

    def __init__(self, results: Path, errors: Path, *, columns: Sequence[str]) -> None:
        self.counts: Counter[str] = Counter()
        self._files = [create_private_file(path) for path in (results, errors)]
        self._results, self._errors = (csv.writer(file) for file in self._files)
        self._results.writerow(("line", "license_key", "outcome", *columns))
        self._errors.writerow(("line", "problem"))
        self._columns = columns
        self._flush()  # a full disk shows before anything is done

    def __enter__(self) -> "Reports":
        return self

    def __exit__(self, *_: object) -> None:
        for file in self._files:
            with suppress(OSError):  # every batch was flushed: where closing fails, that has failed before
                file.close()

    def write(self, outcomes: Sequence[RowOutcome[Any]], notices: Iterable[tuple[int, str]] = ()) -> None:
        """Write what became of a batch; `notices` are lines worth telling that are no rows."""
        for row, outcome, license_key, _ in outcomes:
            extra = [getattr(row, column) for column in self._columns]
            self._results.writerow(neutral(cell) for cell in (row.line, license_key, outcome, *extra))
        problems = [(outcome.row.line, outcome.problem) for outcome in outcomes if outcome.problem]
        self._errors.writerows((line, neutral(problem)) for line, problem in sorted([*problems, *notices]))
        self.counts.update(outcome.outcome for outcome in outcomes)
        self._flush()

    def _flush(self) -> None:
        for file in self._files:
            file.flush()


def create_private_file(path: Path, *, overwrite: bool = True) -> TextIO:
    """A text file to write, readable by its owner alone: license keys and addresses are in it."""
    number = os.open(path, os.O_WRONLY | os.O_CREAT | (os.O_TRUNC if overwrite else os.O_EXCL), 0o600)
    return os.fdopen(number, "w", encoding="utf-8", newline="")
