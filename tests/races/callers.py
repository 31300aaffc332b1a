"""Callers in four real processes, each thread of them on a connection of its own, who all begin at the same moment."""

import os
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from multiprocessing import Barrier, Pipe, get_context
from multiprocessing.connection import Connection
from typing import Any, NamedTuple

import urllib3
from django.core.exceptions import ValidationError
from django.db import connection

from licenses.codes import Refused

PROCESSES, THREADS = 4, 3
ON_POSTGRESQL = connection.vendor == "postgresql"
ROUNDS = int(os.environ.get("RACE_ROUNDS", "20")) if ON_POSTGRESQL else 2  # SQLite has one writer: less to find
HTTP_ROUNDS = max(1, ROUNDS // 20)  # of these, through the real server: an answer that is sealed costs more than it
INVALID = "invalid"
http = urllib3.PoolManager(maxsize=THREADS, retries=False, timeout=60)


class Job(NamedTuple):
    """One call. What cannot be sent to another process (a function inside a function) cannot be one."""

    work: Callable[..., Any]
    arguments: dict[str, Any]

    def do(self) -> Any:
        """What it gives, a refusal as its number; anything else fails the test with the traceback."""
        try:
            return self.work(**self.arguments)
        except Refused as refused:
            return refused.code.value.number
        except ValidationError:
            return INVALID
        except Exception:
            return Accident(traceback.format_exc())


class Accident(str):
    """The traceback of what no caller may see."""


class Callers:
    """`callers(jobs)` has them done, in turn by each process, and returns what they gave in their order."""

    def __init__(self) -> None:
        connection.close()  # a connection must not be in two processes
        gate, context, self.lines = Barrier(PROCESSES), get_context("fork"), []
        for _ in range(PROCESSES):
            ours, theirs = Pipe()
            context.Process(target=serve, args=(theirs, gate), daemon=True).start()
            self.lines.append(ours)

    def __call__(self, jobs: Sequence[Job]) -> list[Any]:
        for number, line in enumerate(self.lines):
            line.send(jobs[number::PROCESSES])
        found: list[Any] = [None] * len(jobs)
        for number, line in enumerate(self.lines):
            found[number::PROCESSES] = line.recv()
        accidents = [result for result in found if isinstance(result, Accident)]
        assert not accidents, f"{len(accidents)} accidents, this is the first:\n{accidents[0]}"
        return found

    def count(self, jobs: Iterable[Job]) -> Counter[Any]:
        return Counter(self(list(jobs)))

    def close(self) -> None:
        for line in self.lines:
            line.send(None)
            line.recv()


def serve(line: Connection, gate: Any) -> None:
    """The life of one process: take jobs, wait until all the others have theirs, do them, say what came of them."""
    with ThreadPoolExecutor(THREADS) as pool:
        while (jobs := line.recv()) is not None:
            gate.wait()
            line.send(list(pool.map(Job.do, jobs)))
        list(pool.map(lambda _: connection.close(), range(THREADS * 3)))
    line.send(None)
    os._exit(0)


def post(url: str, endpoint: str, api_key: str, **params: Any) -> int | str:
    """A form POST as shops send it; the answer's code. A crash (5xx) is an accident."""
    fields = {"api_key": api_key, **params}
    answer = http.request("POST", f"{url}/api/v1/{endpoint}", fields=fields, encode_multipart=False)
    code: int | str = answer.json()["response"]["code"]
    if answer.status >= 500:
        raise RuntimeError(f"{endpoint} answered {answer.status} {code}")
    return code
