import pytest

from tests.factories import LicenseKeyFactory

pytestmark = pytest.mark.django_db


def test_it_activates(portal):
    key = LicenseKeyFactory(assigned=True)
    answer = portal("activate", license_key=key.license_key, identifier="domain.ltd")
    assert (answer["code"], answer["message"]) == (300, "License key activated")
    assert key.activations.live().get().identifier == "domain.ltd"
