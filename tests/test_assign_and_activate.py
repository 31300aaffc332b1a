"""assign-and-activate-license-key: both or nothing."""

import pytest

from licenses.models import Activation, AuditEvent, Owner
from licenses.services.products import create_product
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory, ProductFactory

pytestmark = pytest.mark.django_db


def call(portal, found, **params):
    sent = {"license_key": found.license_key, "identifier": "domain.ltd", "owner_email": "email@domain.ltd"}
    return portal("assign-and-activate-license-key", **(sent | params))


def nothing_happened(found, status="available"):
    found.refresh_from_db()
    assert (found.status, found.owner) == (status, None)
    assert not found.activations.filter(identifier="domain.ltd").exists()
    assert not Owner.objects.exists()
    assert not AuditEvent.objects.filter(object_type__in=["licensekey", "owner"]).exists()


def test_it_answers_as_documented(portal):
    key = LicenseKeyFactory(product=create_product(name="Own key", actor=ACTOR), validity_days=30)
    answer = call(portal, key, owner_name="Test User", post_url="https://domain.ltd/receiver.php?post-url=test")
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (300, "License key activated", "product")
    key.refresh_from_db()
    assert (key.status, key.owner.name, key.owner.email) == ("assigned", "Test User", "email@domain.ltd")
    assert (key.expires_at - key.assigned_at).days == 30
    activation = Activation.objects.get()
    assert (activation.identifier, activation.address) == ("domain.ltd", "127.0.0.1")
    assert activation.post_url == "https://domain.ltd/receiver.php?post-url=test"
    assert portal("verify", license_key=key.license_key, identifier="domain.ltd")["code"] == 200


def test_both_leave_an_audit_row(portal):
    key = LicenseKeyFactory()
    call(portal, key)
    events = AuditEvent.objects.filter(object_type="licensekey", object_id=key.pk).order_by("pk")
    assert [(event.kind, event.door) for event in events] == [
        ("license_key.assigned", "api"),
        ("activation.activated", "api"),
    ]


@pytest.mark.parametrize("alias", ["owner_email", "customer_email", "email"])
@pytest.mark.parametrize("where", ["identifier", "hardwareId", "domain"])
def test_it_reads_every_name_of_a_parameter(portal, alias, where):
    key = LicenseKeyFactory()
    sent = {"entitlement_key": key.license_key, where: "domain.ltd", alias: "a@domain.ltd", "customer_name": "A"}
    assert portal("assign-and-activate-license-key", **sent)["code"] == 300
    key.refresh_from_db()
    assert (key.owner.email, key.owner.name, key.activations.get().identifier) == ("a@domain.ltd", "A", "domain.ltd")


@pytest.mark.parametrize("params", [{"license_key": "unknown"}, {"license_key": ""}])
def test_801_for_an_unknown_license_key(portal, params):
    answer = call(portal, LicenseKeyFactory(), **params)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (801, "Invalid or already assigned license key")
    assert portal.label == "global"


@pytest.mark.parametrize("status", ["reserved", "blocked"])
def test_801_for_one_that_is_not_available(portal, status):
    key = LicenseKeyFactory(status=status)
    assert call(portal, key)["code"] == 801
    nothing_happened(key, status)


def test_801_the_second_time(portal):
    key = LicenseKeyFactory()
    assert [call(portal, key)["code"] for _ in range(2)] == [300, 801]


@pytest.mark.parametrize("identifier", ["", "  "])
def test_215_without_an_identifier(portal, identifier):
    key = LicenseKeyFactory(product=create_product(name="Own key", actor=ACTOR))
    before = AuditEvent.objects.count()
    answer = call(portal, key, identifier=identifier)
    assert (answer["code"], answer["message"], portal.label) == (215, "Identifier is required", "product")
    nothing_happened(key)
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("status", ["inactive", "deleted"])
def test_203_for_a_product_that_is_not_active(portal, status):
    key = LicenseKeyFactory(product=ProductFactory(status=status))
    assert call(portal, key)["code"] == 203
    nothing_happened(key)


def test_302_when_the_limit_is_reached(portal):
    """Only data from elsewhere can be so: an available license key runs nowhere."""
    key = LicenseKeyFactory()
    ActivationFactory(license_key=key, identifier="other.ltd")
    assert call(portal, key)["code"] == 302
    nothing_happened(key)


def test_it_says_which_parameter_is_malformed(portal):
    key = LicenseKeyFactory()
    answer = call(portal, key, post_url="x" * 2001)
    assert (answer["code"], list(answer["errors"])) == (162, ["post_url"])
    nothing_happened(key)


def test_an_idempotency_key_makes_the_second_call_the_first(portal):
    sent = {"license_key": LicenseKeyFactory().license_key, "identifier": "domain.ltd"}
    path = "assign-and-activate-license-key"
    first = portal.json(path, sent, **{"Idempotency-Key": "once"})
    assert portal.json(path, sent, **{"Idempotency-Key": "once"}) == first
    assert (first["code"], Activation.objects.count()) == (300, 1)
