"""How often something may happen, exact across threads, processes and nodes (S20, S36).

A bucket is one number, the moment at which it is empty (GCRA): a try pours in `60 / per_minute` seconds, and there is
room for `burst` of them. Redis counts where CACHE_URL names one, by its own clock; otherwise, and while Redis does not
answer, the database does. What is taken inside a transaction is forgotten if that is rolled back: take it outside.
"""

import logging
import time
from functools import cache
from ipaddress import ip_address, ip_network
from threading import Lock

from django.conf import settings
from django.db import connection, transaction
from django.utils.crypto import salted_hmac
from redis import Redis
from redis.backoff import NoBackoff
from redis.commands.core import Script
from redis.exceptions import RedisError
from redis.retry import Retry

from licenses.models import ThrottleBucket

logger = logging.getLogger(__name__)

TIME_LIMIT = 0.5  # seconds for one answer of Redis
ASK_AGAIN_AFTER = 5.0  # seconds for which nobody asks a Redis that did not answer
TIDY_EVERY = 600.0  # seconds
FORGOTTEN_AT_ONCE = 10_000
ROUNDING = 0.01  # of one try: sums of such numbers are not exact, and the last try of a burst must pass


def take(name: str, *, burst: int, per_minute: float) -> float:
    """Count one try: 0.0 when it is allowed, else (nothing was counted) the seconds until the next one is.

    `burst` tries may come at once, `per_minute` in the long run; both are above 0. The name may hold what nobody else
    is to read: only a digest of it is kept.
    """
    return _ask(_digest(name), interval=60 / per_minute, burst=burst, count=True)


def wait_for(name: str, *, burst: int, per_minute: float) -> float:
    """What `take` would answer now, without counting and without a write."""
    return _ask(_digest(name), interval=60 / per_minute, burst=burst, count=False)


def network_of(address: str) -> str:
    """Whom an address stands for: in IPv6 everybody has a /64 of them."""
    try:
        found = ip_address(address)
    except ValueError:
        return address
    found = getattr(found, "ipv4_mapped", None) or found
    return str(ip_network((found, 64), strict=False)) if found.version == 6 else str(found)  # noqa: PLR2004


def _digest(name: str) -> str:
    """Keyed, because a plain digest of an IPv4 address is looked up in an hour."""
    text = name.encode("utf-8", "surrogatepass")  # it may hold what a caller sent
    return salted_hmac("licenses.throttles", text, algorithm="sha256").hexdigest()


def _ask(bucket: str, *, interval: float, burst: int, count: bool) -> float:
    room = (burst - 1 + ROUNDING) * interval  # how full it may be before a try, in seconds
    url = _redis_url()
    if url and not _absence.lasts():
        try:
            return _ask_redis(url, bucket, interval=interval, room=room, count=count)
        except RedisError as error:
            _absence.begin(error)
    if count:
        return _take_in_database(bucket, interval=interval, room=room)
    return _wait_in_database(bucket, room=room)


# Redis

_SCRIPT = """
local time = redis.call('TIME')
local now = time[1] + time[2] / 1000000
local empty_at = math.max(tonumber(redis.call('GET', KEYS[1]) or 0), now)
local wait = empty_at - now - ARGV[2]
if wait > 0 then return tostring(wait) end
if ARGV[3] == '1' then
  empty_at = empty_at + ARGV[1]
  redis.call('SET', KEYS[1], string.format('%.6f', empty_at), 'PX', math.ceil((empty_at - now) * 1000) + 1000)
end
return '0'
"""


def _redis_url() -> str:
    config = settings.CACHES["default"]
    return str(config["LOCATION"]) if config["BACKEND"].endswith(".RedisCache") else ""


@cache
def _script(url: str) -> Script:
    """Its connections are this process's own, and short of patience: the cache's wait as long as the network does."""
    client = Redis.from_url(
        url, socket_timeout=TIME_LIMIT, socket_connect_timeout=TIME_LIMIT, retry=Retry(NoBackoff(), 0), protocol=2
    )
    return client.register_script(_SCRIPT)


def _ask_redis(url: str, bucket: str, *, interval: float, room: float, count: bool) -> float:
    answer = _script(url)(keys=[f"throttle:{bucket}"], args=[repr(interval), repr(room), int(count)])
    return float(answer)


class _Absence:
    """Since when Redis is not asked in this process, and until when."""

    def __init__(self) -> None:
        self.ends_at = 0.0  # of time.monotonic
        self.lock = Lock()

    def lasts(self) -> bool:
        return time.monotonic() < self.ends_at

    def begin(self, error: RedisError) -> None:
        """One line in the log, however many threads see it at once."""
        with self.lock:
            if self.lasts():
                return
            self.ends_at = time.monotonic() + ASK_AGAIN_AFTER
        logger.error(
            "Redis does not answer (%s), so the database counts for the throttles; asking again in %.0f s",
            type(error).__name__,  # its text may quote the URL
            ASK_AGAIN_AFTER,
        )


_absence = _Absence()


# The database

_TAKE = """
INSERT INTO licenses_throttle_bucket AS bucket (name, empty_at) VALUES (%(name)s, {now} + %(interval)s)
ON CONFLICT (name) DO UPDATE SET empty_at = {greatest}(bucket.empty_at, {now}) + %(interval)s
WHERE bucket.empty_at - {now} <= %(room)s
RETURNING empty_at
"""
_WAIT = "SELECT empty_at - {now} - %(room)s FROM licenses_throttle_bucket WHERE name = %(name)s"
_DIALECTS = {  # one clock for all nodes; SQLite has but one node, and its own clock counts in milliseconds
    "postgresql": {"now": "extract(epoch FROM clock_timestamp())::float8", "greatest": "greatest"},
    "sqlite": {"now": "%(now)s", "greatest": "max"},
}


def _take_in_database(bucket: str, *, interval: float, room: float) -> float:
    _tidy_now_and_then()
    if _execute(_TAKE, name=bucket, interval=interval, room=room):
        return 0.0
    return _wait_in_database(bucket, room=room) or ROUNDING * interval  # it has become free since


def _wait_in_database(bucket: str, *, room: float) -> float:
    row = _execute(_WAIT, name=bucket, room=room)
    return max(0.0, float(row[0])) if row else 0.0


def _execute(statement: str, **values: str | float) -> tuple[float, ...] | None:
    with connection.cursor() as cursor:
        cursor.execute(statement.format(**_DIALECTS[connection.vendor]), values | {"now": time.time()})
        row: tuple[float, ...] | None = cursor.fetchone()
        return row


_tidied_at = 0.0  # of time.monotonic


def _tidy_now_and_then() -> None:
    """For portals without a worker. Not inside a transaction, which would hold the rows until it ends."""
    global _tidied_at  # noqa: PLW0603  one clock a process
    if time.monotonic() - _tidied_at >= TIDY_EVERY and not connection.in_atomic_block:
        _tidied_at = time.monotonic()
        forget_empty_buckets()


@transaction.atomic
def forget_empty_buckets() -> int:
    """Delete some of the buckets in the database that are empty; returns how many. The worker calls it now and then."""
    empty = ThrottleBucket.objects.select_for_update(skip_locked=True).filter(empty_at__lt=time.time() - 60)
    names = list(empty.values_list("name", flat=True)[:FORGOTTEN_AT_ONCE])
    return ThrottleBucket.objects.filter(name__in=names).delete()[0]
