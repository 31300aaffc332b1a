import pytest

from licenses.models import Activation, AuditEvent
from licenses.services.activations import deactivate_license
from licenses.services.products import create_product
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory

pytestmark = pytest.mark.django_db


def activate(portal, key, identifier="domain.ltd", **params):
    return portal("activate", license_key=key.license_key, identifier=identifier, **params)


def test_it_activates(portal):
    key = LicenseKeyFactory(assigned=True)
    answer = activate(portal, key, post_url="https://domain.ltd/receiver.php?a=b")
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (300, "License key activated")
    activation = key.activations.live().get()
    assert activation.identifier == "domain.ltd"
    assert activation.post_url == "https://domain.ltd/receiver.php?a=b"
    assert activation.address == "127.0.0.1"
    event = AuditEvent.objects.get(kind="activation.activated")
    assert (event.object_id, event.after) == (key.pk, {"identifier": "domain.ltd"})


def test_it_signs_with_the_product_key_when_there_is_one(portal):
    product = create_product(name="Own key", actor=ACTOR)
    activate(portal, LicenseKeyFactory(assigned=True, product=product))
    assert portal.label == "product"


def test_it_signs_with_the_global_key_when_the_product_has_none(portal):
    activate(portal, LicenseKeyFactory(assigned=True))
    assert portal.label == "global"


def test_it_answers_301_when_it_is_active_already(portal):
    key = LicenseKeyFactory(assigned=True, activation_limit=1)
    activate(portal, key)
    answer = activate(portal, key)
    assert (answer["code"], answer["message"]) == (301, "License key already active")
    assert key.activations.count() == 1


def test_it_stops_at_the_limit(portal):
    key = LicenseKeyFactory(assigned=True, activation_limit=2)
    codes = [activate(portal, key, identifier=f"host{n}")["code"] for n in range(4)]
    assert codes == [300, 300, 302, 302]
    assert key.activations.live().count() == 2


def test_a_limit_of_zero_is_no_limit(portal):
    key = LicenseKeyFactory(assigned=True, activation_limit=0)
    assert {activate(portal, key, identifier=f"host{n}")["code"] for n in range(5)} == {300}


def test_it_keeps_one_row_when_it_activates_again(portal):
    key = LicenseKeyFactory(assigned=True)
    activate(portal, key)
    deactivate_license(license_key=key.license_key, identifier="domain.ltd", actor=ACTOR)
    assert activate(portal, key)["code"] == 300
    assert Activation.objects.get().is_live


def test_a_deactivated_identifier_does_not_slip_past_the_limit(portal):
    key = LicenseKeyFactory(assigned=True, activation_limit=1)
    activate(portal, key, identifier="first")
    deactivate_license(license_key=key.license_key, identifier="first", actor=ACTOR)
    activate(portal, key, identifier="second")
    assert activate(portal, key, identifier="first")["code"] == 302


@pytest.mark.parametrize("identifier", ["", "   "])
def test_it_requires_an_identifier(portal, identifier):
    answer = activate(portal, LicenseKeyFactory(assigned=True), identifier=identifier)
    assert (answer["code"], answer["message"]) == (215, "Identifier is required")


def test_it_compares_identifiers_exactly_but_trimmed(portal):
    key = LicenseKeyFactory(assigned=True, activation_limit=0)
    assert activate(portal, key, identifier=" domain.ltd ")["code"] == 300
    assert activate(portal, key, identifier="domain.ltd")["code"] == 301
    assert activate(portal, key, identifier="Domain.ltd")["code"] == 300


@pytest.mark.parametrize("alias", ["hardwareId", "domain", "hardware_id", "server_domain", "server_ip"])
def test_it_reads_every_name_of_the_identifier(portal, alias):
    key = LicenseKeyFactory(assigned=True)
    assert portal("activate", entitlement_key=key.license_key, **{alias: "abc"})["code"] == 300
    assert key.activations.get().identifier == "abc"


def test_another_key_has_activations_of_its_own(portal):
    taken = ActivationFactory(identifier="domain.ltd")
    key = LicenseKeyFactory(assigned=True)
    assert activate(portal, key, identifier=taken.identifier)["code"] == 300
