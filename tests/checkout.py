"""A copy of the checkout as somebody else would have it, and the portal run from there as `make run` runs it."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import urllib3
from django.conf import settings

from tests.server import ROOT, START_SECONDS, free_port

LEFT_OUT = shutil.ignore_patterns(".*", "data", "tests", "bench", "__pycache__")


def copy_checkout(folder: Path) -> Path:
    """Without a .env file, data or anything else that this machine has added."""
    return shutil.copytree(ROOT, folder / "portal", ignore=LEFT_OUT)


@contextlib.contextmanager
def empty_database() -> Iterator[dict[str, str]]:
    """The variables for a portal on an empty database of the kind that the suite runs on. SQLite needs none."""
    database = settings.DATABASES["default"]
    if database["ENGINE"].endswith("sqlite3"):
        yield {}
        return
    name = f"portal_{uuid.uuid4().hex[:12]}"
    server = f"postgres://{database['USER']}:{database['PASSWORD']}@{database['HOST']}:{database['PORT'] or 5432}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        yield {"DATABASE_URL": f"{server}/{name}"}
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


class Run:
    """`python -m licensing_portal.quickstart` in a checkout. `said` is what it has printed so far."""

    def __init__(self, checkout: Path, port: int, **variables: str) -> None:
        self.checkout, self.url = checkout, f"http://127.0.0.1:{port}"
        clean = {name: os.environ[name] for name in ("PATH", "HOME") if name in os.environ}
        self.output = checkout.parent / f"run-{port}-{uuid.uuid4().hex[:6]}.log"
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "licensing_portal.quickstart"],
                cwd=checkout,
                env=clean | {"PORT": str(port), "LANG": "C.UTF-8"} | variables,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,  # a process group of its own, as a terminal gives it
            )

    def __enter__(self) -> "Run":
        return self

    def __exit__(self, *failure: object) -> None:
        """Whatever became of it, nothing is left of it."""
        if self.process.poll() is None:
            self.stop(signal.SIGKILL)

    @property
    def said(self) -> str:
        return self.output.read_text()

    def shown(self, name: str) -> str:
        """The secret after this word, on the first run."""
        found = re.search(rf"^  {name} +(\S+)$", self.said, re.MULTILINE)
        assert found, self.said
        return found[1]

    def pasted(self) -> list[str]:
        """The lines to paste into a shell."""
        return re.findall(r"^(?:curl|openssl) .*$", self.said, re.MULTILINE)

    def wait_until_ready(self) -> "Run":
        deadline = time.monotonic() + START_SECONDS
        while time.monotonic() < deadline and self.process.poll() is None:
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                if urllib3.request("GET", f"{self.url}/readyz", retries=False).status == 200:
                    return self
            time.sleep(0.1)
        raise AssertionError(f"the portal did not start:\n{self.said}")

    def wait_until_said(self, words: str) -> str:
        """Everything it said, once these words are in it: a server writes its log after the answer."""
        deadline = time.monotonic() + START_SECONDS
        while words not in self.said and time.monotonic() < deadline:
            time.sleep(0.05)
        assert words in self.said
        return self.said

    def wait_until(self, happened: Callable[[], bool]) -> None:
        deadline = time.monotonic() + START_SECONDS
        while not happened() and self.process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.002)

    def kill_when(self, happened: Callable[[], bool]) -> None:
        """SIGKILL as soon as it has happened."""
        self.wait_until(happened)
        assert self.stop(signal.SIGKILL) == -signal.SIGKILL, self.said

    def processes(self) -> dict[str, int]:
        """What runs now of those that matter, by name: the server, the keeper of the worker, the worker."""
        found = {}
        for folder in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                _, _, facts = (folder / "stat").read_text().rpartition(")")
                state, _, group = facts.split()[:3]
                words = (folder / "cmdline").read_text()
                if int(group) == self.process.pid and state != "Z":
                    name = next((name for name in ("keep_worker", "run_worker") if name in words), "server")
                    found[name] = max(found.get(name, 0), int(folder.name))
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Ctrl-C, which reaches every process of the group, or another signal; returns the exit code."""
        os.killpg(self.process.pid, number)
        return self.process.wait(timeout=60)

    def stop_server(self, number: signal.Signals) -> int:
        """A signal to nothing but the process that was started."""
        os.kill(self.process.pid, number)
        return self.process.wait(timeout=60)

    def wait_until_gone(self) -> None:
        deadline = time.monotonic() + START_SECONDS
        while self.processes() and time.monotonic() < deadline:
            time.sleep(0.05)
        assert self.processes() == {}, self.said


@contextlib.contextmanager
def running(checkout: Path, **variables: str) -> Iterator[Run]:
    """A run that serves, stopped as people stop it."""
    with Run(checkout, free_port(), **variables) as run:
        yield run.wait_until_ready()
        if run.process.poll() is None:
            run.stop()
