"""The real portal as processes: gunicorn on a free port of this machine, on the database of the test."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import urllib3
from django.db import connection

from licenses.models import ApiKey  # noqa: F401  the models are loaded before the processes are
from tests.environment import WORK_DIR
from tests.protocol import check_envelope

ROOT = Path(__file__).resolve().parent.parent
SERVER = [sys.executable, "-m", "gunicorn", "--config", "deploy/gunicorn.conf.py"]
START_SECONDS = 60


def database_url() -> str:
    """The test's own database, for another process."""
    settings = connection.settings_dict
    if connection.vendor == "sqlite":
        return f"sqlite:///{settings['NAME']}"
    user, password = settings["USER"], settings["PASSWORD"]
    credentials = f"{user}:{password}" if password else user
    return f"postgres://{credentials}@{settings['HOST']}:{settings['PORT'] or 5432}/{settings['NAME']}"


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Server:
    """A running portal. `post` returns the status, the headers and the checked `response` of an answer."""

    pid = 0  # of gunicorn's master process

    def __init__(self, port: int, log: Path) -> None:
        self.port, self.log = port, log
        self.url = f"http://127.0.0.1:{port}"
        self.pool = urllib3.PoolManager(maxsize=64, retries=False, timeout=60)

    def request(self, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        return self.pool.request(method, f"{self.url}{path}", **options)

    def call(self, endpoint: str, api_key: str, **params: Any) -> dict[str, Any]:
        """A form POST as shops send it; the envelope's signature is checked, its `response` returned."""
        http = self.request(
            "POST", f"/api/v1/{endpoint}", fields={"api_key": api_key, **params}, encode_multipart=False
        )
        self.status, self.envelope = http.status, http.json()
        check_envelope(http.headers["Content-Type"], self.envelope)
        return self.envelope["response"]

    def code(self, endpoint: str, api_key: str, **params: Any) -> int | str:
        """Only the code, without touching the test's own database connection: for many threads at once."""
        http = self.request(
            "POST", f"/api/v1/{endpoint}", fields={"api_key": api_key, **params}, encode_multipart=False
        )
        return http.json()["response"]["code"]


def server_environment(port: int, **variables: str) -> dict[str, str]:
    """For a server process on the test's database."""
    own = {"PORT": str(port), "DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "licensing_portal.settings"}
    own["COUNT_REFUSED_CALLS"] = "false"  # stored seconds later, when another test has the database
    return os.environ | own | variables


def collect_static_files() -> None:
    """What pages of a real server need, unless it is there already; in a process of its own: tests do without them."""
    if not (WORK_DIR / "staticfiles" / "staticfiles.json").exists():
        command = [sys.executable, ROOT / "manage.py", "collectstatic", "--no-input", "--verbosity", "0"]
        subprocess.run(command, env=server_environment(0), check=True)


@contextlib.contextmanager
def running_portal(*, workers: int = 2, threads: int = 4, **variables: str) -> Iterator[Server]:
    """Start gunicorn on the test database and stop it; its log is kept for the scan for secrets."""
    port = free_port()
    server = Server(port, WORK_DIR / f"server-{port}.log")
    environment = server_environment(port, PROCESSES=str(workers), THREADS=str(threads), **variables)
    with server.log.open("wb") as output:
        process = subprocess.Popen(SERVER, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT)
    server.pid = process.pid
    try:
        yield _started(server, process)
    finally:
        server.pool.clear()  # gunicorn waits two seconds for connections that are kept alive
        process.terminate()
        process.wait(timeout=30)


def _started(server: Server, process: subprocess.Popen[bytes]) -> Server:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        with contextlib.suppress(urllib3.exceptions.HTTPError):
            if server.request("GET", "/readyz").status == 200:
                return server
        time.sleep(0.1)
    raise RuntimeError(f"the portal did not start:\n{server.log.read_text()}")
