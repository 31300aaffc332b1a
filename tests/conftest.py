import contextlib
from collections import Counter, defaultdict
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from django.contrib.auth import get_user_model
from django.db import connection
from django.test import TransactionTestCase

from licenses import signing
from licenses.models import SigningKey
from licenses.services import refused_calls
from licenses.services.signing_keys import create_signing_key
from tests.bar import BAR
from tests.cleaning import Cleaner
from tests.factories import ACTOR, api_key_text
from tests.protocol import Portal
from tests.server import running_portal
from tests.together import Together

# Pages, and walks over every endpoint, which PostgreSQL forgives less; races and kills that take minutes, which need
# row locks and connections that can be lost; files that need no database at all
ONCE = {
    "test_admin_bulk_assignment",
    "test_admin_contracts",
    "test_admin_generators",
    "test_admin_keys",
    "test_admin_license_files",
    "test_admin_license_keys",
    "test_admin_pages",
    "test_admin_products_and_owners",
    "test_admin_queued_assignments",
    "test_admin_releases",
    "test_admin_signing_keys",
    "test_admin_telemetry",
    "test_admin_verbs",
    "test_api_keys",
    "test_api_throttles",
    "test_audit_append_only",
    "test_audit_races",
    "test_audit_secrets",
    "test_block_list",
    "test_bulk_assignment_killed",
    "test_bulk_uploads",
    "test_callers",
    "test_changelog",
    "test_checks",
    "test_clients",
    "test_command_assign_license_keys",
    "test_command_assign_license_keys_killed",
    "test_command_check_signature",
    "test_command_create_api_key",
    "test_command_create_signing_key",
    "test_command_create_staff",
    "test_command_export_public_key",
    "test_command_files",
    "test_command_generate_license_keys",
    "test_command_import_license_keys",
    "test_command_import_signing_key",
    "test_command_list_signing_keys",
    "test_command_mark_signing_key_compromised",
    "test_command_run_worker",
    "test_command_use_signing_key",
    "test_conformance",
    "test_contract_races",
    "test_dashboard",
    "test_demo",
    "test_docs_pages",
    "test_document_types",
    "test_empty_states",
    "test_encodings",
    "test_envato",
    "test_environment",
    "test_features",
    "test_get_all_generators",
    "test_get_products",
    "test_headers",
    "test_help_texts",
    "test_hostile_input",
    "test_hostile_staff",
    "test_idempotency_races",
    "test_import_export",
    "test_installation",
    "test_license_files",
    "test_license_key_races",
    "test_locks",
    "test_log_scan",
    "test_logs",
    "test_menu",
    "test_mixed_races",
    "test_nonces",
    "test_openapi",
    "test_openapi_fuzz",
    "test_order_of_checks",
    "test_outgoing",
    "test_pool_races",
    "test_product_public_key",
    "test_product_races",
    "test_published_keys",
    "test_quickstart",
    "test_readme",
    "test_reads",
    "test_refused_call_races",
    "test_roles",
    "test_rooms",
    "test_scripts",
    "test_sdk_profile",
    "test_sealing",
    "test_second_factor",
    "test_server",
    "test_settings_admin",
    "test_settings_api",
    "test_settings_resolve",
    "test_sign_in",
    "test_signing",
    "test_signing_key_import",
    "test_signing_key_races",
    "test_single_sign_on",
    "test_staff",
    "test_state_machine",
    "test_statement_timeout",
    "test_throttle_races",
    "test_timeline",
    "test_uploads",
    "test_urls_without_secrets",
    "test_waiting",
    "test_why",
    "test_wsgi",
}


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Together:
    return Together(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.stem in ONCE or item.path.parent.name == "browser":
            item.add_marker(pytest.mark.once)
        item.user_properties += [("statement", name) for name in sorted(statements_of(item))]
    items.sort(key=takes_long, reverse=True)  # first, so that no process waits in the end


def takes_long(item: pytest.Item) -> bool:
    return any(item.get_closest_marker(name) for name in ("server", "browser"))


def pytest_runtest_setup(item: pytest.Item) -> None:
    if unknown := statements_of(item) - BAR.keys():
        pytest.fail(f"It proves {', '.join(sorted(unknown))}, which tests/bar.py does not know.")


def statements_of(item: pytest.Item) -> set[str]:
    """What the test proves of the bar; it stands in the report of the run, from which `make test` makes its table."""
    return {name for mark in item.iter_markers("statement") for name in mark.args}


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup, django_db_blocker):
    """The suite's own database: a commit need not wait for the disk, and tables are emptied the quick way."""
    with django_db_blocker.unblock(), pytest.MonkeyPatch.context() as patch:
        if connection.vendor == "postgresql":
            name = connection.ops.quote_name(connection.settings_dict["NAME"])
            with connection.cursor() as cursor:
                cursor.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
            connection.close()  # it holds for new connections, those of server processes too
        cleaner = Cleaner()
        patch.setattr(TransactionTestCase, "_fixture_teardown", lambda _: cleaner.clean())
        yield cleaner


@pytest.fixture(scope="session")
def server(django_db_setup, django_db_blocker):
    """A real portal for all tests that need none of their own; its log is that of all of them."""
    with contextlib.ExitStack() as until_the_end:
        with django_db_blocker.unblock():
            create_signing_key(product=None, actor=ACTOR)  # without one it would not start
            running = until_the_end.enter_context(running_portal(workers=1))
            django_db_setup.clean()
            connection.close()
        yield running


@pytest.fixture(autouse=True)
def plain_static_files(settings):
    """Names without hashes: pages in this process need no collectstatic."""
    backend = "django.contrib.staticfiles.storage.StaticFilesStorage"
    settings.STORAGES = {**settings.STORAGES, "staticfiles": {"BACKEND": backend}}


@pytest.fixture(autouse=True)
def quick_passwords(settings):
    """A password that takes as long to check as a real one would take half the time of the admin's tests."""
    settings.PASSWORD_HASHERS = ["tests.log_scan.NotingHasher"]


_key_pairs: dict[int, list[RSAPrivateKey]] = defaultdict(list)
_parse_once = cache(signing.parse_private_key)


@pytest.fixture(autouse=True)
def quick_keys(monkeypatch):
    """The first key pair that a test makes is that of every test, and so on: making them is what takes time, and
    parsing them, which the portal does once for each row, and each test has rows of its own."""
    made, make = Counter(), signing.generate_private_key

    def generate(bits: int = 2048) -> RSAPrivateKey:
        made[bits] += 1
        if made[bits] > len(_key_pairs[bits]):
            _key_pairs[bits].append(make(bits))
        return _key_pairs[bits][made[bits] - 1]

    monkeypatch.setattr(signing, "generate_private_key", generate)
    monkeypatch.setattr(signing, "parse_private_key", _parse_once)


@pytest.fixture(autouse=True)
def refusals(monkeypatch):
    """Refused calls wait until a test stores them: a thread that does would write into whatever test runs then."""
    monkeypatch.setattr(refused_calls, "waiting", refused_calls.Waiting())
    monkeypatch.setattr(refused_calls, "wake", lambda: None)


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
