"""The worker beside the server of `make run`: started, and started again when it dies.

The server holds the other end of this process's standard input, and this one that of the worker's: whoever ends, also
by SIGKILL, the ones behind it see the end of their input and end too. Nothing here loads Django.
"""

import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

say = partial(print, file=sys.stderr, flush=True)
BASE_DIR = Path(__file__).resolve().parent.parent
WORKER = [sys.executable, "manage.py", "run_worker", "--until-input-ends"]
LOOK_EVERY = 0.2  # seconds
FIRST_DELAY, LONGEST_DELAY = 1.0, 60.0  # seconds before a worker that died is started again
PATIENCE = 20.0  # seconds that a worker gets for what it is doing, as deploy/gunicorn.conf.py gives requests


def main() -> None:
    asked: list[int] = []
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: asked.append(number))
    keep(lambda: bool(asked) or server_is_gone())


def server_is_gone() -> bool:
    """Waits a little for the end of the input, so that whoever asks in a loop is not busy."""
    ready, _, _ = select.select([sys.stdin], [], [], LOOK_EVERY)
    return bool(ready)  # nobody ever writes there


def keep(must_stop: Callable[[], bool]) -> None:
    delay = FIRST_DELAY
    while not must_stop():
        started_at = time.monotonic()
        worker = start()
        while worker.poll() is None and not must_stop():
            pass
        if must_stop():
            stop(worker)
            return
        if time.monotonic() - started_at > LONGEST_DELAY:
            delay = FIRST_DELAY
        say(f"worker: {reason(worker.returncode)}. It is started again in {delay:.0f} s.")
        pause(delay, must_stop)
        delay = min(2 * delay, LONGEST_DELAY)


def start() -> "subprocess.Popen[bytes]":
    """Deaf to Ctrl-C while it is still loading, which would end in a traceback: the end of its input stops it too."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        return subprocess.Popen(WORKER, cwd=BASE_DIR, stdin=subprocess.PIPE)  # noqa: S603  our own command
    finally:
        signal.signal(signal.SIGINT, before)


def stop(worker: "subprocess.Popen[bytes]") -> None:
    """Let it end what it is doing. Not by a signal: it may have got one already, and a second one means: at once."""
    if worker.stdin:
        worker.stdin.close()
    try:
        worker.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        say(f"worker: It did not end within {PATIENCE:.0f} s and was killed.")
        worker.kill()
        worker.wait()


def reason(code: int) -> str:
    return f"It ended with exit code {code}" if code >= 0 else f"It was killed ({signal.Signals(-code).name})"


def pause(seconds: float, must_stop: Callable[[], bool]) -> None:
    ends_at = time.monotonic() + seconds
    while time.monotonic() < ends_at and not must_stop():
        pass


if __name__ == "__main__":
    main()
