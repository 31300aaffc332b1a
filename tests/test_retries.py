"""What loses against another transaction is done again, and never shown as a crash: at every door."""

import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.contrib import admin
from django.core.management import call_command
from django.db import IntegrityError, OperationalError, connection, transaction
from django.urls import reverse

from licenses.admin import verb_runs
from licenses.codes import Code
from licenses.events import Kind
from licenses.models import AuditEvent, Contract, IdempotencyRecord, LicenseKey
from licenses.services import retries
from licenses.services.contracts import block_license_keys
from licenses.services.license_keys import assign_license_key
from tests.factories import (
    ACTOR,
    ContractFactory,
    LicenseKeyFactory,
    OwnerFactory,
    ProductFactory,
    QueuedAssignmentFactory,
)

pytestmark = pytest.mark.django_db(transaction=True)
on_postgresql = pytest.mark.skipif(connection.vendor != "postgresql", reason="needs row locks and a trigger")
on_sqlite = pytest.mark.skipif(connection.vendor != "sqlite", reason="is about SQLite's one writer")


@pytest.fixture(autouse=True)
def _quick(monkeypatch):
    monkeypatch.setattr(retries, "FIRST_PAUSE", 0.001)


@contextmanager
def losing(table: str, times: int, state: str = "40P01") -> Iterator[None]:
    """The first statements that write to the table fail as the loser of a deadlock does. A sequence counts them: what
    it gives stays given when the transaction is undone."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE SEQUENCE losses")
        cursor.execute(
            f"""CREATE FUNCTION lose() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
            IF nextval('losses') <= {times} THEN RAISE EXCEPTION 'deadlock detected' USING ERRCODE = '{state}'; END IF;
            RETURN NEW; END $$"""
        )
        cursor.execute(f"CREATE TRIGGER lose BEFORE INSERT OR UPDATE ON {table} FOR EACH ROW EXECUTE FUNCTION lose()")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TRIGGER lose ON {table}; DROP FUNCTION lose; DROP SEQUENCE losses")


def activations() -> int:
    return AuditEvent.objects.filter(kind=Kind.ACTIVATION_ACTIVATED).count()


@on_postgresql
def test_a_call_that_loses_is_done_again(portal):
    key = LicenseKeyFactory(assigned=True, activation_limit=len(retries.LOST))
    for state in retries.LOST:
        with losing("licenses_activation", 2, state):
            answer = portal("activate", license_key=key.license_key, identifier=f"host {state}")
        assert answer["code"] == 300
    assert activations() == key.activations.count() == len(retries.LOST)


@on_postgresql
def test_a_call_with_an_idempotency_key_that_loses_has_one_effect_and_one_answer(portal):
    key = LicenseKeyFactory(assigned=True)
    body, headers = {"license_key": key.license_key, "identifier": "host"}, {"Idempotency-Key": "k"}
    with losing("licenses_auditevent", 1):
        first = portal.json("activate", body, **headers)
    assert first["code"] == 300
    assert portal.json("activate", body, **headers) == first
    assert activations() == IdempotencyRecord.objects.count() == 1


@on_postgresql
def test_a_call_that_always_loses_is_answered_with_198(portal):
    key = LicenseKeyFactory(assigned=True)
    with losing("licenses_activation", 1000):
        answer = portal("activate", license_key=key.license_key, identifier="host")
    assert answer["code"] == 198
    assert (portal.http.status_code, portal.http.headers["Retry-After"]) == (503, "5")
    assert not key.activations.exists()


@on_postgresql
def test_the_loser_of_a_real_deadlock_is_done_again(portal):
    """The call holds the row that the other wants when it wants the row that the other holds: one of them must go."""
    key, owner = LicenseKeyFactory(), OwnerFactory(name="", email="buyer@example.com")
    holds, problems = threading.Event(), []

    def other() -> None:
        """In the wrong order: the owner, then the license key. It waits so long that the call is the one that goes."""
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute("SET LOCAL deadlock_timeout = '10s'")
                cursor.execute("SELECT 1 FROM licenses_owner WHERE id = %s FOR UPDATE", [owner.pk])
                holds.set()
                time.sleep(0.3)
                cursor.execute("SELECT 1 FROM licenses_licensekey WHERE id = %s FOR UPDATE", [key.pk])
        except OperationalError as error:
            problems.append(error)
        finally:
            connection.close()

    thread = threading.Thread(target=other)
    thread.start()
    holds.wait()
    sent = {"license_key": key.license_key, "email": "buyer@example.com", "owner_name": "Buyer"}
    assert portal("assign-license-key", **sent)["code"] == 800
    thread.join()
    assert not problems
    assert deadlocks() > 0
    assert AuditEvent.objects.filter(kind=Kind.LICENSE_KEY_ASSIGNED).count() == 1


def deadlocks() -> int:
    time.sleep(1.1)  # a session tells its numbers at most once a second
    with connection.cursor() as cursor:
        cursor.execute("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")
        return cursor.fetchone()[0]


def select(staff, *keys: LicenseKey, action: str) -> str:
    sent = {"action": action, "_selected_action": [key.pk for key in keys], "confirmed": "1"}
    return staff.post(reverse("admin:licenses_licensekey_changelist"), sent, follow=True).content.decode()


@on_postgresql
def test_an_action_of_the_admin_that_loses_is_done_again(staff):
    keys = LicenseKeyFactory.create_batch(2, assigned=True)
    with losing("licenses_licensekey", 1):
        assert "2 license keys were blocked" in select(staff, *keys, action="block")
    assert LicenseKey.objects.filter(status="blocked").count() == 2


@on_postgresql
def test_an_action_of_the_admin_that_always_loses_says_so(staff):
    key = LicenseKeyFactory(assigned=True)
    with losing("licenses_licensekey", 1000):
        assert "busy with other changes" in select(staff, key, action="block")
    key.refresh_from_db()
    assert key.status == "assigned"


@on_postgresql
def test_a_form_of_the_admin_that_loses_is_shown_again(staff):
    owner = OwnerFactory(name="Before")
    with losing("licenses_owner", 1):
        path = reverse("admin:licenses_owner_change", args=[owner.pk])
        page = staff.post(path, {"name": "After", "email": owner.email}, follow=True).content.decode()
    assert "Nothing was saved. It was changed in the meantime." in page
    owner.refresh_from_db()
    assert owner.name == "Before"


@on_postgresql
@pytest.mark.parametrize("table", ["licenses_assignmentrow", "licenses_assignment"])
def test_a_batch_of_a_command_that_loses_is_done_again(tmp_path, table):
    keys = LicenseKeyFactory.create_batch(3)
    file = tmp_path / "rows.csv"
    file.write_text("license_key,owner_email\n" + "".join(f"{key.license_key},{key.pk}@example.com\n" for key in keys))
    with losing(table, 1):
        call_command("assign_license_keys", str(file))
    assert AuditEvent.objects.filter(kind=Kind.LICENSE_KEY_ASSIGNED).count() == 3


@on_postgresql
def test_other_commands_that_lose_go_on(tmp_path):
    product = ProductFactory()
    file = tmp_path / "keys.csv"
    file.write_text("license_key\nA\nB\n")
    with losing("licenses_licensekey", 1):
        call_command("import_license_keys", str(file), product=str(product.pk))
    with losing("licenses_licensekey", 1):
        call_command("generate_license_keys", product=str(product.pk), quantity=3, output=str(tmp_path / "made"))
    assert product.license_keys.count() == AuditEvent.objects.filter(kind=Kind.LICENSE_KEY_CREATED).count() == 5


@on_postgresql
def test_queued_work_that_loses_is_done_again_at_once(global_key):
    queued = QueuedAssignmentFactory(webhook_url="http://127.0.0.1:9/")
    LicenseKeyFactory(product=queued.product)
    with losing("licenses_licensekey", 1):
        call_command("run_worker", once=True)
    queued.refresh_from_db()
    assert queued.code == 803
    assert LicenseKey.objects.get().status == "assigned"


def test_only_the_outermost_transaction_is_begun_again():
    tries = []

    def lose() -> None:
        tries.append(1)
        raise OperationalError("database is locked") from Lost()

    with pytest.raises(OperationalError), transaction.atomic():
        retries.retried(lose)
    assert len(tries) == 1
    with pytest.raises(OperationalError):
        retries.retried(lose)
    assert len(tries) == 1 + retries.ATTEMPTS


class Lost(Exception):
    """What psycopg says."""

    sqlstate = "40P01"


def test_what_is_wrong_is_not_done_again():
    """A rule of the database that is broken stays broken."""
    tries = []

    def break_a_rule() -> None:
        tries.append(1)
        LicenseKeyFactory(status="unheard of")

    with pytest.raises(IntegrityError):
        retries.retried(break_a_rule)
    assert len(tries) == 1


def test_what_belongs_to_the_database_alone_is_undone_before_it_is_done_again():
    """The first attempt assigns, and loses when it is nearly done: nothing of it is left."""
    key, tries = LicenseKeyFactory(), []

    @transaction.atomic
    def work() -> Any:
        found = assign_license_key(license_key=key.license_key, owner_email="a@example.com", actor=ACTOR)
        tries.append(1)
        if len(tries) == 1:
            raise OperationalError("database is locked") from Lost()
        return found

    assert retries.retried(work).status == "assigned"
    assert AuditEvent.objects.filter(kind=Kind.LICENSE_KEY_ASSIGNED).count() == 1


@contextmanager
def locked_elsewhere(seconds: float) -> Iterator[None]:
    """Another connection, as of another process, writes for so long; ours waits for a tenth of a second."""
    other = sqlite3.connect(connection.settings_dict["NAME"], check_same_thread=False, isolation_level=None)
    connection.ensure_connection()
    connection.connection.execute("PRAGMA busy_timeout = 100")
    other.execute("BEGIN IMMEDIATE")
    release = threading.Timer(seconds, other.rollback)
    release.start()
    try:
        yield
    finally:
        release.join()
        other.close()
        connection.connection.execute("PRAGMA busy_timeout = 20000")


@on_sqlite
def test_a_locked_database_is_waited_for_again(portal):
    key = LicenseKeyFactory(assigned=True)
    with locked_elsewhere(0.25):
        assert portal("activate", license_key=key.license_key, identifier="host")["code"] == 300
    assert activations() == 1


@on_sqlite
def test_a_database_that_stays_locked_is_answered_with_198(portal):
    key = LicenseKeyFactory(assigned=True)
    with locked_elsewhere(2):
        answer = portal("activate", license_key=key.license_key, identifier="host")
    assert answer["code"] == Code.SERVICE_UNAVAILABLE.value.number
    assert activations() == 0


@on_sqlite
def test_a_locked_database_is_waited_for_in_the_admin(staff):
    key = LicenseKeyFactory(assigned=True)
    with locked_elsewhere(0.25):
        assert "1 license key was blocked" in select(staff, key, action="block")


@on_sqlite
def test_a_locked_database_is_waited_for_by_commands(tmp_path):
    product = ProductFactory()
    file = tmp_path / "keys.csv"
    file.write_text("license_key\nA\n")
    with locked_elsewhere(0.25):
        call_command("import_license_keys", str(file), product=str(product.pk))
    assert product.license_keys.count() == 1


def test_an_action_on_what_is_gone_says_so():
    """It was deleted between the list and the action, by somebody else."""
    contract = ContractFactory()
    contract_admin = admin.site._registry[Contract]
    verb = next(verb for verb in contract_admin.verbs if verb.service is block_license_keys)
    Contract.objects.all().delete()
    outcome = verb_runs._together(verb, contract_admin, [contract], {}, ACTOR)
    assert outcome.refused == [(contract, "it was deleted in the meantime")]
