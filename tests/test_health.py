"""R16: what a load balancer is told. Liveness depends on nothing, readiness on the database and its migrations."""

import pytest
from django.db import connection
from django.db.migrations.recorder import MigrationRecorder

from tests.server import free_port

pytestmark = pytest.mark.statement("R16")


def test_liveness_asks_the_database_nothing(client):
    """Without the mark for it, the suite refuses every query."""
    http = client.get("/healthz")
    assert (http.status_code, http.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_it_is_ready_with_every_migration(client):
    http = client.get("/readyz")
    assert (http.status_code, http.json()) == (200, {"status": "ok"})


@pytest.mark.django_db
def test_a_missing_migration_is_not_ready(client):
    MigrationRecorder.Migration.objects.filter(app="licenses").latest("pk").delete()
    http = client.get("/readyz")
    assert http.status_code == 503
    assert http.json() == {"status": "unavailable", "reason": "1 migrations are missing."}


@pytest.fixture
def database_away(transactional_db):
    settings, kept = connection.settings_dict, dict(connection.settings_dict)
    connection.close()
    settings.update({"PORT": free_port()} if connection.vendor == "postgresql" else {"NAME": "/nowhere/at/all.sqlite3"})
    yield
    connection.close()
    settings.update(kept)


def test_without_a_database_it_lives_and_is_not_ready(client, database_away):
    http = client.get("/readyz")
    assert http.status_code == 503
    assert http.json() == {"status": "unavailable", "reason": "The database does not answer."}
    assert client.get("/healthz").status_code == 200
