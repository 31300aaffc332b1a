"""What a call sees that had to wait for another: the row as that one left it, and what belongs to it now."""

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import connection, transaction

from licenses.codes import Code, Refused
from licenses.models import AuditEvent, Contract, LicenseKey, Owner
from licenses.services import records
from licenses.services.activations import activate_license
from licenses.services.api_keys import create_api_key
from licenses.services.contract_holders import destroy_all_license_keys
from licenses.services.license_key_changes import Revision, revise_license_key
from licenses.services.license_keys import assign_license_key
from licenses.services.owners import find_or_create_owner, find_or_create_owners
from licenses.services.random_assignment import assign_from_stock_or_generate
from licenses.services.records import is_used
from licenses.services.retries import retried
from tests.factories import ACTOR, ContractFactory, GeneratorFactory, LicenseKeyFactory, OwnerFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)


def while_held(change: Callable[[], object], call: Callable[[], object]) -> object:
    """What `call` comes to when it has to wait for the row that `change` changes: it begins before, it ends after."""
    found: list[Any] = []

    def run() -> None:
        try:
            found.append(call())
        except Refused as refused:
            found.append(refused.code)
        finally:
            connection.close()

    caller = threading.Thread(target=run)
    with transaction.atomic():
        change()
        caller.start()
        wait_until_it_waits(caller)
    caller.join()
    return found[0]


def wait_until_it_waits(caller: threading.Thread) -> None:
    """Until a connection of this database waits for a lock; on SQLite for a moment."""
    ends_at = time.monotonic() + 5
    while caller.is_alive() and time.monotonic() < ends_at and not somebody_waits():
        time.sleep(0.01)


def somebody_waits() -> bool:
    if connection.vendor != "postgresql":
        time.sleep(0.2)
        return True
    with connection.cursor() as cursor:
        own = "datname = current_database() AND wait_event_type = 'Lock'"
        cursor.execute("SELECT pg_stat_clear_snapshot()")  # else a transaction sees what it saw first
        cursor.execute(f"SELECT EXISTS (SELECT FROM pg_stat_activity WHERE {own})")
        return cursor.fetchone()[0]


def test_a_license_key_that_gets_an_owner_meanwhile_keeps_it():
    key = LicenseKeyFactory()
    named = {"license_key": key.license_key, "actor": ACTOR}
    while_held(
        lambda: assign_license_key(**named, owner_email="buyer@example.com"),
        lambda: revise_license_key(**named, revision=Revision(activation_limit=7)),
    )
    key.refresh_from_db()
    assert (key.status, key.owner.email, key.activation_limit) == ("assigned", "buyer@example.com", 7)
    assert Owner.objects.count() == 1


def test_a_license_key_that_changes_its_product_meanwhile_is_found():
    key, other = LicenseKeyFactory(assigned=True), ProductFactory()
    found = while_held(
        lambda: revise_license_key(license_key=key.license_key, revision=Revision(product=other), actor=ACTOR),
        lambda: activate_license(license_key=key.license_key, identifier="host", actor=ACTOR),
    )
    assert isinstance(found, LicenseKey)
    assert found.product == other


def test_a_contract_that_changes_its_product_meanwhile_is_found():
    contract, other = ContractFactory(), ProductFactory()
    LicenseKeyFactory(product=contract.product, contract=contract)
    api_key, _ = create_api_key(name="Holder", capabilities=["verify"], actor=ACTOR)

    def move() -> None:
        contract.license_keys.update(product=other)
        Contract.objects.filter(pk=contract.pk).update(product=other)

    call = {"api_key": api_key, "contract_key": contract.contract_key, "actor": ACTOR}
    found, count = while_held(move, lambda: destroy_all_license_keys(**call))
    assert (found.product, count) == (other, 1)


@pytest.mark.skipif(connection.vendor == "sqlite", reason="SQLite has one writer at a time")
def test_an_owner_who_is_deleted_gets_no_license_key_meanwhile(monkeypatch):
    """Between the question who needs the owner and the deletion; the assignment then finds nobody and makes anew."""
    owner, key = OwnerFactory(email="buyer@example.com"), LicenseKeyFactory()
    named = {"license_key": key.license_key, "owner_email": "buyer@example.com", "actor": ACTOR}

    def assign() -> None:
        try:
            retried(lambda: assign_license_key(**named))
        finally:
            connection.close()

    caller = threading.Thread(target=assign)

    def ask_and_wait(instance: Owner) -> bool:
        found = is_used(instance)
        caller.start()
        wait_until_it_waits(caller)
        return found

    monkeypatch.setattr(records, "is_used", ask_and_wait)
    records.delete_record(owner, actor=ACTOR)
    caller.join()
    key.refresh_from_db()
    assert key.owner.email == "buyer@example.com"
    assert key.owner_id != owner.pk
    assert not Owner.objects.filter(pk=owner.pk).exists()


def test_a_record_is_deleted_once():
    owner = OwnerFactory()
    records.delete_record(Owner.objects.get(pk=owner.pk), actor=ACTOR)
    with pytest.raises(ValidationError, match="deleted in the meantime"):
        records.delete_record(owner, actor=ACTOR)
    assert AuditEvent.objects.filter(kind="owner.deleted").count() == 1


def test_owners_can_be_referred_to_while_they_get_their_names():
    """A reference is checked when its transaction commits, which the other must not prevent while it waits for it."""
    nameless, key = OwnerFactory(name="", email="ann@example.com"), LicenseKeyFactory()
    rows = [("Ann", "ann@example.com"), ("", "ö@example.com")]
    answers = []

    @transaction.atomic
    def meet_both() -> None:
        answers.append(find_or_create_owners(rows, actor=ACTOR))

    def call() -> None:
        try:
            meet_both()
        finally:
            connection.close()

    caller = threading.Thread(target=call)
    with transaction.atomic():
        find_or_create_owner(email="ö@example.com", actor=ACTOR)
        caller.start()
        wait_until_it_waits(caller)
        assign_license_key(license_key=key.license_key, owner_email="ann@example.com", actor=ACTOR)
    caller.join()
    nameless.refresh_from_db()
    assert nameless.name == "Ann"
    assert len(answers) == 1


def test_new_license_keys_come_after_their_owner_everywhere():
    """Two calls that each want what the other has stored: both store the owner first, so that one waits for both."""
    generator = GeneratorFactory(method="chunk-system", charset="A", number_of_chunks=1, chunk_length=1)
    product, owner = generator.product, {"owner_email": "buyer@example.com"}
    text = f"{generator.prefix}A{generator.suffix}"

    def store_both() -> None:
        find_or_create_owner(email="buyer@example.com", actor=ACTOR)
        caller.start()
        wait_until_it_waits(caller)
        LicenseKeyFactory(product=product, license_key=text)

    def take() -> None:
        try:
            assign_from_stock_or_generate(product=product, quantity=1, generate=True, **owner, actor=ACTOR)
        except Refused as refused:
            answers.append(refused.code)
        finally:
            connection.close()

    caller, answers = threading.Thread(target=take), []
    with transaction.atomic():
        store_both()
    caller.join()
    assert answers == [Code.NOT_ENOUGH_LICENSE_KEYS]  # there is only one text, and the other has it
