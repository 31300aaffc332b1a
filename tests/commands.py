"""Running management commands: in this process, or as real processes on the database of the test."""

import csv
import os
import subprocess
import sys
from io import StringIO
from pathlib import Path
from typing import NamedTuple

from django.core.management import CommandError, call_command

from tests.server import ROOT, database_url


class Ran(NamedTuple):
    """How a command ended: exit code, standard output, standard error."""

    code: int
    out: str
    err: str


def run(name: str, *arguments: object) -> Ran:
    """Run a command in this process, as the command line would."""
    out, err = StringIO(), StringIO()
    try:
        call_command(name, *map(str, arguments), stdout=out, stderr=err)
    except CommandError as error:
        return Ran(error.returncode, out.getvalue(), f"{err.getvalue()}{error}")
    return Ran(0, out.getvalue(), err.getvalue())


def start(name: str, *arguments: object, stderr: int = subprocess.PIPE, **environment: str) -> subprocess.Popen[str]:
    """Start a command as a process of its own."""
    return subprocess.Popen(
        [sys.executable, ROOT / "manage.py", name, *map(str, arguments)],
        env={**os.environ, "DATABASE_URL": database_url(), **environment},
        stdout=subprocess.PIPE,
        stderr=stderr,
        text=True,
    )


def end(process: subprocess.Popen[str]) -> Ran:
    out, err = process.communicate(timeout=300)
    return Ran(process.returncode, out, err)


def write_csv(path: Path, *rows: str, header: str = "license_key,owner_email,owner_name,reference") -> Path:
    path.write_bytes("".join(f"{row}\n" for row in (header, *rows)).encode())
    return path


def read_csv(path: Path | str) -> list[dict[str, str]]:
    csv.field_size_limit(10_000_000)
    with Path(path).open(newline="") as file:
        return list(csv.DictReader(file))


def results(path: Path) -> list[tuple[str, str, str]]:
    return [(row["line"], row["license_key"], row["outcome"]) for row in read_csv(f"{path}.results.csv")]


def errors(path: Path) -> dict[int, str]:
    return {int(row["line"]): row["problem"] for row in read_csv(f"{path}.errors.csv")}
