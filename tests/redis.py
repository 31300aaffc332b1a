"""A Redis of the test's own, as a process that can be stopped for real."""

import contextlib
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator

import redis

from tests.machine import missing
from tests.server import free_port


class OwnRedis:
    """`url` stays the same while it is stopped and started; what it held is gone then."""

    def __init__(self) -> None:
        self.port = free_port()
        self.url = f"redis://127.0.0.1:{self.port}/0"
        self.caches = {"default": {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": self.url}}
        self.client = redis.Redis(port=self.port)
        self.start()

    def start(self) -> None:
        command = ["redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--dir", "/tmp"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            with contextlib.suppress(redis.RedisError):
                self.client.ping()
                return
            time.sleep(0.05)
        raise RuntimeError("redis-server did not start")

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def hang(self) -> None:
        """It still holds its connections and answers nobody."""
        self.process.send_signal(signal.SIGSTOP)

    def wake(self) -> None:
        self.process.send_signal(signal.SIGCONT)


@contextlib.contextmanager
def own_redis() -> Iterator[OwnRedis]:
    if not shutil.which("redis-server"):
        missing("redis", "redis-server is not installed.")
    running = OwnRedis()
    try:
        yield running
    finally:
        running.stop()
