"""deactivate-all: the protocol's prose has it below `licenses/KEY/`; the answers are those of deactivate."""

import pytest

from licenses.models import AuditEvent, LicenseKey
from licenses.services.products import create_product
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def license_key():
    """It runs on three devices and has left a fourth; another license key runs on one of them too."""
    found = LicenseKeyFactory(assigned=True, activation_limit=0, product=create_product(name="Own key", actor=ACTOR))
    activations = ActivationFactory.create_batch(4, license_key=found)
    ActivationFactory(identifier=activations[0].identifier)
    activations[3].deactivated_at = activations[3].activated_at
    activations[3].save()
    return found


def test_it_ends_every_activation_of_this_license_key_alone(portal, license_key):
    answer = portal("deactivate-all", license_key=license_key.license_key)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == ("400", "License key deactivated", "global")
    assert not license_key.activations.live().exists()
    assert license_key.activations.count() == 4, "their rows stay"
    ended = AuditEvent.objects.filter(kind="activation.deactivated", object_id=license_key.pk)
    assert len({event.before["identifier"] for event in ended}) == ended.count() == 3
    assert LicenseKey.objects.exclude(pk=license_key.pk).get().activations.live().count() == 1


def test_twice_it_is_inactive_already(portal, license_key):
    portal("deactivate-all", license_key=license_key.license_key)
    answer = portal("deactivate-all", license_key=license_key.license_key)
    assert (answer["code"], answer["message"], portal.label) == (401, "License key already inactive", "product")


def test_the_license_key_in_the_path_wins(portal, license_key):
    other = LicenseKeyFactory(assigned=True)
    answer = portal(f"licenses/{license_key.license_key}/deactivate-all", license_key=other.license_key)
    assert answer["code"] == "400"
    assert not license_key.activations.live().exists()


@pytest.mark.parametrize("how", ["blocked", "expired"])
def test_neither_block_nor_expiry_stops_it(portal, license_key, how):
    change = {"status": "blocked"} if how == "blocked" else {"expires_at": license_key.assigned_at}
    LicenseKey.objects.filter(pk=license_key.pk).update(**change)
    assert portal("deactivate-all", license_key=license_key.license_key)["code"] == "400"


def test_it_refuses_what_deactivate_refuses(portal, license_key):
    assert portal("deactivate-all", license_key="unknown")["code"] == 210
    assert portal("deactivate-all", license_key=LicenseKeyFactory().license_key)["code"] == 201
    license_key.product.status = "inactive"
    license_key.product.save()
    assert portal("deactivate-all", entitlement_key=license_key.license_key)["code"] == 203
    assert license_key.activations.live().count() == 3
