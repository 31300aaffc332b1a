from datetime import UTC, datetime

import pytest

from licenses.models import ProductMetadata
from licenses.services.products import create_product
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory

pytestmark = pytest.mark.django_db


def details(portal, activation, **params):
    sent = {"license_key": activation.license_key.license_key, "identifier": activation.identifier}
    return portal("get-license-key-details", **(sent | params))


def test_it_tells_the_documented_fields_in_their_order(portal):
    product = create_product(name="Test / Product", description="It's a test", actor=ACTOR)
    ProductMetadata.objects.create(product=product, name="test-key", value="test value x")
    activation = ActivationFactory(
        license_key__product=product,
        license_key__validity_days=30,
        license_key__assigned_at=datetime(2024, 2, 27, 3, 5, 31, 999, tzinfo=UTC),
        license_key__owner__name="Test User",
        license_key__owner__email="email@domain.ltd",
    )
    key = activation.license_key
    key.metadata.create(name="second", value="2")
    key.metadata.create(name="first", value="1")
    answer = details(portal, activation)
    assert list(answer) == ["code", "message", "licenseKey", "product", "timestamp"]
    assert (answer["code"], answer["message"]) == (500, "Active license key found")
    assert list(answer["licenseKey"].items()) == [
        ("id", key.pk),
        ("license_key", key.license_key),
        ("owner_name", "Test User"),
        ("owner_email", "email@domain.ltd"),
        ("activation_limit", 1),
        ("validity", 30),
        ("assigned_at", "2024-02-27 03:05:31"),
        ("meta_data", [{"key": "second", "value": "2"}, {"key": "first", "value": "1"}]),
        ("expires_at", False),
    ]
    assert list(answer["product"].items()) == [
        ("id", product.pk),
        ("external_reference", ""),
        ("source", "internal"),
        ("name", "Test / Product"),
        ("post_url", ""),
        ("description", "It's a test"),
        ("meta_data", [{"key": "test-key", "value": "test value x"}]),
    ]
    assert portal.label == "product"


def test_it_tells_when_the_license_key_expires(portal):
    activation = ActivationFactory()
    activation.license_key.expires_at = datetime(2035, 1, 2, 3, 4, 5, tzinfo=UTC)
    activation.license_key.save()
    assert details(portal, activation)["licenseKey"]["expires_at"] == "2035-01-02 03:04:05"


def test_it_needs_an_activation(portal):
    answer = details(portal, ActivationFactory(), identifier="elsewhere")
    assert answer["code"] == 202
    assert "licenseKey" not in answer


def test_it_does_not_count_as_a_verification(portal):
    activation = ActivationFactory()
    details(portal, activation)
    activation.refresh_from_db()
    assert activation.last_verified_at is None


def test_an_owner_without_an_address_has_an_empty_one(portal):
    activation = ActivationFactory(license_key=LicenseKeyFactory(assigned=True, owner__email=""))
    assert details(portal, activation)["licenseKey"]["owner_email"] == ""
