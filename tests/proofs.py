"""The table of the bar: from what pytest wrote about its runs to a line or two for every statement."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from textwrap import fill
from typing import NamedTuple
from xml.etree import ElementTree

from tests.bar import BAR, Statement

WIDTH = 120


class Proof(NamedTuple):
    """A test that proves a statement, and how it ended on this database: passed, failed or skipped."""

    statement: str
    file: str
    database: str
    outcome: str


class Row(NamedTuple):
    """One statement of the table; `verdict` is passed, FAILED, skipped, open, in part, not run."""

    name: str
    verdict: str
    proofs: list[Proof]


def read_proofs(junit: Path, database: str) -> Iterator[Proof]:
    """What a run says of the statements: their names stand in its file as properties of the tests."""
    for case in ElementTree.parse(junit).iter("testcase"):
        file = case.get("classname", "").removeprefix("tests.").replace(".", "/")
        for element in case.iter("property"):
            if element.get("name") == "statement":
                yield Proof(str(element.get("value")), file, database, _outcome(case))


def _outcome(case: ElementTree.Element) -> str:
    if case.find("failure") is not None or case.find("error") is not None:
        return "failed"
    return "passed" if case.find("skipped") is None else "skipped"


def make_rows(proofs: Iterable[Proof], *, whole: bool, bar: Mapping[str, Statement] = BAR) -> list[Row]:
    """A row for every statement. `whole`: the whole suite was asked for, so that what has no test is open."""
    found = defaultdict(list)
    for proof in proofs:
        found[proof.statement].append(proof)
    return [Row(name, _verdict(found[name], statement, whole), found[name]) for name, statement in bar.items()]


def _verdict(proofs: list[Proof], statement: Statement, whole: bool) -> str:
    outcomes = {proof.outcome for proof in proofs}
    if "failed" in outcomes:
        return "FAILED"
    if "passed" in outcomes:
        return "in part" if statement.open else "passed"
    if outcomes:
        return "skipped"
    if not whole:
        return "not run"
    return "open" if statement.open else "NO TEST"


def show(rows: Iterable[Row], bar: Mapping[str, Statement] = BAR) -> str:
    """The table as text: verdict, statement, where it is proved and with how many tests, and what is open of it."""
    return "\n".join(line for row in rows for line in _lines(row, bar[row.name]))


def _lines(row: Row, statement: Statement) -> Iterator[str]:
    yield _wrapped(f"  {row.name:<4} {row.verdict:<8} {statement.text}")
    if row.proofs:
        yield _wrapped(f"{' ' * 16}{_numbers(row.proofs)}: {', '.join(sorted({proof.file for proof in row.proofs}))}")
    if statement.open:
        yield _wrapped(f"{' ' * 16}open: {statement.open}")


def _wrapped(line: str) -> str:
    return fill(line, WIDTH, subsequent_indent=" " * 16, break_on_hyphens=False)


def _numbers(proofs: list[Proof]) -> str:
    """ "PostgreSQL 12 passed, SQLite 3 passed 1 skipped"."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for proof in proofs:
        counts[proof.database][proof.outcome] += 1
    return ", ".join(
        " ".join((database, *(f"{number} {outcome}" for outcome, number in sorted(found.items()))))
        for database, found in counts.items()
    )


def summary(rows: Iterable[Row]) -> str:
    counts = Counter(row.verdict for row in rows)
    return ", ".join(f"{number} {verdict}" for verdict, number in counts.most_common())


def hold(rows: Iterable[Row]) -> bool:
    """Whether no statement failed and none was forgotten."""
    return not {row.verdict for row in rows} & {"FAILED", "NO TEST"}
