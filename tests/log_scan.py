"""S38: when the suite ends, all its logs are searched for the keys, passwords and tokens that it handed out.

Pytest loads this with `-p`. What this process logs goes through the portal's own formatter into a file, what servers
log is theirs already; every license key, contract key, session and password is noted as it passes through Django. What
is found in a log fails the run.
"""

import logging
import re
from collections.abc import Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.hashers import MD5PasswordHasher

from tests.environment import WORK_DIR, worker

WORD = re.compile(r"[A-Za-z0-9_-]{16,}")  # a shorter text may stand in a log for another reason
ALWAYS = re.compile(r"\blp_[A-Za-z0-9_-]{20,}|PRIVATE KEY-----[^*]|\bgAAAA[A-Za-z0-9_-]{40,}")  # whoever made them
NOTED = {  # what of which model is a secret
    "licenses.LicenseKey": "license_key",
    "licenses.Contract": "contract_key",
    "sessions.Session": "session_key",
}
LOG = WORK_DIR / f"in-process-{worker}.log"

secrets: set[str] = set()
leaks: list[str] = []


class NotingHasher(MD5PasswordHasher):
    """Sees every password that is set or tried."""

    def encode(self, password: str, salt: str) -> str:
        note(password)
        return super().encode(password, salt)


def note(text: object) -> None:
    """Remember a secret, if it is long enough and one word: most are, and words are found quickly in long logs."""
    if isinstance(text, str) and WORD.fullmatch(text):
        secrets.add(text)


def find_leaks(lines: Iterable[str], known: set[str]) -> Iterator[str]:
    """The lines that hold a known secret as a word of theirs, or what looks like a key whoever made it."""
    for line in lines:
        if ALWAYS.search(line) or not known.isdisjoint(WORD.findall(line)):
            yield line.rstrip("\n")


def scan(paths: Iterable[Path], known: set[str]) -> list[str]:
    return [f"{path.name}: {line}" for path in paths for line in find_leaks(path.open(errors="replace"), known)]


def pytest_configure(config: pytest.Config) -> None:
    from licensing_portal.logs import DeniedInOneLine, ScrubbingFormatter

    handler = logging.FileHandler(LOG, encoding="utf-8", errors="backslashreplace")
    handler.setFormatter(ScrubbingFormatter("{levelname} {name}: {message}", style="{"))
    handler.addFilter(DeniedInOneLine())
    logging.getLogger().addHandler(handler)


@pytest.fixture(scope="session", autouse=True)
def _noted() -> None:
    """Every row that is made or read, also by `bulk_create`: nothing else of Django's sees them all."""
    from django.db.models.signals import post_init

    for model, field in NOTED.items():
        receiver = partial(_note_field, field=field)
        post_init.connect(receiver, sender=model, weak=False)


def _note_field(instance: Any, field: str, **kwargs: Any) -> None:
    note(instance.__dict__.get(field))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A process of xdist hands over what it knows; the one that started them searches the logs of all."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["secrets"] = sorted(secrets)
        return
    leaks.extend(scan([*WORK_DIR.glob("in-process-*.log"), *WORK_DIR.glob("server-*.log")], secrets))
    if leaks and not session.exitstatus:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    secrets.update(getattr(node, "workeroutput", {}).get("secrets", []))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if leaks:
        terminalreporter.section("S38: the logs hold secrets", red=True, bold=True)
    for line in leaks[:20]:
        terminalreporter.write_line(line[:500])
