"""The roll-up of audit events to counts by day: each event once, whoever rolls up, and whoever dies doing it."""

import os
import subprocess
import sys
import threading
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
import time_machine
from django.db import connection

from licenses.audit_chain import link_all
from licenses.events import Kind, record
from licenses.models import AuditEvent, DailyCount, Figures
from licenses.services import activity
from licenses.services.activity import count_what_is_left, roll_up_activity
from licenses.services.audit_retention import find_old, prune_audit
from tests.audit import make_chain
from tests.factories import ACTOR, LicenseKeyFactory, ProductFactory
from tests.server import ROOT, database_url

NEW_YEAR = datetime(2026, 12, 31, 23, 59, 59, tzinfo=UTC)
KILLED_BEFORE_THE_COMMIT = """
import os, django
django.setup()
from licenses.services import activity
add = activity.add_to_daily_counts
def add_and_die(counts):
    add(counts)
    os._exit(9)
activity.add_to_daily_counts = add_and_die
activity.BATCH = 7
activity.roll_up_activity()
"""


def counted() -> Counter:
    return Counter({(row.day, row.name): row.count for row in DailyCount.objects.filter(product_number=0)})


def in_the_trail() -> Counter:
    """The same from the events themselves, one by one."""
    return Counter((event.occurred_at.astimezone(UTC).date(), event.kind) for event in AuditEvent.objects.all())


def roll_up_all() -> int:
    total = 0
    while moved := roll_up_activity():
        total += moved
    return total


@pytest.mark.django_db
def test_it_counts_by_day_of_utc_and_kind():
    product = ProductFactory()
    for seconds, kind in ((0, Kind.PRODUCT_CREATED), (0, Kind.PRODUCT_UPDATED), (1, Kind.PRODUCT_UPDATED)):
        with time_machine.travel(NEW_YEAR + timedelta(seconds=seconds), tick=False):
            record(kind, product, actor=ACTOR)
    link_all()
    assert roll_up_all() == 3
    old, new = NEW_YEAR.date(), NEW_YEAR.date() + timedelta(days=1)
    assert counted() == {(old, "product.created"): 1, (old, "product.updated"): 1, (new, "product.updated"): 1}
    assert roll_up_activity() == 0
    assert counted() == in_the_trail()


@pytest.mark.django_db
def test_it_counts_assignments_by_product():
    license_key, gone = LicenseKeyFactory(), LicenseKeyFactory()
    for key in (license_key, license_key, gone):
        record(Kind.LICENSE_KEY_ASSIGNED, key, actor=ACTOR)
    record(Kind.LICENSE_KEY_BLOCKED, license_key, actor=ACTOR)
    link_all()
    gone.delete()
    roll_up_all()
    rows = set(DailyCount.objects.values_list("name", "product_number", "count"))
    assigned = {("license_key.assigned", license_key.product_id, 2), ("license_key.assigned", 0, 1)}
    assert rows == assigned | {("license_key.blocked", 0, 1)}


@pytest.mark.django_db
def test_events_that_are_not_linked_yet_wait(monkeypatch):
    make_chain(2)
    AuditEvent.objects.create(kind="product.updated", door="admin", actor="x", object_type="product", object_label="x")
    assert roll_up_all() == 2
    link_all()
    assert roll_up_all() == 1
    assert counted() == in_the_trail()


@pytest.mark.django_db
def test_a_page_counts_at_most_a_batch_and_says_what_is_left(monkeypatch):
    monkeypatch.setattr(activity, "BATCH", 4)
    make_chain(10)
    assert [count_what_is_left() for _ in range(4)] == [6, 2, 0, 0]
    assert counted() == in_the_trail()


@pytest.mark.django_db
def test_a_page_with_nothing_left_to_count_writes_nothing(django_assert_num_queries):
    make_chain(1)
    roll_up_all()
    with django_assert_num_queries(2):
        assert count_what_is_left() == 0


@pytest.mark.django_db
@pytest.mark.parametrize("rolled_up", [0, 3, 6, 8])
def test_events_that_were_pruned_do_not_stop_it(monkeypatch, rolled_up):
    """Whether the mark is before, inside or behind what is gone."""
    make_chain(6, age=timedelta(days=400))
    make_chain(2)
    monkeypatch.setattr(activity, "BATCH", 1)
    for _ in range(rolled_up):
        roll_up_activity()
    before = counted()
    prune_audit(before=find_old(older_than=365).before, actor=ACTOR, show=lambda done: None)
    link_all()
    roll_up_all()
    assert Figures.objects.get().position == 9
    assert counted() - before == Counter(
        {key: count - before[key] for key, count in in_the_trail().items() if count > before[key]}
    )


@pytest.mark.django_db(transaction=True)
def test_each_event_is_counted_once_by_many_at_a_time(monkeypatch):
    monkeypatch.setattr(activity, "BATCH", 7)
    make_chain(200)

    def work(wait: bool) -> None:
        try:
            for _ in range(30):
                roll_up_activity(wait=wait)
        finally:
            connection.close()

    workers = [threading.Thread(target=work, args=(number % 2 == 0,)) for number in range(6)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    roll_up_all()
    assert Figures.objects.get().position == 200
    assert counted() == in_the_trail()


@pytest.mark.django_db(transaction=True)
def test_killed_after_counting_and_before_the_commit_it_has_counted_nothing(monkeypatch):
    make_chain(20)
    monkeypatch.setattr(activity, "BATCH", 7)
    roll_up_activity()
    environment = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "licensing_portal.settings"}
    for _ in range(2):
        command = [sys.executable, "-c", KILLED_BEFORE_THE_COMMIT]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | environment, timeout=60, check=False)
        assert done.returncode == 9
        assert Figures.objects.get().position == 7
    roll_up_all()
    assert counted() == in_the_trail()
