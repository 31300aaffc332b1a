"""Refused calls stored by several processes at once: exact sums, nobody waits for anybody for ever, none is lost."""

import time

import pytest
from django.db import connection

from licenses.codes import Code
from licenses.models import DailyCount, LicenseKey, RefusedCall
from licenses.services.license_keys import destroy_license_key, extend_license_key
from licenses.services.refused_calls import count_refused, flush
from tests.factories import ACTOR, LicenseKeyFactory, api_key_text
from tests.races.callers import ON_POSTGRESQL, ROUNDS, Job
from tests.server import running_portal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

EACH = 10  # calls of a job
HOSTS = 5


def refuse_many(*, texts: list[str]) -> None:
    """What a process does: count, store, and store what others kept it from."""
    for number in range(EACH):
        for text in texts:
            count_refused(
                Code.NO_ACTIVATION_FOUND,
                product_id=7,
                license_key=text,
                identifier=f"host-{number % HOSTS}",
                endpoint="verify",
                address="203.0.113.7",
                api_key="Shop",
            )
        flush()
    ends_at = time.monotonic() + 20
    while flush() and time.monotonic() < ends_at:
        time.sleep(0.01)


def total() -> tuple[int, int]:
    return sum(RefusedCall.objects.values_list("count", flat=True)), sum(
        DailyCount.objects.filter(name="refused.202").values_list("count", flat=True)
    )


def settled(expected: tuple[int, int]) -> tuple[int, int]:
    """The totals, once the processes' own threads have stored what they had in hand."""
    ends_at = time.monotonic() + 30
    while total() != expected and time.monotonic() < ends_at:
        time.sleep(0.05)
    return total()


def test_sums_are_exact_while_the_license_keys_change(callers):
    keys = LicenseKeyFactory.create_batch(6, assigned=True, expires_at=None)
    LicenseKey.objects.update(expires_at="2030-01-01T00:00Z")
    texts = [found.license_key for found in keys]
    jobs = [Job(refuse_many, {"texts": texts if number % 2 else texts[::-1]}) for number in range(8)]
    changes = [
        Job(extend_license_key, {"license_key": text, "days": 1, "actor": ACTOR}) for text in texts * (ROUNDS // 2)
    ]
    callers(jobs + changes)
    expected = 8 * EACH * len(keys)
    assert settled((expected, expected)) == (expected, expected)
    assert RefusedCall.objects.count() == len(keys) * HOSTS


@pytest.mark.skipif(not ON_POSTGRESQL, reason="SQLite has one writer: there is no row lock to fall over")
def test_license_keys_may_be_destroyed_meanwhile(callers):
    kept, gone = LicenseKeyFactory.create_batch(3), LicenseKeyFactory.create_batch(3)
    texts = [found.license_key for found in (*kept, *gone)]
    jobs = [Job(refuse_many, {"texts": texts}) for _ in range(8)]
    ends = [Job(destroy_license_key, {"license_key": found.license_key, "actor": ACTOR}) for found in gone]
    callers(jobs[:4] + ends + jobs[4:])
    expected = 8 * EACH * len(kept), 8 * EACH * len(texts)
    assert settled(expected) == expected
    assert set(RefusedCall.objects.values_list("license_key", flat=True)) == {found.pk for found in kept}


def test_a_server_that_is_stopped_stores_what_it_counted(global_key):
    found, api_key = LicenseKeyFactory(assigned=True), api_key_text()
    with running_portal(workers=2, COUNT_REFUSED_CALLS="true") as server:
        for _ in range(10):
            assert server.code("verify", api_key, license_key=found.license_key, identifier="host") == 202
    connection.close()
    assert total() == (10, 10)


def test_a_server_that_runs_stores_it_by_itself(global_key):
    found, api_key = LicenseKeyFactory(assigned=True), api_key_text()
    with running_portal(workers=1, COUNT_REFUSED_CALLS="true") as server:
        assert server.code("verify", api_key, license_key=found.license_key, identifier="host") == 202
        assert settled((1, 1)) == (1, 1)
