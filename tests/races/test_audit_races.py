"""Nothing lost: changes of several processes at once are one chain, and killed ones leave both of a pair or neither."""

import json
import os
import subprocess
import sys
import time
from collections import Counter, defaultdict

import pytest
from django.db import connection

from licenses.models import Activation, AuditChain, AuditEvent, LicenseKey, LicenseKeyMetadata, Owner
from licenses.services.audit_verification import verify_audit
from tests.factories import LicenseKeyFactory
from tests.server import ROOT, database_url

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "postgresql", reason="SQLite has one writer at a time"),
]

KILLS, CHANGES = 100, 1_000
NAME = "races-changes"  # of its connections, and of no other's


def changes(**options: int) -> dict[str, list[int]]:
    """What tests/races/changes.py tells, run on the database of the test."""
    keys = [LicenseKeyFactory(assigned=True, activation_limit=0).license_key for _ in range(4)]
    own = {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "licensing_portal.settings", "PGAPPNAME": NAME}
    done = subprocess.run(
        [sys.executable, "-m", "tests.races.changes", json.dumps({"keys": keys, **options})],
        cwd=ROOT,
        env=os.environ | own,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert done.returncode == 0, done.stderr
    wait_until_gone()
    return json.loads(done.stdout)


def wait_until_gone() -> None:
    """Until PostgreSQL has noticed who was killed, and has ended what he had begun."""
    theirs = "datname = current_database() AND application_name = %s"
    ends_at = time.monotonic() + 30
    with connection.cursor() as cursor:
        while time.monotonic() < ends_at:
            cursor.execute(f"SELECT count(*) FROM pg_stat_activity WHERE {theirs}", [NAME])
            if cursor.fetchone() == (0,):
                return
            time.sleep(0.05)
    raise AssertionError("somebody is still connected")


def written() -> dict[str, set[object]]:
    """What the changes have written, by the kind of event that says so."""
    activations = Activation.objects.all()
    new = LicenseKey.objects.filter(license_key__startswith="NEW-")
    return {
        "activation.activated": set(activations.values_list("identifier", flat=True)),
        "activation.deactivated": set(activations.exclude(deactivated_at=None).values_list("identifier", flat=True)),
        "metadata.created": set(LicenseKeyMetadata.objects.values_list("name", flat=True)),
        "license_key.created": set(new.values_list("pk", flat=True)),
        "license_key.assigned": set(new.exclude(owner=None).values_list("pk", flat=True)),
        "owner.created": set(Owner.objects.filter(email__startswith="c").values_list("pk", flat=True)),
    }


def recorded() -> dict[str, Counter[object]]:
    """The same as the audit tells it."""
    found: dict[str, Counter[object]] = defaultdict(Counter)
    for event in AuditEvent.objects.all():
        if event.kind.startswith("activation."):
            found[event.kind][(event.after or event.before)["identifier"]] += 1
        elif event.kind == "metadata.created":
            found[event.kind].update(event.after.keys())
        else:
            found[event.kind][event.object_id] += 1
    return found


@pytest.mark.statement("R2")
def test_100_kills_leave_no_change_without_its_audit_row_and_none_without_its_change():
    told = changes(changes=CHANGES, kills=KILLS)
    assert len(told["in_flight"]) == KILLS
    assert len(told["acknowledged"]) + KILLS >= CHANGES * 0.9
    facts = written()
    assert recorded() == {kind: Counter(things) for kind, things in facts.items()}
    known = facts["activation.activated"]
    assert {f"c{number}" for number in told["acknowledged"] if number % 5 == 0} <= known
    found = verify_audit()
    assert (found.problems, found.events) == ([], AuditEvent.objects.count())


def test_changes_of_four_processes_are_one_unbroken_chain():
    told = changes(changes=60, processes=4)
    assert told["codes"] == [0, 0, 0, 0]
    count = AuditEvent.objects.count()
    assert count > 240
    assert AuditEvent.objects.filter(position=None).count() < 10  # each links what the others leave to it
    found = verify_audit()
    assert (found.problems, found.events, AuditChain.objects.get().position) == ([], count, count)
