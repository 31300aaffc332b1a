"""Customers' software and operators are answered although something behind the portal is out of order."""

import pytest
from django.db import connection

from licenses.models import Activation, ApiKey, Capability
from tests.factories import ActivationFactory, api_key_text
from tests.server import free_port
from tests.settings_door import SettingsApi

READ_ONLY = {
    "sqlite": ("PRAGMA query_only = ON", "PRAGMA query_only = OFF"),
    "postgresql": (
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
    ),
}


@pytest.fixture
def read_only(transactional_db):
    """A function after which the database takes no write any more, as a replica or one that is full."""
    begin, end = READ_ONLY[connection.vendor]

    def execute(statement=begin):
        with connection.cursor() as cursor:
            cursor.execute(statement)

    yield execute
    execute(end)


def test_verify_is_answered_by_a_database_that_only_reads(read_only, portal):
    activation = ActivationFactory()
    read_only()
    sent = {"license_key": activation.license_key.license_key, "identifier": activation.identifier}
    assert portal("verify", **sent)["code"] == 200
    assert portal("get-license-key-details", **sent)["code"] == 500
    assert Activation.objects.get().last_verified_at is None
    assert ApiKey.objects.get().last_used_at is None


@pytest.mark.django_db
def test_the_settings_api_is_answered_without_its_cache(client, settings):
    settings.CACHES = {
        "default": {
            "BACKEND": "django.core.cache.backends.redis.RedisCache",
            "LOCATION": f"redis://127.0.0.1:{free_port()}/0",
        }
    }
    api = SettingsApi(client, api_key_text(Capability.READ_SETTINGS))
    assert "attributes" in api.get()["data"]
