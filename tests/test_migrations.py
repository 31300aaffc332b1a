"""Migrations run on a database with rows in it, forwards and back."""

import pytest
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from licenses.audit_chain import key_of
from licenses.models import AuditChain
from licenses.services.audit_verification import verify_audit
from licenses.signing import vault

APP = "licenses"


def migrate(name):
    """Bring the schema to this migration; returns the models as they were then."""
    executor = MigrationExecutor(connection)
    executor.migrate([(APP, name)])
    return executor.loader.project_state([(APP, name)]).apps


def latest() -> str:
    return max(name for app, name in MigrationExecutor(connection).loader.graph.leaf_nodes() if app == APP)


@pytest.fixture
def first_schema(transactional_db):
    yield migrate("0001_initial")
    migrate(latest())


def fill(apps) -> None:
    """Rows as the first release wrote them."""
    product = apps.get_model(APP, "Product")
    for number in range(3):
        product.objects.create(name=f"Product {number}", status="active", source="internal")
    owner = apps.get_model(APP, "Owner").objects.create(email="owner@example.com")
    key = apps.get_model(APP, "LicenseKey").objects.create(
        product=product.objects.first(), license_key="KEY", status="assigned", owner=owner, assigned_at=timezone.now()
    )
    apps.get_model(APP, "ApiKey").objects.create(name="Shop", prefix="lp_00000000", digest="x")
    assignment = apps.get_model(APP, "Assignment").objects.create(digest="x", source="x.csv")
    apps.get_model(APP, "AssignmentRow").objects.create(
        assignment=assignment, digest="x", line=2, license_key=key, outcome="assigned"
    )


def test_the_rows_of_the_first_release_stay_and_get_what_is_new(first_schema):
    fill(first_schema)
    apps = migrate(latest())
    products = apps.get_model(APP, "Product").objects.all()
    assert len({product.uuid for product in products}) == len(products) == 3
    assert {(product.slug, product.changelog_enabled) for product in products} == {("", False)}
    key = apps.get_model(APP, "LicenseKey").objects.get()
    assert (key.features, key.contract) == ({}, None)
    assert apps.get_model(APP, "ApiKey").objects.get().profile == "documented"


def test_back_to_the_first_release_nothing_of_it_is_lost(first_schema):
    fill(first_schema)
    apps = migrate(latest())
    apps.get_model(APP, "Product").objects.filter(name="Product 2").update(status="deleted")
    assignment = apps.get_model(APP, "Assignment").objects.get()
    apps.get_model(APP, "AssignmentRow").objects.create(assignment=assignment, digest="y", line=3, outcome="assigned")
    apps = migrate("0001_initial")
    assert set(apps.get_model(APP, "Product").objects.values_list("status", flat=True)) == {"active", "inactive"}
    assert apps.get_model(APP, "AssignmentRow").objects.get(line=3).outcome == "refused"
    assert apps.get_model(APP, "AssignmentRow").objects.get(line=2).license_key.license_key == "KEY"


def test_migrating_begins_the_audit_chain(first_schema):
    migrate(latest())
    row = AuditChain.objects.get()
    assert (row.position, row.digest, len(key_of(row))) == (0, "", 32)
    assert verify_audit().problems == []


def test_a_chain_that_was_there_is_sealed_as_it_stands(first_schema):
    key, digest = b"k" * 32, "d" * 64
    rows = migrate("0011_written_all_day").get_model(APP, "AuditChain").objects
    rows.create(pk=1, position=5, digest=digest, locked_key=vault(settings.VAULT_KEYS).encrypt(key))
    migrate(latest())
    row = AuditChain.objects.get()
    assert (row.position, row.digest, key_of(row)) == (5, digest, key)
    rows = migrate("0011_written_all_day").get_model(APP, "AuditChain").objects
    assert vault(settings.VAULT_KEYS).decrypt(bytes(rows.get().locked_key)) == key


def test_a_chain_without_its_vault_key_stops_the_migration_and_says_why(first_schema):
    rows = migrate("0011_written_all_day").get_model(APP, "AuditChain").objects
    rows.create(pk=1, locked_key=Fernet(Fernet.generate_key()).encrypt(b"k" * 32))
    with pytest.raises(ImproperlyConfigured, match="put the vault key it was made under back into VAULT_KEYS"):
        migrate(latest())
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SET portal.audit_retention TO 'on'")
        cursor.execute("DELETE FROM licenses_auditchain")


def test_the_index_on_the_largest_table_is_there_and_valid(transactional_db):
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            cursor.execute("SELECT indisvalid FROM pg_index WHERE indexrelid = 'license_key_by_contract'::regclass")
            assert cursor.fetchone() == (True,)
        else:
            cursor.execute("SELECT name FROM sqlite_master WHERE name = 'license_key_by_contract'")
            assert cursor.fetchone()
