"""The buckets (S36): exact on each store, from several processes, and with a Redis that goes away."""

import logging
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from licenses.models import ThrottleBucket
from licenses.services import throttles
from licenses.services.throttles import forget_empty_buckets, take, wait_for
from tests.redis import own_redis
from tests.server import ROOT, server_environment

SLOW = {"burst": 5, "per_minute": 1}  # nothing comes back while a test runs
IN_A_PROCESS = """
import sys, django
from concurrent.futures import ThreadPoolExecutor
from django.conf import settings
django.setup()
from licenses.services.throttles import take
print("ready", flush=True)
for url in sys.stdin:
    if url.strip():
        settings.CACHES["default"] = {"BACKEND": "django.core.cache.backends.redis.RedisCache", "LOCATION": url.strip()}
    with ThreadPoolExecutor(4) as pool:
        print(sum(pool.map(lambda _: take("one bucket", burst=50, per_minute=1) == 0, range(110))), flush=True)
"""


@pytest.fixture(scope="module")
def redis_server():
    with own_redis() as running:
        yield running


@pytest.fixture(params=["database", "redis"])
def store(request, db, settings, monkeypatch):
    monkeypatch.setattr(throttles, "_absence", throttles._Absence())
    if request.param == "redis":
        running = request.getfixturevalue("redis_server")
        running.client.flushall()
        settings.CACHES = running.caches
    return request.param


def tries(name: str, count: int, **limit) -> list[bool]:
    return [take(name, **limit) == 0 for _ in range(count)]


def test_it_lets_a_burst_through_and_no_more(store):
    assert tries("a", 7, **SLOW) == [True] * 5 + [False] * 2
    assert tries("b", 1, **SLOW) == [True], "each name has its own bucket"
    assert ThrottleBucket.objects.count() == (2 if store == "database" else 0)


def test_it_says_when_the_next_try_is_allowed_and_keeps_its_word(store):
    limit = {"burst": 2, "per_minute": 120}  # one comes back each half second
    tries("a", 2, **limit)
    wait = take("a", **limit)
    assert 0.3 < wait <= 0.5
    time.sleep(wait + 0.01)
    assert tries("a", 2, **limit) == [True, False]


def test_looking_tells_the_same_seconds_as_a_try(store):
    assert take("x", burst=1, per_minute=10) == 0
    assert 5 < wait_for("x", burst=1, per_minute=10) <= 6
    assert 5 < take("x", burst=1, per_minute=10) <= 6


def test_a_bucket_is_empty_again_after_its_time(store):
    limit = {"burst": 3, "per_minute": 1200}
    tries("a", 3, **limit)
    time.sleep(0.2)
    assert tries("a", 4, **limit) == [True] * 3 + [False]


def test_looking_counts_nothing(store):
    for _ in range(9):
        assert wait_for("a", **SLOW) == 0
    assert ThrottleBucket.objects.count() == 0
    tries("a", 5, **SLOW)
    assert 50 < wait_for("a", **SLOW) <= 60
    assert 50 < take("a", **SLOW) <= 60


def test_what_is_refused_makes_nobody_wait_longer(store):
    tries("a", 5, **SLOW)
    first = wait_for("a", **SLOW)
    tries("a", 20, **SLOW)
    assert wait_for("a", **SLOW) <= first


@pytest.mark.parametrize("name", ["203.0.113.7", "x" * 100_000, "\ud800", "\0", "äöü 日本"])
def test_any_text_is_a_name_and_no_store_can_be_read(store, name, request):
    assert tries(name, 6, **SLOW) == [True] * 5 + [False]
    if store == "redis":
        held = request.getfixturevalue("redis_server").client.keys()
    else:
        held = list(ThrottleBucket.objects.values_list("name", flat=True))
    assert len(held) == 1
    assert name[:20] not in str(held)


def test_redis_forgets_by_itself(redis_server, settings, db):
    settings.CACHES = redis_server.caches
    redis_server.client.flushall()
    take("a", burst=2, per_minute=60)
    [name] = redis_server.client.keys()
    assert 0 < redis_server.client.pttl(name) <= 2000


def test_the_database_forgets_what_is_empty(db):
    take("full", **SLOW)
    ThrottleBucket.objects.create(name="old", empty_at=time.time() - 61)
    assert forget_empty_buckets() == 1
    assert ThrottleBucket.objects.count() == 1


