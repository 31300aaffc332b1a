"""prune_audit, as cron runs it."""

import signal
from datetime import timedelta

import pytest

from licenses.models import AuditEvent
from licenses.services import audit_retention
from tests.audit import alter, intruder, make_chain
from tests.commands import run

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def chain(db):
    make_chain(5, age=timedelta(days=100))
    make_chain(2)


def test_it_deletes_what_is_older_and_the_chain_stays_unbroken():
    ran = run("prune_audit", "--older-than", 90)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith("5 events from before ")
    assert ran.out.endswith(" deleted\n")
    assert "3 events, unbroken (those up to position 5 were pruned); head 8:" in run("verify_audit").out
    assert AuditEvent.objects.get(kind="audit.pruned").door == "command"


def test_a_dry_run_deletes_nothing():
    ran = run("prune_audit", "--older-than", 90, "--dry-run")
    assert ran.out.startswith("5 events from before ")
    assert ran.out.endswith(" would be deleted\n")
    assert AuditEvent.objects.count() == 7


@pytest.mark.parametrize(
    ("days", "problem"),
    [("7", "The audit keeps at least 30 days; 7 is too few."), ("x", "“x” is not a whole number from 0 to 36525")],
)
def test_too_few_days_are_refused(days, problem):
    ran = run("prune_audit", "--older-than", days)
    assert ran.code in (1, 2)
    assert problem in ran.err
    assert AuditEvent.objects.count() == 7


def test_a_broken_chain_stays():
    with intruder():
        alter(2, actor="nobody")
    ran = run("prune_audit", "--older-than", 90)
    assert ran.code == 2
    assert "The chain is broken, so nothing more is deleted: position 2 (event " in ran.err
    assert AuditEvent.objects.count() == 7


def test_it_stops_after_the_batch_and_says_how_to_go_on(monkeypatch):
    prune_batch = audit_retention._prune_batch

    def interrupted(*args, **kwargs):
        signal.raise_signal(signal.SIGINT)
        return prune_batch(*args, **kwargs)

    monkeypatch.setattr(audit_retention, "BATCH", 2)
    monkeypatch.setattr(audit_retention, "_prune_batch", interrupted)
    ran = run("prune_audit", "--older-than", 90)
    assert ran.code == 130
    assert "Stopped: 2 events from before " in ran.err
    assert "of 5. Run the same command again to do the rest." in ran.err
    monkeypatch.undo()
    assert run("prune_audit", "--older-than", 90).out.startswith("3 events")
    assert run("verify_audit").code == 0
