import pytest

from licenses.models import AuditEvent
from licenses.services.products import create_product
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory

pytestmark = pytest.mark.django_db


def deactivate(portal, activation):
    return portal("deactivate", license_key=activation.license_key.license_key, identifier=activation.identifier)


def test_it_deactivates_and_keeps_the_row(portal):
    activation = ActivationFactory()
    answer = deactivate(portal, activation)
    assert answer["code"] == "400", "the protocol sends this one as a string"
    assert answer["message"] == "License key deactivated"
    assert portal.label == "global"
    activation.refresh_from_db()
    assert activation.deactivated_at is not None
    event = AuditEvent.objects.get(kind="activation.deactivated")
    assert event.before == {"identifier": activation.identifier}


def test_it_signs_400_with_the_global_key_even_for_a_product_with_its_own(portal):
    product = create_product(name="Own key", actor=ACTOR)
    activation = ActivationFactory(license_key__product=product)
    deactivate(portal, activation)
    assert portal.label == "global"
    assert deactivate(portal, activation)["code"] == 401
    assert portal.label == "product"


def test_it_answers_401_the_second_time(portal):
    activation = ActivationFactory()
    deactivate(portal, activation)
    answer = deactivate(portal, activation)
    assert (answer["code"], answer["message"]) == (401, "License key already inactive")


def test_it_answers_401_for_an_identifier_that_was_never_active(portal):
    key = LicenseKeyFactory(assigned=True)
    assert portal("deactivate", license_key=key.license_key, identifier="x")["code"] == 401


def test_it_frees_the_place(portal):
    activation = ActivationFactory(license_key__activation_limit=1)
    license_key = activation.license_key.license_key
    assert portal("activate", license_key=license_key, identifier="other")["code"] == 302
    deactivate(portal, activation)
    assert portal("activate", license_key=license_key, identifier="other")["code"] == 300


def test_it_works_for_an_expired_key(portal):
    activation = ActivationFactory(license_key=LicenseKeyFactory(expired=True))
    assert deactivate(portal, activation)["code"] == "400"


def test_it_answers_401_for_a_blocked_key_whose_activations_ended(portal):
    key = LicenseKeyFactory(assigned=True)
    key.status = "blocked"
    key.save()
    assert portal("deactivate", license_key=key.license_key, identifier="x")["code"] == 401


def test_it_works_for_a_blocked_key_with_an_activation(portal):
    activation = ActivationFactory()
    activation.license_key.status = "blocked"
    activation.license_key.save()
    assert deactivate(portal, activation)["code"] == "400"


def test_it_requires_an_identifier(portal):
    key = LicenseKeyFactory(assigned=True)
    assert portal("deactivate", license_key=key.license_key)["code"] == 215


def test_it_refuses_an_unassigned_and_an_unknown_key(portal):
    assert portal("deactivate", license_key=LicenseKeyFactory().license_key, identifier="x")["code"] == 201
    assert portal("deactivate", license_key="unknown", identifier="x")["code"] == 210
