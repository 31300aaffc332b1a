"""Refused calls are remembered, by day and by license key, and no request pays for it."""

import os
import threading
from datetime import UTC, timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses.codes import Code
from licenses.models import BlockListEntry, DailyCount, RefusedCall
from licenses.services import refused_calls
from licenses.services.refused_calls import count_refused, flush, forget_old_refusals
from tests.commands import run
from tests.factories import ActivationFactory, LicenseKeyFactory, api_key_text

pytestmark = pytest.mark.django_db

CALL = {"product_id": None, "endpoint": "verify", "address": "203.0.113.7", "api_key": "Shop"}


def stored(*fields):
    return sorted(
        RefusedCall.objects.values_list(*(fields or ("license_key", "endpoint", "code", "identifier", "count")))
    )


def daily():
    return dict(DailyCount.objects.values_list("name", "count"))


def test_counting_can_be_switched_off(settings):
    settings.COUNT_REFUSED_CALLS = False
    count_refused(next(iter(Code)), **CALL)
    flush()
    assert not DailyCount.objects.exists()


def test_each_way_of_being_refused_is_counted(portal):
    found, expired = LicenseKeyFactory(assigned=True), LicenseKeyFactory(expired=True)
    for _ in range(3):
        assert portal("verify", license_key=found.license_key, identifier="host-1")["code"] == 202
    assert portal("verify", license_key=found.license_key, identifier="host-2")["code"] == 202
    assert portal("activate", license_key=found.license_key, identifier="host-1")["code"] == 300
    assert portal("activate", license_key=found.license_key, identifier="host-2")["code"] == 302
    assert portal("activate", license_key=expired.license_key, identifier="host-2")["code"] == 205
    assert not RefusedCall.objects.exists() and not DailyCount.objects.exists()
    assert not flush()
    assert stored() == sorted(
        [
            (found.pk, "verify", 202, "host-1", 3),
            (found.pk, "verify", 202, "host-2", 1),
            (found.pk, "activate", 302, "host-2", 1),
            (expired.pk, "activate", 205, "host-2", 1),
        ]
    )
    counts = set(DailyCount.objects.values_list("name", "product_number", "count"))
    assert counts == {
        ("refused.202", found.product_id, 4),
        ("refused.302", found.product_id, 1),
        ("refused.205", expired.product_id, 1),
    }


def test_it_says_when_and_who_was_the_last(portal):
    found = LicenseKeyFactory(assigned=True)
    for address in ("203.0.113.1", "203.0.113.2"):
        portal.client.post(
            "/api/v1/verify",
            {"api_key": portal.api_key, "license_key": found.license_key, "identifier": "host"},
            REMOTE_ADDR=address,
        )
        flush()
    row = RefusedCall.objects.get()
    assert (row.address, row.count, row.api_key[:5]) == ("203.0.113.2", 2, "Tests")
    assert row.first_at < row.last_at
    assert row.day == row.last_at.astimezone(UTC).date()


def test_numbers_and_other_names_of_parameters_count_too(portal):
    found = LicenseKeyFactory(assigned=True, license_key="12345")
    portal.json("verify", {"license_key": 12345, "hardware_id": 7})
    flush()
    assert stored() == [(found.pk, "verify", 202, "7", 1)]


def test_guesses_are_counted_and_never_stored(portal, client):
    guess = "GUESS-1234-5678"
    assert portal("verify", license_key=guess, identifier="host")["code"] == 210
    portal.api_key = "lp_wrong"
    assert portal("verify", license_key="GUESS-2", identifier="host")["code"] == 100
    flush()
    assert stored() == []
    assert daily() == {"refused.210": 1, "refused.100": 1}


def test_of_callers_who_were_not_let_in_no_identifier_is_kept(portal):
    found = LicenseKeyFactory(assigned=True)
    portal.api_key = api_key_text("activate")
    assert portal("verify", license_key=found.license_key, identifier="anything")["code"] == 102
    flush()
    assert stored() == [(found.pk, "verify", 102, "", 1)]


def test_the_block_lists_refusals_name_who_is_on_it(portal):
    found = LicenseKeyFactory(assigned=True)
    BlockListEntry.objects.create(kind="identifier", value="stolen")
    assert portal("verify", license_key=found.license_key, identifier="stolen")["code"] == 150
    flush()
    assert stored() == [(found.pk, "verify", 150, "stolen", 1)]


@pytest.mark.parametrize(
    ("send", "number"),
    [
        (lambda client: client.post("/api/v1/nothing-here"), 166),
        (lambda client: client.put("/api/v1/verify"), 165),
        (lambda client: client.post("/api/v1/verify", "<a/>", content_type="text/xml"), 163),
        (lambda client: client.post("/api/v1/verify", "{", content_type="application/json"), 162),
    ],
)
def test_requests_that_cannot_be_read_are_refusals(global_key, client, send, number):
    assert send(client).json()["response"]["code"] == number
    flush()
    assert daily() == {f"refused.{number}": 1}


def test_what_went_well_and_what_failed_is_no_refusal(portal, monkeypatch):
    activation = ActivationFactory()
    sent = {"license_key": activation.license_key.license_key, "identifier": activation.identifier}
    assert portal("verify", **sent)["code"] == 200
    monkeypatch.setattr("licenses.api.activations.verify_license", lambda **_: 1 / 0)
    assert portal("verify", **sent)["code"] == 199
    flush()
    assert daily() == {}


