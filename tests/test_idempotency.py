"""R1: an Idempotency-Key makes a repeated call do nothing and answer the same, byte for byte, for 24 hours."""

from datetime import timedelta

import pytest
import time_machine
from django.utils import timezone

from licenses.api.urls import ENDPOINTS
from licenses.models import AuditEvent, IdempotencyRecord
from licenses.services import activations, idempotency
from tests.factories import LicenseKeyFactory, api_key_text
from tests.protocol import Portal

pytestmark = [pytest.mark.django_db, pytest.mark.statement("R1")]

KEY = "5f0c5b4e-8a5c-4a43-8c52-0d6b0f8f3a11"


@pytest.fixture
def license_key():
    return LicenseKeyFactory(assigned=True, activation_limit=2)


def activate(portal, license_key, identifier="host", key=KEY):
    body = {"license_key": license_key.license_key, "identifier": identifier}
    return portal.json("activate", body, **{"Idempotency-Key": key})


def test_the_second_time_nothing_happens_and_the_answer_is_the_same_envelope(portal, license_key):
    assert activate(portal, license_key)["code"] == 300
    first, events = portal.http.content, AuditEvent.objects.count()
    with time_machine.travel(timezone.now() + timedelta(hours=23)):
        activate(portal, license_key)
    assert portal.http.content == first
    assert AuditEvent.objects.count() == events


def test_without_one_the_second_time_is_301(portal, license_key):
    assert activate(portal, license_key, key="")["code"] == 300
    assert activate(portal, license_key, key="")["code"] == 301
    assert not IdempotencyRecord.objects.exists()


def test_other_parameters_are_161_and_without_effect(portal, license_key):
    activate(portal, license_key)
    answer = activate(portal, license_key, identifier="other")
    assert (answer["code"], answer["message"]) == (161, "Idempotency-Key was used with other parameters")
    assert (portal.http.status_code, portal.label) == (409, "global")
    assert license_key.activations.count() == 1


def test_another_endpoint_is_161(portal, license_key):
    activate(portal, license_key)
    body = {"license_key": license_key.license_key, "identifier": "host"}
    assert portal.json("deactivate", body, **{"Idempotency-Key": KEY})["code"] == 161
    assert license_key.activations.live().count() == 1


def test_the_encoding_and_the_place_of_the_key_make_no_difference(portal, license_key):
    activate(portal, license_key)
    first = portal.http.content
    for name in ("idempotency_key", "idempotencyKey"):
        portal("activate", license_key=license_key.license_key, identifier=" host ", **{name: KEY})
        assert portal.http.content == first


def test_it_belongs_to_one_api_key(portal, client, license_key):
    activate(portal, license_key)
    other = Portal(client, api_key_text(name="Another shop"))
    assert activate(other, license_key, identifier="other")["code"] == 300


def test_after_24_hours_it_is_forgotten(portal, license_key):
    activate(portal, license_key)
    with time_machine.travel(timezone.now() + timedelta(hours=24, seconds=1)):
        assert activate(portal, license_key)["code"] == 301
        assert idempotency.forget_old_answers() == 0, "the key was used again just now"
    with time_machine.travel(timezone.now() + timedelta(hours=49)):
        assert idempotency.forget_old_answers() == 1


def test_a_refusal_is_kept_too(portal, license_key):
    license_key.activation_limit = 1
    license_key.save()
    activate(portal, license_key, identifier="first", key="first")
    assert activate(portal, license_key, identifier="second")["code"] == 302
    refused = portal.http.content
    license_key.activations.update(deactivated_at=timezone.now())
    activate(portal, license_key, identifier="second")
    assert portal.http.content == refused


def test_malformed_parameters_are_not_kept(portal, license_key):
    assert activate(portal, license_key, identifier="a\x00b")["code"] == 162
    assert activate(portal, license_key)["code"] == 300


def test_a_crash_keeps_neither_the_effect_nor_the_answer(portal, license_key, monkeypatch):
    def crash(*args, **kwargs):
        raise RuntimeError("the disk is gone")

    with monkeypatch.context() as patch:
        patch.setattr(activations, "record", crash)
        assert activate(portal, license_key)["code"] == 199
    assert not license_key.activations.exists()
    assert activate(portal, license_key)["code"] == 300


@pytest.mark.parametrize("key", ["x" * 256, "a\x01b", ["a"]], ids=["long", "control", "list"])
def test_a_key_that_is_none_is_162(portal, license_key, key):
    body = {"license_key": license_key.license_key, "identifier": "host", "idempotency_key": key}
    answer = portal.json("activate", body)
    assert answer["code"] == 162
    assert list(answer["errors"]) == ["Idempotency-Key"]


def test_what_only_reads_is_never_answered_from_memory(portal, license_key):
    activate(portal, license_key)
    body = {"license_key": license_key.license_key, "identifier": "host"}
    for expected in (200, 202):
        assert portal.json("verify", body, **{"Idempotency-Key": "verify"})["code"] == expected
        license_key.activations.update(deactivated_at=timezone.now())


READS_BY_POST = {"verify", "get-license-key-details", "access-downloadables"}


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.paths[0])
def test_every_call_that_changes_something_takes_one(row):
    reads = row.methods == ("get",) or row.paths[0] in READS_BY_POST or "get-" in row.paths[0]
    assert row.changes != reads
