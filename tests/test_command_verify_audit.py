"""verify_audit, as cron runs it."""

from datetime import timedelta

import pytest
import time_machine
from cryptography.fernet import Fernet
from django.utils import timezone

from licenses.events import Kind, record
from licenses.management import progress
from licenses.models import AuditEvent
from licenses.services import audit_verification
from tests.audit import alter, intruder, make_chain, remove, swap
from tests.commands import run
from tests.factories import ACTOR, ProductFactory

pytestmark = pytest.mark.django_db


def test_it_says_that_the_chain_is_unbroken_and_where_it_ends():
    make_chain(3)
    ran = run("verify_audit")
    digest = AuditEvent.objects.get(position=3).digest
    assert ran == (0, f"3 events, unbroken; head 3:{digest}\n", "")
    assert run("verify_audit", "--contains", f"3:{digest}").code == 0


def test_it_links_what_is_not_linked_yet():
    record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    assert "1 events, unbroken" in run("verify_audit").out
    assert AuditEvent.objects.get().position == 1


LATE = (
    "{} events were not linked yet, the oldest of {:%Y-%m-%d}: "
    "expected after an upgrade or a crash, otherwise ask who touched the table"
)


def unlinked(count: int, *, age: timedelta) -> str:
    """The line about them."""
    at = timezone.now() - age
    with time_machine.travel(at):
        for _ in range(count):
            record(Kind.PRODUCT_UPDATED, ProductFactory(), actor=ACTOR)
    return LATE.format(count, at)


def test_it_says_what_had_no_place_for_long():
    line = unlinked(3, age=timedelta(days=50))
    ran = run("verify_audit")
    assert (ran.code, ran.out.splitlines()[1:]) == (0, [line])
    assert len(run("verify_audit").out.splitlines()) == 1


def test_it_says_so_of_a_broken_chain_too():
    make_chain(3)
    with intruder():
        alter(2, actor="nobody")
    line = unlinked(2, age=timedelta(hours=2))
    ran = run("verify_audit")
    assert (ran.code, ran.err.splitlines()[-1]) == (1, line)


def test_what_waits_for_less_than_an_hour_is_nothing_to_tell():
    unlinked(2, age=timedelta(minutes=50))
    assert len(run("verify_audit").out.splitlines()) == 1


def test_it_works_in_a_portal_where_nothing_has_happened():
    assert run("verify_audit") == (0, "0 events, unbroken; head none yet\n", "")


def test_it_names_everything_that_is_wrong():
    make_chain(12)
    with intruder():
        alter(2, actor="nobody")
        remove(4, 5, 12)
        swap(8, 9)
    ran = run("verify_audit")
    lines = ran.err.splitlines()
    assert (ran.code, ran.out) == (1, "")
    assert lines[0] == "The audit is broken: 5 problems in 9 events."
    assert lines[1].startswith("  position 2 (event ")
    assert ", product.updated, " in lines[1]
    assert lines[2] == "  positions 4 to 5 are missing"
    assert lines[3].startswith("  position 8 holds event ")
    assert lines[4].startswith("  position 9 holds event ")
    assert lines[5] == "  position 12 is missing: the end of the chain was cut off"


def test_it_counts_what_it_does_not_name(monkeypatch):
    monkeypatch.setattr(audit_verification, "NAMED", 2)
    make_chain(6)
    with intruder():
        AuditEvent.objects.filter(position__gt=1).update(actor="nobody")
    ran = run("verify_audit")
    assert (ran.code, ran.err.splitlines()[-1]) == (1, "  and 3 more")


def test_it_says_what_to_do_without_the_key(settings):
    make_chain(1)
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    ran = run("verify_audit")
    assert ran.code == 1
    assert "put the vault key it was made under back into VAULT_KEYS" in ran.err


def test_a_head_that_is_none_is_refused():
    ran = run("verify_audit", "--contains", "118")
    assert ran == (2, "", "A noted head looks like 118:3f2a…, with at least 16 of the digits after the colon.")


def test_it_shows_its_progress(monkeypatch):
    monkeypatch.setattr(progress, "PLAIN_LINE_EVERY", 0)
    monkeypatch.setattr(audit_verification, "CHUNK", 2)
    make_chain(3)
    assert run("verify_audit").err.splitlines() == ["2 of 3 events", "3 of 3 events"]
