"""Extending license keys, which staff do to hundreds of them at once."""

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError

from licenses.models import AuditEvent
from licenses.services import license_keys
from licenses.services.license_keys import extend_license_key
from tests.factories import ACTOR, LicenseKeyFactory

pytestmark = pytest.mark.django_db


def test_it_asks_the_database_no_more_than_it_must(django_assert_max_num_queries):
    """Two savepoints, begun and ended, and three statements: it was 22 when each constraint was asked for itself."""
    key = LicenseKeyFactory(assigned=True, expired=True)
    with django_assert_max_num_queries(7):
        assert extend_license_key(license_key=key.license_key, days=30, actor=ACTOR)


def test_what_the_database_refuses_is_said_in_words():
    key = LicenseKeyFactory(validity_days=36_500)
    with pytest.raises(ValidationError, match="The validity is at most 36525 days"):
        extend_license_key(license_key=key.license_key, days=100, actor=ACTOR)
    key.refresh_from_db()
    assert key.validity_days == 36_500
    assert not AuditEvent.objects.exists()


def test_what_no_constraint_of_the_license_key_explains_is_a_failure(monkeypatch):
    def lost(*args, **kwargs):
        raise IntegrityError("another table's")

    key = LicenseKeyFactory(validity_days=1)
    monkeypatch.setattr(license_keys, "record", lost)
    with pytest.raises(IntegrityError, match="another table's"):
        extend_license_key(license_key=key.license_key, days=100, actor=ACTOR)
