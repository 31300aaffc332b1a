"""Generated requests over every endpoint with hostile values: `python -m tests.fuzz --requests 100000`.

The portal is a real gunicorn on a database of its own: PostgreSQL by DATABASE_URL, else SQLite. Every answer is
looked at, none is sampled: no 5xx, under /api/v1/ sealed with a signature that verifies and a code that the endpoint
documents; at the end no traceback in the log, and what never may be is not in the database. The same seed makes the
same requests; what is wrong is printed as a line to paste.
"""

import argparse
import http.client
import json
import os
import socket
import sys
import time
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing import get_context
from multiprocessing.queues import Queue
from typing import Any

if __name__ == "__main__":
    import tests.environment  # noqa: F401  the variables, before Django reads its settings

    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "licensing_portal.settings")
    import django

    django.setup()

from licenses import signing
from licenses.api.schema import codes_of
from licenses.codes import Code
from tests.fuzz_requests import V1, Maker, Request, World
from tests.fuzz_world import broken_rules, make_world, public_keys
from tests.server import Server, collect_static_files, running_portal

SECONDS = 60  # for one answer
MOST_SHOWN = 20
STEP = 100  # answers between two words to the parent
ANY_ENDPOINT = {code.value.number for code in (Code.MALFORMED_REQUEST, Code.REQUEST_TOO_LARGE, Code.UNKNOWN_ENDPOINT)}
VARIABLES = {"PRODUCT_SIGNING_KEYS": "false", "SETTINGS_REQUESTS_PER_MINUTE": "1000000", "LOG_LEVEL": "WARNING"}


@dataclass(frozen=True)
class Answer:
    """What came back; status 0 is a connection that was closed without a word."""

    status: int
    media_type: str = ""
    body: bytes = b""


@dataclass
class Findings:
    """What a part of the run saw."""

    statuses: Counter[int] = field(default_factory=Counter)
    codes: Counter[str] = field(default_factory=Counter)
    problems: list[str] = field(default_factory=list)

    def add(self, other: "Findings") -> None:
        self.statuses += other.statuses
        self.codes += other.codes
        self.problems += other.problems

    @property
    def count(self) -> int:
        return self.statuses.total()


class Caller:
    """Sends raw requests over one connection for as long as it lasts."""

    def __init__(self, port: int) -> None:
        self.port, self.connection = port, None

    def send(self, request: Request) -> Answer:
        reused = self.connection is not None
        answer = self._try(request)
        if answer.status == 0 and reused:  # the server had closed it in the meantime
            self._close()
            answer = self._try(request)
        return answer

    def _try(self, request: Request) -> Answer:
        if self.connection is None:
            self.connection = socket.create_connection(("127.0.0.1", self.port), timeout=SECONDS)
        try:
            self.connection.sendall(request.raw(f"127.0.0.1:{self.port}"))
            if request.broken:
                self.connection.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # it may have answered, and closed, before it had read everything
        return self._answer(request)

    def _answer(self, request: Request) -> Answer:
        found = http.client.HTTPResponse(self.connection, method=request.method)
        try:
            found.begin()
            answer = Answer(found.status, found.getheader("Content-Type", ""), found.read())
        except (OSError, http.client.HTTPException):
            answer = Answer(0)
        if answer.status == 0 or found.will_close or request.broken:
            self._close()
        return answer

    def _close(self) -> None:
        if self.connection is not None:
            self.connection.close()
        self.connection = None


class Judge:
    """Says what is wrong with an answer; nothing when all is well."""

    def __init__(self, keys: dict[str, list[str]]) -> None:
        self.keys = keys  # public halves, by the label of an envelope

    def problem(self, request: Request, answer: Answer) -> str:
        if answer.status >= 500:
            return f"{answer.status}: {answer.body[:300]!r}"
        if answer.status == 0:
            return "" if request.broken else "closed without an answer"
        if not request.target.startswith(V1) or request.method == "HEAD":
            return ""
        if answer.status in (200, 206) and request.row and request.row.paths == ("download/<token>",):
            return ""  # the file itself
        return self._unsealed(answer) or _undocumented(request, answer)

    def _unsealed(self, answer: Answer) -> str:
        try:
            envelope = json.loads(answer.body)
            verify = _verify_for_sdks if "success" in envelope else signing.verify
            if any(verify(envelope, key) for key in self.keys[envelope["private_key_used"]]):
                return ""
        except (ValueError, KeyError, TypeError):
            pass
        return f"not sealed: {answer.status} {answer.media_type} {answer.body[:300]!r}"


