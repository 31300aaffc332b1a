from datetime import timedelta

import pytest
from django.utils import timezone

from licenses.models import AuditEvent
from tests.factories import ActivationFactory, LicenseKeyFactory

pytestmark = pytest.mark.django_db


def verify(portal, activation, **params):
    sent = {"license_key": activation.license_key.license_key, "identifier": activation.identifier}
    return portal("verify", **(sent | params))


def test_it_says_valid_where_the_license_key_is_active(portal):
    answer = verify(portal, ActivationFactory())
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (200, "Valid license key")


def test_it_writes_no_audit_row(portal):
    activation = ActivationFactory()
    before = AuditEvent.objects.count()
    verify(portal, activation)
    assert AuditEvent.objects.count() == before


def test_it_answers_202_where_it_is_not_active(portal):
    answer = verify(portal, ActivationFactory(), identifier="elsewhere")
    assert answer["code"] == 202
    assert answer["message"] == "No activation found for this license key/identifier combination"


def test_it_answers_202_after_deactivation(portal):
    activation = ActivationFactory(deactivated_at=timezone.now())
    assert verify(portal, activation)["code"] == 202


def test_it_notes_when_it_was_verified_at_most_once_an_hour(portal):
    activation = ActivationFactory()
    verify(portal, activation)
    activation.refresh_from_db()
    first = activation.last_verified_at
    assert timezone.now() - first < timedelta(minutes=1)
    verify(portal, activation)
    activation.refresh_from_db()
    assert activation.last_verified_at == first
    activation.last_verified_at = first - timedelta(hours=1)
    activation.save()
    verify(portal, activation)
    activation.refresh_from_db()
    assert activation.last_verified_at >= first


def test_an_expired_key_is_205_only_where_the_product_minds(portal):
    activation = ActivationFactory(license_key=LicenseKeyFactory(expired=True))
    assert verify(portal, activation)["code"] == 205
    product = activation.license_key.product
    product.require_non_expired = False
    product.save()
    assert verify(portal, activation)["code"] == 200


def test_a_key_expires_at_its_moment_and_not_before(portal):
    activation = ActivationFactory()
    key = activation.license_key
    for seconds, code in ((60, 200), (-1, 205)):
        key.expires_at = timezone.now() + timedelta(seconds=seconds)
        key.save()
        assert verify(portal, activation)["code"] == code
