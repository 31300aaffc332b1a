"""The database, and where counters live."""

from collections.abc import Iterator
from typing import Any

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from redis import Redis
from redis.backoff import NoBackoff
from redis.exceptions import RedisError
from redis.retry import Retry

from licenses.models import LicenseKey, ThrottleBucket
from licenses.reports.counting import count_up_to
from licensing_portal.checkup.lines import Line, State, Stopwatch, in_ms, plural, size

SLOW_DATABASE = 50.0  # milliseconds for the shortest question there is
SLOW_CACHE = 20.0
REDIS_TIME_LIMIT = 0.5  # seconds: a Redis that hangs must not hold the page
MANY = 10_000  # license keys from which on a search without its index is felt
NAMED = 5

SIZES = {
    "postgresql": "SELECT pg_database_size(current_database())",
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
}
UNUSABLE_INDEXES = """
    SELECT relname FROM pg_index JOIN pg_class ON pg_class.oid = indexrelid
    WHERE NOT indisvalid AND relnamespace = current_schema()::regnamespace ORDER BY relname
"""
HAS_TRIGRAMS = "SELECT EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'pg_trgm')"
TRIGRAM_INDEXES = """
    SELECT count(*) FROM pg_indexes WHERE schemaname = current_schema() AND indexdef LIKE '%gin_trgm_ops%'
"""


def one(statement: str) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchone()[0]


def database() -> Iterator[Line]:
    one("SELECT 1")  # so that the next one does not wait for a connection
    with Stopwatch() as watch:
        one("SELECT 1")
    yield Line(
        "Answers in",
        in_ms(watch.ms),
        *(
            (State.WARN, "Look at the load of the database server and at the network between it and the portal.")
            if watch.ms > SLOW_DATABASE
            else ()
        ),
    )
    yield Line("Size", size(one(SIZES[connection.vendor])), State.PLAIN)


def migrations() -> Iterator[Line]:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        names = ", ".join(f"{migration.app_label} {migration.name}" for migration, _ in missing[:NAMED])
        yield Line("Migrations", f"Missing: {names}", State.BAD, "Run manage.py migrate.")
    else:
        yield Line("Migrations", "All there")


def indexes() -> Iterator[Line]:
    """What building one beside writers leaves behind when it is interrupted, and what searching for fragments needs."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        cursor.execute(UNUSABLE_INDEXES)
        broken = [name for (name,) in cursor.fetchall()]
    if broken:
        advice = "Rebuild each with REINDEX INDEX CONCURRENTLY, in a shell of the database."
        yield Line("Indexes", f"Not usable: {', '.join(broken[:NAMED])}", State.BAD, advice)
    else:
        yield Line("Indexes", "All usable")
    yield from trigrams()


def trigrams() -> Iterator[Line]:
    title, count = "Search by fragments", one(TRIGRAM_INDEXES)
    if count:
        yield Line(title, f"Fast: {plural(count, 'index')[:-1] if count == 1 else f'{count} indexes'} of pg_trgm")
        return
    if count_up_to(LicenseKey.objects.all(), MANY).number < MANY:
        yield Line(title, "Without an index, which these few rows do not need", State.PLAIN)
        return
    if one(HAS_TRIGRAMS):
        value, advice = "Slow: pg_trgm is there, but no index uses it", "Run manage.py make_search_indexes."
    else:
        value = "Slow: the database has no pg_trgm"
        advice = "Run CREATE EXTENSION pg_trgm as owner of the database, then manage.py make_search_indexes."
    yield Line(title, value, State.WARN, advice)


def cache() -> Iterator[Line]:
    config = settings.CACHES["default"]
    if not config["BACKEND"].endswith(".RedisCache"):
        yield Line("Redis", "Not used: the database counts for the throttles, exactly, over all nodes", State.PLAIN)
        return
    client = Redis.from_url(
        config["LOCATION"],
        socket_timeout=REDIS_TIME_LIMIT,
        socket_connect_timeout=REDIS_TIME_LIMIT,
        retry=Retry(NoBackoff(), 0),
        protocol=2,
    )
    try:
        client.ping()
        with Stopwatch() as watch:
            client.ping()
    except RedisError as error:
        yield Line(
            "Redis",
            f"Does not answer ({type(error).__name__})",  # its text may quote the URL
            State.BAD,
            "Start it, or look at CACHE_URL. Until then the database counts for the throttles: all works, but slower.",
        )
        return
    finally:
        client.close()
    slow = (State.WARN, "Look at the load of Redis and at the network.") if watch.ms > SLOW_CACHE else ()
    yield Line("Redis", f"Answers in {in_ms(watch.ms)} and counts for the throttles", *slow)


def throttles() -> Iterator[Line]:
    counted = count_up_to(ThrottleBucket.objects.all())
    if counted.more:
        advice = "A worker tidies them up: see whether one runs."
        yield Line("Throttles in the database", f"{counted} counters", State.WARN, advice)
    else:
        yield Line("Throttles in the database", plural(counted.number, "counter"), State.PLAIN)
