"""The gate of every license call: 210, 201, 203, 204, 205, 215, then the call's own parameters (protocol, D4)."""

import pytest

from licenses.services.products import create_product
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory

pytestmark = pytest.mark.django_db

GATED = [
    "verify",
    "activate",
    "get-license-key-details",
    "create-license-key-meta",
    "update-license-key-meta",
    "delete-license-key-meta",
]


def spoil_product(key):
    key.product.status = "inactive"
    key.product.save()


def block(key):
    key.status = "blocked"
    key.save()


def make_available(key):
    key.activations.all().delete()
    key.status, key.owner, key.assigned_at, key.expires_at = "available", None, None, None
    key.save()


@pytest.mark.parametrize("endpoint", GATED)
def test_each_check_hides_the_ones_behind_it(portal, endpoint):
    """Start with everything wrong and mend one thing after the other: the answers come in the protocol's order."""
    product = create_product(name="Own key", actor=ACTOR)
    key = LicenseKeyFactory(expired=True, product=product)
    make_available(key)
    spoil_product(key)

    assert portal(endpoint, license_key="unknown")["code"] == 210
    assert portal.label == "global"

    assert portal(endpoint, license_key=key.license_key)["code"] == 201
    assert portal.label == "product"

    expired = LicenseKeyFactory(expired=True, product=product)
    block(expired)
    assert portal(endpoint, license_key=expired.license_key)["code"] == 203
    product.status = "active"
    product.save()
    assert portal(endpoint, license_key=expired.license_key)["code"] == 204
    expired.status = "assigned"
    expired.save()
    assert portal(endpoint, license_key=expired.license_key)["code"] == 205
    product.require_non_expired = False
    product.save()
    assert portal(endpoint, license_key=expired.license_key)["code"] == 215
    assert portal.label == "product"


@pytest.mark.parametrize(
    ("endpoint", "required", "missing"),
    [
        ("create-license-key-meta", 450, 451),
        ("update-license-key-meta", 350, 351),
        ("delete-license-key-meta", 250, 251),
    ],
)
def test_metadata_parameters_come_last(portal, endpoint, required, missing):
    key = LicenseKeyFactory(assigned=True).license_key
    assert portal(endpoint, license_key=key, identifier="x")["code"] == required
    assert portal(endpoint, license_key=key, identifier="x", key="name")["code"] == missing


def test_a_reserved_key_counts_as_not_assigned(portal):
    key = LicenseKeyFactory(status="reserved")
    assert portal("verify", license_key=key.license_key, identifier="x")["code"] == 201


def test_a_blocked_key_without_an_owner_is_blocked(portal):
    key = LicenseKeyFactory(status="blocked")
    assert portal("verify", license_key=key.license_key, identifier="x")["code"] == 204


def test_deactivating_minds_neither_expiry_nor_block(portal):
    activation = ActivationFactory(license_key=LicenseKeyFactory(expired=True))
    block(activation.license_key)
    sent = {"license_key": activation.license_key.license_key}
    assert portal("deactivate", **sent)["code"] == 215
    assert portal("deactivate", **sent, identifier=activation.identifier)["code"] == "400"
