import pytest
from django.contrib.auth import get_user_model

from licenses.models import SigningKey
from licenses.services.signing_keys import create_signing_key
from tests.factories import ACTOR, api_key_text
from tests.protocol import Portal


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Names without hashes: pages in this process need no collectstatic."""
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}


@pytest.fixture
def global_key(db) -> SigningKey:
    return create_signing_key(product=None, actor=ACTOR)


@pytest.fixture
def portal(client, global_key) -> Portal:
    """A caller of the v1 protocol with an API key that may do everything; checks every answer's signature."""
    return Portal(client, api_key_text())


@pytest.fixture
def superuser(db):
    return get_user_model().objects.create_superuser("root", "root@example.com", "a-long-password-1")


@pytest.fixture
def staff(client, superuser):
    """A browser-less client, signed in to the admin as superuser."""
    client.force_login(superuser)
    return client
