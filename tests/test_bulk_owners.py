"""Owners found or created many at a time, by the rules that hold for one."""

import re
import threading
import time

import pytest
from django.db import connection, transaction

from licenses.models import AuditEvent, Owner
from licenses.services.assignments import assign_batch
from licenses.services.owners import find_or_create_owner, find_or_create_owners
from licenses.services.rows import RequestedRow
from tests.factories import ACTOR, LicenseKeyFactory, OwnerFactory

pytestmark = pytest.mark.django_db

WANTED = [
    ("", "ada@example.com"),
    ("Ada", "ADA@example.com"),
    ("Other", "known@EXAMPLE.com"),
    ("Named now", "nameless@example.com"),
    ("Cy", ""),
    ("Cy", ""),
    ("", "Not set"),
    ("Jo", "jo@bücher.example"),
    ("", "JO@bücher.example"),
]


def facts(owners):
    return [(owner.pk, owner.name, owner.email) for owner in owners]


def test_many_at_a_time_end_like_one_by_one():
    ends = []
    for at_once in (True, False):
        with transaction.atomic():
            OwnerFactory(name="Known", email="Known@example.com")
            OwnerFactory(name="", email="nameless@example.com")
            if at_once:
                owners = find_or_create_owners(WANTED, actor=ACTOR)
            else:
                owners = [find_or_create_owner(name=name, email=email, actor=ACTOR) for name, email in WANTED]
            names = [Owner.objects.get(pk=owner.pk) for owner in owners]
            groups = [[other.pk for other in owners].index(owner.pk) for owner in owners]
            ends.append(([(owner.name, owner.email) for owner in names], groups, Owner.objects.count()))
            created = AuditEvent.objects.filter(kind="owner.created").values_list("object_id", flat=True)
            assert len(created) == len(set(created)) == Owner.objects.count() - 2
            transaction.set_rollback(True)
    assert ends[0] == ends[1]


def test_an_address_is_looked_up_in_the_index_of_the_constraint():
    Owner.objects.bulk_create(Owner(email=f"owner{n}@example.com") for n in range(20_000))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE licenses_owner")
    for owners in (
        Owner.objects.with_email("owner7@EXAMPLE.com"),
        Owner.objects.with_emails(["owner7@example.com", "x"]),
    ):
        assert re.search("owner_(one_per|by)_email", owners.explain())


@pytest.mark.django_db(transaction=True)
def test_it_takes_the_owner_that_another_transaction_is_just_creating():
    if connection.vendor == "sqlite":
        pytest.skip("SQLite has one writer at a time")
    created = threading.Event()

    def create_slowly():
        with transaction.atomic():
            Owner.objects.create(name="First", email="Ada@example.com")
            created.set()
            time.sleep(0.5)
        connection.close()

    thread = threading.Thread(target=create_slowly)
    thread.start()
    created.wait(timeout=10)
    with transaction.atomic():
        ada, bob = find_or_create_owners([("", "ada@example.com"), ("Bob", "bob@example.com")], actor=ACTOR)
    thread.join()
    assert (ada.name, ada.email, bob.name) == ("First", "Ada@example.com", "Bob")
    assert Owner.objects.count() == 2


def test_a_batch_of_a_caller_who_marks_no_repetitions_assigns_nothing_twice():
    LicenseKeyFactory(license_key="K1")
    rows = [RequestedRow(line, "K1", "ada@example.com") for line in (1, 2)]
    outcomes = assign_batch(rows=rows, actor=ACTOR)
    assert [outcome.outcome for outcome in outcomes] == ["assigned", "refused"]
