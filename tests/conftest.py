from collections import Counter, defaultdict

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.contrib.auth import get_user_model

from licenses import signing
from licenses.models import SigningKey
from licenses.services.signing_keys import create_signing_key
from tests.factories import ACTOR, api_key_text
from tests.protocol import Portal

# Walks over every endpoint and page, which PostgreSQL forgives less; races and kills that take minutes, which need row
# locks and connections that can be lost; files that need no database at all
ONCE = {
    "test_admin_pages",
    "test_api_keys",
    "test_block_list",
    "test_callers",
    "test_clients",
    "test_command_assign_license_keys_killed",
    "test_command_run_worker",
    "test_conformance",
    "test_contract_races",
    "test_demo",
    "test_environment",
    "test_hostile_input",
    "test_installation",
    "test_license_files",
    "test_license_key_races",
    "test_locks",
    "test_logs",
    "test_openapi",
    "test_openapi_fuzz",
    "test_outgoing",
    "test_pool_races",
    "test_product_races",
    "test_quickstart",
    "test_readme",
    "test_rooms",
    "test_sealing",
    "test_settings_admin",
    "test_settings_api",
    "test_settings_resolve",
    "test_signing",
    "test_uploads",
    "test_wsgi",
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in ONCE or item.path.parent.name == "browser":
            item.add_marker(pytest.mark.once)


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Names without hashes: pages in this process need no collectstatic."""
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    """A password that takes as long to check as a real one would take half the time of the admin's tests."""
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]


_key_pairs: dict[int, list[RSAPrivateKey]] = defaultdict(list)


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch):
    """The first key pair that a test makes is that of every test, and so on: making them is what takes time."""
    made, make = Counter(), signing.generate_private_key

    def generate(bits: int = 2048) -> RSAPrivateKey:
        made[bits] += 1
        if made[bits] > len(_key_pairs[bits]):
            _key_pairs[bits].append(make(bits))
        return _key_pairs[bits][made[bits] - 1]

    monkeypatch.setattr(signing, "generate_private_key", generate)


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