def test_counting_changes_no_index(db):
    """PostgreSQL then updates the row in place, however often it counts."""
    with connection.cursor() as cursor:
        found = connection.introspection.get_constraints(cursor, ThrottleBucket._meta.db_table)
    assert not [name for name, what in found.items() if what["index"] and what["columns"] != ["name"]]


def test_a_process_forgets_now_and_then_without_a_worker(transactional_db, monkeypatch):
    monkeypatch.setattr(throttles, "_tidied_at", time.monotonic() - throttles.TIDY_EVERY - 1)
    ThrottleBucket.objects.bulk_create([ThrottleBucket(name=str(number), empty_at=1.0) for number in range(3)])
    take("a", **SLOW)
    assert ThrottleBucket.objects.count() == 1
    ThrottleBucket.objects.create(name="later", empty_at=1.0)
    take("a", **SLOW)
    assert ThrottleBucket.objects.count() == 2, "not each time"


def test_it_works_inside_a_transaction_and_is_rolled_back_with_it(transactional_db):
    with transaction.atomic():
        assert tries("a", 6, **SLOW) == [True] * 5 + [False]
    assert take("a", **SLOW) > 0
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        take("b", **SLOW)
        raise ZeroDivisionError
    assert tries("b", 6, **SLOW) == [True] * 5 + [False]


@pytest.mark.skipif(connection.vendor != "postgresql", reason="UNLOGGED is PostgreSQL's")
def test_counting_waits_for_no_disk(db):
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'licenses_throttle_bucket'")
        assert cursor.fetchone() == ("u",)


def count_in_processes(*stores: str) -> list[int]:
    """For each store (the URL of a Redis; empty: the database), how many of 440 tries at once get through.

    Four processes of four threads make them, and begin together.
    """
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True, "bufsize": 1}
    command, environment = [sys.executable, "-c", IN_A_PROCESS], server_environment(0)
    processes = [subprocess.Popen(command, cwd=ROOT, env=environment, **pipes) for _ in range(4)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 4
    found = []
    for url in stores:
        for process in processes:
            process.stdin.write(f"{url}\n")
        found.append(sum(int(process.stdout.readline()) for process in processes))
    for process in processes:
        process.communicate(timeout=60)
    return found


@pytest.mark.statement("S36")
def test_four_processes_let_exactly_50_through_on_each_store(transactional_db, redis_server):
    redis_server.client.flushall()
    assert count_in_processes("", redis_server.url) == [50, 50]
    assert ThrottleBucket.objects.count() == 1


@pytest.fixture
def mortal_redis(transactional_db, settings, monkeypatch):
    monkeypatch.setattr(throttles, "_absence", throttles._Absence())
    with own_redis() as running:
        settings.CACHES = running.caches
        yield running


def complaints(caplog) -> list[str]:
    return [found.getMessage() for found in caplog.records if found.name == throttles.__name__]


def test_when_redis_is_killed_the_database_counts_on(mortal_redis, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    assert tries("a", 3, **SLOW) == [True] * 3
    mortal_redis.stop()
    with ThreadPoolExecutor(8) as pool:  # the worst case: nobody knows what was counted before
        assert sum(pool.map(lambda _: taken_and_closed("a"), range(40))) == 5
    [line] = complaints(caplog)
    assert line.startswith("Redis does not answer (ConnectionError), so the database counts")
    assert str(mortal_redis.port) not in line

    mortal_redis.start()
    assert take("a", **SLOW) > 0, "for a while nobody asks"
    monkeypatch.setattr(throttles._absence, "ends_at", 0.0)
    assert tries("a", 6, **SLOW) == [True] * 5 + [False]


def taken_and_closed(name: str) -> bool:
    try:
        return take(name, **SLOW) == 0
    finally:
        connection.close()


def test_a_redis_that_hangs_keeps_one_caller_waiting_for_half_a_second(mortal_redis, caplog):
    take("a", **SLOW)
    mortal_redis.hang()
    started = time.monotonic()
    assert tries("a", 20, **SLOW) == [True] * 5 + [False] * 15
    assert time.monotonic() - started < 2
    mortal_redis.wake()
    assert len(complaints(caplog)) == 1