def test_a_repeated_call_counts_once(portal):
    expired = LicenseKeyFactory(expired=True)
    sent = {"license_key": expired.license_key, "identifier": "host", "idempotency_key": "again"}
    assert [portal("activate", **sent)["code"] for _ in range(3)] == [205] * 3
    flush()
    assert daily() == {"refused.205": 1}


def test_no_request_writes_for_it(portal, settings):
    """A refused verification asks as much as one that goes well, and writes nothing."""
    for name in ("ADDRESS", "API_KEY", "LICENSE_KEY"):
        setattr(settings, f"{name}_REQUESTS_PER_MINUTE", 0)
    activation = ActivationFactory(last_verified_at=timezone.now())
    sent = {"license_key": activation.license_key.license_key}
    portal("verify", **sent, identifier=activation.identifier)  # notes that the API key was used
    with CaptureQueriesContext(connection) as fine:
        assert portal("verify", **sent, identifier=activation.identifier)["code"] == 200
    with CaptureQueriesContext(connection) as refused:
        assert portal("verify", **sent, identifier="elsewhere")["code"] == 202
    words = ("INSERT", "UPDATE", "DELETE")
    assert [query["sql"] for query in refused if query["sql"].startswith(words)] == []
    assert len(refused) <= len(fine)


def test_many_rows_are_stored_in_a_handful_of_statements():
    keys = LicenseKeyFactory.create_batch(5)
    costs = []
    for number in (1, 40):
        for found in keys[:number]:
            for host in range(number):
                count_refused(
                    Code.NO_ACTIVATION_FOUND, license_key=found.license_key, identifier=f"host-{host}", **CALL
                )
        with CaptureQueriesContext(connection) as captured:
            flush()
        costs.append(len([query for query in captured if "INSERT" not in query["sql"]]))
    assert costs[0] == costs[1]
    assert RefusedCall.objects.count() == 5 * 40


def test_beyond_its_fill_of_a_day_a_license_key_only_adds_up(monkeypatch):
    monkeypatch.setattr(refused_calls, "MOST_A_DAY", 3)
    found = LicenseKeyFactory()
    for host in range(10):
        count_refused(Code.NO_ACTIVATION_FOUND, license_key=found.license_key, identifier=f"host-{host}", **CALL)
        if host % 4 == 0:
            flush()
    flush()
    assert RefusedCall.objects.count() <= 4
    assert sum(row.count for row in RefusedCall.objects.all()) == 10


def test_memory_is_bounded_and_the_daily_counts_are_exact_all_the_same(monkeypatch):
    monkeypatch.setattr(refused_calls, "MOST_WAITING", 3)
    found = LicenseKeyFactory()
    for host in range(10):
        count_refused(Code.NO_ACTIVATION_FOUND, license_key=found.license_key, identifier=f"host-{host}", **CALL)
    flush()
    assert RefusedCall.objects.count() == 3
    assert daily() == {"refused.202": 10}


def test_a_database_that_fails_loses_nothing(monkeypatch, caplog):
    found = LicenseKeyFactory()
    count_refused(Code.NO_ACTIVATION_FOUND, license_key=found.license_key, identifier="host", **CALL)

    def fail(*_):
        raise OperationalError("secret detail")

    with monkeypatch.context() as patch:
        patch.setattr(refused_calls, "add_to_daily_counts", fail)
        assert flush() is True
    with monkeypatch.context() as patch:
        patch.setattr(refused_calls, "_lock", fail)
        assert flush() is True
    assert "could not be stored" in caplog.text and "secret detail" not in caplog.text
    assert flush() is False
    assert (stored("count"), daily()) == ([(1,)], {"refused.202": 1})


def test_an_address_that_is_none_harms_nobody():
    found = LicenseKeyFactory()
    for address in ("", "unix:", "fe80::1%eth0"):
        count_refused(Code.LICENSE_KEY_BLOCKED, license_key=found.license_key, **CALL | {"address": address})
        flush()
    assert stored("count", "address") == [(3, "fe80::1")]


def test_they_go_with_their_license_key():
    found = LicenseKeyFactory()
    count_refused(Code.LICENSE_KEY_NOT_ASSIGNED, license_key=found.license_key, **CALL)
    flush()
    count_refused(Code.LICENSE_KEY_NOT_ASSIGNED, license_key=found.license_key, **CALL)
    found.delete()
    assert flush() is False
    assert stored() == []


def test_the_worker_forgets_old_ones_in_batches(monkeypatch):
    found, now = LicenseKeyFactory(), timezone.now()
    for days in (0, 90, 91, 92, 400):
        at = now - timedelta(days=days)
        found.refused_calls.create(day=at.astimezone(UTC).date(), endpoint="verify", code=202, first_at=at, last_at=at)
    with monkeypatch.context() as patch:
        patch.setattr(refused_calls, "FORGOTTEN_AT_ONCE", 2)
        assert forget_old_refusals() == 2
    assert RefusedCall.objects.count() == 3
    run("run_worker", "--once")
    assert RefusedCall.objects.count() == 2


def test_many_threads_lose_nothing():
    def count():
        for _ in range(500):
            count_refused(Code.LICENSE_KEY_BLOCKED, license_key="KEY", identifier="host", **CALL)

    threads = [threading.Thread(target=count) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    counts, calls = refused_calls.waiting.take()
    assert (sum(counts.values()), [total.count for total in calls.values()]) == (2000, [2000])


def test_a_forked_process_does_not_store_its_parents_counts():
    count_refused(Code.LICENSE_KEY_BLOCKED, license_key="KEY", identifier="host", **CALL)
    if (child := os.fork()) == 0:
        os._exit(len(refused_calls.waiting.counts))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(refused_calls.waiting.counts) == 1
