import pytest

from licenses.models import AuditEvent, LicenseKey, Owner
from tests.factories import LicenseKeyFactory, OwnerFactory

pytestmark = pytest.mark.django_db


def assign(portal, **params):
    return portal("assign-license-key", **params)


def test_it_assigns_an_available_license_key(portal):
    key = LicenseKeyFactory(validity_days=365)
    answer = assign(portal, license_key=key.license_key, owner_name="Test User", email="email@domain.ltd")
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (800, "License key assigned")
    assert portal.label == "global"
    key.refresh_from_db()
    assert (key.status, key.owner.name, key.owner.email) == ("assigned", "Test User", "email@domain.ltd")
    assert (key.expires_at - key.assigned_at).days == 365


def test_it_leaves_an_audit_row_without_the_license_key(portal):
    key = LicenseKeyFactory()
    assign(portal, license_key=key.license_key, email="email@domain.ltd")
    event = AuditEvent.objects.get(kind="license_key.assigned")
    assert (event.door, event.object_id, event.address) == ("api", key.pk, "127.0.0.1")
    assert event.before == {"status": "available"}
    assert event.after["status"] == "assigned"
    assert key.license_key not in f"{event.object_label}{event.before}{event.after}{event.actor}"


@pytest.mark.parametrize("status", ["reserved", "blocked"])
def test_it_refuses_a_license_key_that_is_not_available(portal, status):
    key = LicenseKeyFactory(status=status)
    answer = assign(portal, license_key=key.license_key, email="email@domain.ltd")
    assert (answer["code"], answer["message"]) == (801, "Invalid or already assigned license key")
    assert portal.label == "global"
    assert portal.http.status_code == 200
    assert not Owner.objects.exists()


@pytest.mark.parametrize("params", [{"license_key": "unknown"}, {"license_key": ""}, {}])
def test_it_refuses_an_unknown_license_key(portal, params):
    assert assign(portal, **params)["code"] == 801


def test_it_refuses_a_license_key_twice(portal):
    key = LicenseKeyFactory()
    assert assign(portal, license_key=key.license_key, email="a@domain.ltd")["code"] == 800
    assert assign(portal, license_key=key.license_key, email="b@domain.ltd")["code"] == 801
    key.refresh_from_db()
    assert key.owner.email == "a@domain.ltd"


def test_it_finds_the_owner_whatever_the_case_of_the_address(portal):
    owner = OwnerFactory(name="Known", email="Somebody@Domain.ltd")
    key = LicenseKeyFactory()
    assign(portal, license_key=key.license_key, owner_name="Other", email="SOMEBODY@domain.LTD")
    key.refresh_from_db()
    assert key.owner == owner
    assert key.owner.name == "Known"


def test_it_fills_in_the_name_of_an_owner_who_had_none(portal):
    owner = OwnerFactory(name="", email="somebody@domain.ltd")
    assign(portal, license_key=LicenseKeyFactory().license_key, owner_name="Now Known", email=owner.email)
    owner.refresh_from_db()
    assert owner.name == "Now Known"


def test_it_takes_a_shop_that_sends_no_address(portal):
    first, second = LicenseKeyFactory(), LicenseKeyFactory()
    for key, name in ((first, "One"), (second, "Two")):
        assert assign(portal, license_key=key.license_key, owner_name=name, email="Not set")["code"] == 800
    owners = [LicenseKey.objects.get(pk=key.pk).owner for key in (first, second)]
    assert [owner.name for owner in owners] == ["One", "Two"]
    assert [owner.email for owner in owners] == ["", ""]


@pytest.mark.parametrize("alias", ["owner_email", "email", "customer_email"])
def test_it_reads_every_name_of_a_parameter(portal, alias):
    key = LicenseKeyFactory()
    answer = assign(portal, entitlement_key=key.license_key, customer_name="Test", **{alias: "a@domain.ltd"})
    assert answer["code"] == 800
    key.refresh_from_db()
    assert (key.owner.name, key.owner.email) == ("Test", "a@domain.ltd")


def test_the_canonical_name_wins_over_an_alias(portal):
    key = LicenseKeyFactory()
    assign(portal, license_key=key.license_key, owner_email="a@domain.ltd", email="b@domain.ltd")
    key.refresh_from_db()
    assert key.owner.email == "a@domain.ltd"


def test_it_says_which_parameter_is_malformed(portal):
    key = LicenseKeyFactory()
    answer = assign(portal, license_key=key.license_key, owner_name="x" * 256)
    assert (answer["code"], portal.http.status_code) == (162, 400)
    assert list(answer["errors"]) == ["owner_name"]
    key.refresh_from_db()
    assert key.status == "available"


def test_it_never_expires_with_a_validity_of_zero(portal):
    key = LicenseKeyFactory(validity_days=0)
    assign(portal, license_key=key.license_key, email="a@domain.ltd")
    key.refresh_from_db()
    assert key.expires_at is None
