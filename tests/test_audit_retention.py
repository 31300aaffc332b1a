"""Deleting old audit events leaves a chain that still says where it begins, and why."""

from datetime import timedelta

import pytest
from cryptography.fernet import Fernet
from django.core.exceptions import ValidationError
from django.utils import timezone

from licenses.models import AuditEvent
from licenses.services import audit_retention
from licenses.services.audit_retention import find_old, prune_audit
from licenses.services.audit_verification import verify_audit
from tests.audit import alter, intruder, make_chain, remove
from tests.factories import ACTOR

pytestmark = pytest.mark.django_db


@pytest.fixture
def chain(db):
    """Ten events: six of 100 days ago, two of 50, two of now."""
    for age, count in ((100, 6), (50, 2), (0, 2)):
        make_chain(count, age=timedelta(days=age))


def prune(days: int, **options) -> int:
    old = find_old(older_than=days)
    return prune_audit(before=old.before, actor=ACTOR, show=options.pop("show", lambda done: None), **options)


def test_old_events_go_and_the_rest_is_unbroken(chain):
    head = verify_audit().head
    last = AuditEvent.objects.get(position=6)
    assert prune(90) == 6
    found = verify_audit(contains=head)
    assert (found.events, found.pruned, found.problem_count) == (5, 6, 0)
    mark = AuditEvent.objects.get(kind="audit.pruned")
    assert (mark.position, mark.actor, mark.after["through"], mark.after["digest"]) == (11, "tests", 6, last.digest)
    assert list(AuditEvent.objects.order_by("position").values_list("position", flat=True)) == [7, 8, 9, 10, 11]


def test_it_may_be_done_again_and_again(chain):
    assert [prune(90), prune(90), prune(40), prune(30)] == [6, 0, 2, 0]
    assert (verify_audit().pruned, verify_audit().problems) == (8, [])


def test_all_may_be_old(db):
    make_chain(4, age=timedelta(days=400))
    assert prune(365) == 4
    assert (verify_audit().events, verify_audit().pruned, verify_audit().problems) == (1, 4, [])


def test_it_goes_in_batches_and_goes_on_where_it_stopped(chain, monkeypatch):
    monkeypatch.setattr(audit_retention, "BATCH", 4)
    shown = []
    assert prune(90, show=shown.append, must_stop=lambda: bool(shown)) == 4
    assert verify_audit().problems == []
    assert prune(90, show=shown.append) == 2
    assert shown == [4, 2]
    assert (verify_audit().pruned, verify_audit().problems) == (6, [])
    assert AuditEvent.objects.filter(kind="audit.pruned").count() == 2


def test_only_the_beginning_goes_whatever_the_dates_say(chain):
    """An old event that was linked late stands behind younger ones and stays."""
    make_chain(1, age=timedelta(days=200))
    assert prune(90) == 6
    assert AuditEvent.objects.filter(occurred_at__lt=timezone.now() - timedelta(days=90)).count() == 1


def test_finding_deletes_nothing(chain):
    assert find_old(older_than=90).events == 6
    assert find_old(older_than=45).events == 8
    assert find_old(older_than=3650).events == 0
    assert AuditEvent.objects.count() == 10


@pytest.mark.parametrize("days", [29, 0, -1])
def test_the_audit_keeps_a_month_at_least(chain, days):
    with pytest.raises(ValidationError, match="keeps at least 30 days"):
        find_old(older_than=days)


def test_what_was_tampered_with_stays(chain):
    with intruder():
        alter(3, actor="nobody")
    with pytest.raises(ValidationError, match=r"position 3 .* was altered: .* Run `manage.py verify_audit`"):
        prune(90)
    assert AuditEvent.objects.count() == 10


def test_events_that_went_otherwise_are_missed(chain):
    with intruder():
        remove(1, 2)
    assert verify_audit().problems == ["positions 1 to 2 are missing"]


def test_more_than_was_pruned_is_missed(chain):
    prune(90)
    with intruder():
        remove(7)
    assert verify_audit().problems == ["positions 1 to 7 are missing"]


def test_nobody_without_the_key_can_say_that_events_were_pruned(chain):
    """Not even as the portal does: with a row that it links itself."""
    with intruder():
        digest = AuditEvent.objects.get(position=2).digest
        remove(1, 2)
        for seal in ("", "f" * 64, None):
            after = {"events": 2, "through": 2, "digest": digest} | ({"seal": seal} if seal is not None else {})
            AuditEvent.objects.create(kind="audit.pruned", door="command", actor="root", object_label="", after=after)
    assert verify_audit().problems == ["positions 1 to 2 are missing"]


def test_without_its_key_nothing_is_deleted(chain, settings):
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(ValidationError, match="Nothing can be deleted: the key of the audit chain cannot be decrypted"):
        prune(90)
    assert AuditEvent.objects.count() == 10


def test_a_head_from_before_the_pruning_is_told_from_one_that_was_cut_off(chain):
    noted = f"3:{AuditEvent.objects.get(position=3).digest}"
    prune(90)
    assert verify_audit(contains=noted).problems == ["the noted head 3 was pruned since: note a newer one"]
