"""What is known of a worker: services/workers.py, and how a process of it tells so."""

import tomllib
from datetime import timedelta

import pytest
from django.conf import settings
from django.utils import timezone

from licenses.management import presence
from licenses.management.presence import Presence
from licenses.models import AuditEvent, Worker
from licenses.services.workers import LONGEST_DOING, forget_lost_workers, forget_worker, see_worker
from tests.server import ROOT

pytestmark = pytest.mark.django_db


def facts():
    return Worker.objects.values_list("name", "doing", flat=False)


def test_it_is_one_row_for_each_worker():
    see_worker(name="a:1", doing="Waiting for work", is_new=True)
    see_worker(name="b:1", doing="Waiting for work", is_new=True)
    see_worker(name="a:1", doing="x" * 1000)
    assert list(facts()) == [("a:1", "x" * LONGEST_DOING), ("b:1", "Waiting for work")]
    assert not AuditEvent.objects.exists()
    forget_worker(name="a:1")
    assert list(facts()) == [("b:1", "Waiting for work")]


def test_a_new_process_under_an_old_number_has_just_started():
    """In a container every worker has the same number."""
    long_ago = timezone.now() - timedelta(days=3)
    for is_new in (False, True):
        Worker.objects.all().delete()
        Worker.objects.create(name="a:1", started_at=long_ago, seen_at=long_ago, doing="x", version="0")
        see_worker(name="a:1", doing="y", is_new=is_new)
        row = Worker.objects.get()
        assert (row.started_at > long_ago) is is_new
        assert row.seen_at > timezone.now() - timedelta(minutes=1)
        assert row.version == settings.PORTAL_VERSION


def test_who_was_not_seen_for_a_day_is_forgotten():
    for hours in (23, 25):
        seen_at = timezone.now() - timedelta(hours=hours)
        Worker.objects.create(name=f"a:{hours}", started_at=seen_at, seen_at=seen_at, doing="x", version="0")
    assert forget_lost_workers() == 1
    assert Worker.objects.get().name == "a:23"


def test_a_worker_writes_every_few_seconds_at_most(monkeypatch):
    present = Presence()
    present.say("one")
    present.say("two")
    assert Worker.objects.get().doing == "one"
    monkeypatch.setattr(presence, "SEE_EVERY", 0.0)
    present.say("three")
    assert Worker.objects.get().doing == "three"
    present.end()
    assert not Worker.objects.exists()


def test_the_version_is_that_of_the_project():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert project["version"] == settings.PORTAL_VERSION