def _verify_for_sdks(envelope: dict[str, Any], public_key: str) -> bool:
    """Their signature covers the JSON of everything beside it."""
    signed = {name: value for name, value in envelope.items() if name != "signature"}
    return signing.verify_text(signing.encode_portable(signed), envelope["signature"], public_key)


def _is_json(answer: Answer) -> bool:
    return answer.media_type == "application/json"


def _undocumented(request: Request, answer: Answer) -> str:
    number = json.loads(answer.body)["response"]["code"]
    if request.row is None:
        return ""
    if request.method.lower() not in request.row.methods:
        expected = {Code.METHOD_NOT_ALLOWED.value.number}
    else:
        expected = {code.value.number for code in codes_of(request.row, request.method)}
    return "" if number in expected | ANY_ENDPOINT else f"{number} is not documented here"


def fuzz_part(port: int, maker: Maker, judge: Judge, numbers: Iterable[int]) -> Iterator[Findings]:
    """Send the requests of these numbers; yields what was found after every few."""
    caller, found = Caller(port), Findings()
    for number in numbers:
        request = maker.make(number)
        answer = caller.send(request)
        found.statuses[answer.status] += 1
        if request.row and _is_json(answer) and answer.body:
            found.codes[f"{request.row.paths[0]} {_code(answer)}"] += 1
        if problem := judge.problem(request, answer):
            found.problems.append(f"#{number} {problem}\n  {request.curl(f'http://127.0.0.1:{port}')}")
        if found.count >= STEP:
            yield found
            found = Findings()
    yield found


def _code(answer: Answer) -> Any:
    try:
        return json.loads(answer.body)["response"]["code"]
    except (ValueError, KeyError, TypeError):
        return "?"


def work(queue: "Queue[Findings | None]", *part: Any) -> None:
    try:
        for found in fuzz_part(*part):
            queue.put(found)
    finally:
        queue.put(None)


def fuzz(server: Server, world: World, *, seed: int, requests: int, processes: int, talk: bool = False) -> Findings:
    """Send the requests from some processes at once and gather what they find."""
    context = get_context("fork")
    queue: Queue[Findings | None] = context.Queue()
    maker, judge = Maker(world, seed), Judge(public_keys())
    parts = [range(first, requests, processes) for first in range(processes)]
    workers = [context.Process(target=work, args=(queue, server.port, maker, judge, part)) for part in parts]
    for worker in workers:
        worker.start()
    total, started, said = Findings(), time.monotonic(), 0
    running = processes
    while running:
        if found := queue.get(timeout=2 * SECONDS):
            total.add(found)
        else:
            running -= 1
        if talk and total.count - said >= requests / 50:
            said = total.count
            rate = said / (time.monotonic() - started)
            print(f"  {said:>7} of {requests}, {rate:.0f} a second, {len(total.problems)} wrong", flush=True)
    return total


def log_problems(server: Server) -> list[str]:
    """The lines of the server's log that nobody's request may cause."""
    text = server.log.read_text(errors="replace")
    return [line for line in text.splitlines() if "Traceback" in line or "CRITICAL" in line or "crashed" in line]


def run(*, seed: int, requests: int, processes: int = 2, talk: bool = False) -> Findings:
    """A world, a portal, the requests, and what is to be seen afterwards; on the database of this process."""
    world = make_world()
    collect_static_files()
    with running_portal(workers=2, threads=4, **VARIABLES) as server:
        found = fuzz(server, world, seed=seed, requests=requests, processes=processes, talk=talk)
        found.problems += [f"log: {line}" for line in log_problems(server)]
    found.problems += [f"database: {problem}" for problem in broken_rules()]
    return found


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--requests", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--processes", type=int, default=2)
    options = parser.parse_args()
    from django.db import connection
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        print(f"{options.requests} requests, seed {options.seed}, {connection.vendor}", flush=True)
        started = time.monotonic()
        found = run(talk=True, **vars(options))
    finally:
        connection.close()
        teardown_databases(databases, verbosity=0)
    seconds = time.monotonic() - started
    print(f"{found.count} answers in {seconds:.0f} s, {len(found.codes)} different answers of endpoints")
    print("  " + ", ".join(f"{number} x {status}" for status, number in sorted(found.statuses.items())))
    print("\n".join(found.problems[:MOST_SHOWN]) or "nothing wrong")
    if len(found.problems) > MOST_SHOWN:
        print(f"and {len(found.problems) - MOST_SHOWN} more")
    return 1 if found.problems else 0


if __name__ == "__main__":
    sys.exit(main())
