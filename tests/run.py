"""`make test`: the suite on a real PostgreSQL, then on SQLite what can differ there, and in plain words what ran, what
did not and why, and which statements of the bar (tests/bar.py) that proves.

PostgreSQL is the one at TEST_DATABASE_URL, else one on this machine that lets us in, else an embedded one;
TEST_POSTGRES=embedded goes straight to the last.
"""

import getpass
import os
import signal
import sqlite3
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from xml.etree import ElementTree

import psycopg

from tests import proofs
from tests.postgres import embedded

OLDEST = 140_000  # PostgreSQL 14: what this Django supports
# Of this checkout: another one on this machine may run its suite at the same time
DATABASE = f"licensing_portal_{sha256(str(Path(__file__).resolve()).encode()).hexdigest()[:8]}"
PROCESSES = ("-n", "2")  # see tests/together.py


@dataclass(frozen=True)
class Database:
    """Where the suite runs; an empty URL is SQLite."""

    name: str
    where: str
    url: str = ""


@dataclass(frozen=True)
class Result:
    database: Database
    passed: bool
    words: str
    skipped: Counter[str]
    proofs: list[proofs.Proof]


def main() -> int:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("Stopped."))  # so that the servers are stopped too
    arguments, results, absent = sys.argv[1:], [], ""
    whole = not arguments
    try:
        with some_postgres() as database:
            results.append(run_suite(database, arguments))
    except (RuntimeError, FileNotFoundError, psycopg.Error) as problem:
        absent = str(problem).strip()
    if results and "-m" not in arguments:
        arguments = [*arguments, "-m", "not once"]
    results.append(run_suite(Database(f"SQLite {sqlite3.sqlite_version}", "in a file"), arguments))
    held = report_bar(results, whole=whole)
    report(results, absent)
    return 0 if held and all(result.passed for result in results) and not (absent and must_have_postgres()) else 1


def must_have_postgres() -> bool:
    return bool(os.environ.get("REQUIRE_POSTGRES") or os.environ.get("TEST_DATABASE_URL"))


@contextmanager
def some_postgres() -> Iterator[Database]:
    """The first PostgreSQL there is. Raises with the reason when there is none."""
    url = os.environ.get("TEST_DATABASE_URL", "")
    if url:
        yield Database(f"PostgreSQL {version_of(url)}", "at TEST_DATABASE_URL", url)
    elif os.environ.get("TEST_POSTGRES") != "embedded" and (url := on_loopback()):
        yield Database(f"PostgreSQL {version_of(url)}", "at 127.0.0.1:5432", url)
    else:
        with embedded() as url:
            yield Database(f"PostgreSQL {version_of(url)}", "embedded, started for this run", url)


def on_loopback() -> str:
    """The URL of a PostgreSQL here that lets us make databases without a password, else nothing."""
    for user in dict.fromkeys(("postgres", getpass.getuser())):
        url = f"postgres://{user}@127.0.0.1:5432/{DATABASE}"
        try:
            with connected(url) as connection:
                may = connection.execute("SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user")
                if may.fetchone() == (True,) and connection.info.server_version >= OLDEST:
                    return url
        except psycopg.OperationalError:
            continue
    return ""


def connected(url: str) -> psycopg.Connection:
    """A connection to the server's own database: the suite's one is made by the suite."""
    return psycopg.connect(url, dbname="postgres", connect_timeout=3)


def version_of(url: str) -> str:
    with connected(url) as connection:
        return connection.execute("SHOW server_version").fetchone()[0].split()[0]


def run_suite(database: Database, arguments: list[str]) -> Result:
    """Run pytest on the database in a folder of its own."""
    print(f"\n=== {database.name}, {database.where} ===\n", flush=True)
    with tempfile.TemporaryDirectory(prefix="portal-tests-", ignore_cleanup_errors=True) as folder:
        junit = Path(folder) / "junit.xml"
        command = [sys.executable, "-m", "pytest", "-q", *PROCESSES, f"--junitxml={junit}", *arguments]
        variables = os.environ | {"TEST_WORK_DIR": folder, "DATABASE_URL": database.url}
        passed = subprocess.run(command, env=variables, check=False).returncode == 0
        return Result(database, passed, *read_junit(junit, database.name.split()[0]))


def read_junit(junit: Path, database: str) -> tuple[str, Counter[str], list[proofs.Proof]]:
    """What happened in words, the reasons of what was skipped with their numbers, and what it proves of the bar."""
    if not junit.exists():
        return "the suite did not start", Counter(), []
    suite = ElementTree.parse(junit).getroot()[0]
    count = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failed = count["failures"] + count["errors"]
    passed = count["tests"] - failed - count["skipped"]
    words = f"{passed} passed, {failed} failed, {count['skipped']} skipped in {float(suite.get('time', 0)):.0f} s"
    skipped = Counter(str(element.get("message")) for element in suite.iter("skipped"))
    return words, skipped, list(proofs.read_proofs(junit, database))


def report_bar(results: list[Result], *, whole: bool) -> bool:
    """Print what was proved; False when a statement failed or has no test and nobody has said so."""
    rows = proofs.make_rows((proof for result in results for proof in result.proofs), whole=whole)
    shown = rows if whole else [row for row in rows if row.proofs]
    print(f"\nThe bar: {proofs.summary(rows)}\n\n{proofs.show(shown)}")
    return proofs.hold(rows)


def report(results: list[Result], absent: str) -> None:
    print("\nWhat ran")
    for result in results:
        verdict = "passed" if result.passed else "FAILED"
        print(f"  {verdict}  {result.database.name} ({result.database.where}): {result.words}")
    if absent:
        print(f"  {'FAILED' if must_have_postgres() else 'did not run'}  PostgreSQL: {absent}")
    for result in results:
        for reason, number in result.skipped.most_common():
            print(f"  skipped {number} on {result.database.name}: {reason}")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
