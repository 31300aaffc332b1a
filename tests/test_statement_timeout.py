"""S35: a statement that takes too long is cut on request paths, each door says so, and the server goes on."""

import time

import psycopg
import pytest
from django.db import connection, connections
from django.test import Client

from licensing_portal.statements import limit_statements
from tests.factories import ActivationFactory, api_key_text
from tests.server import database_url, running_portal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server, pytest.mark.statement("S35")]

LOCKED = ("licenses_licensekey", "settings_api_setting")
SECONDS = 1


@pytest.fixture
def server(global_key):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no statement timeout: its own busy timeout ends every wait")
    with running_portal(workers=1, STATEMENT_TIMEOUT_SECONDS=str(SECONDS)) as running:
        yield running


def timed(call):
    started = time.monotonic()
    answer = call()
    return answer, time.monotonic() - started


def test_each_door_answers_in_time_and_says_so(server, superuser):
    """Somebody else holds the tables for longer than anybody wants to wait."""
    found, api_key = ActivationFactory(), api_key_text()
    staff = Client()
    staff.force_login(superuser)
    sent = {"license_key": found.license_key.license_key, "identifier": found.identifier}
    bearer, cookie = {"Authorization": f"Bearer {api_key}"}, {"Cookie": f"sessionid={staff.cookies['sessionid'].value}"}

    def verify():
        return server.call("verify", api_key, **sent)["code"]

    def page():
        return server.request("GET", "/admin/licenses/licensekey/", headers=cookie)

    def settings():
        return server.request("GET", "/api/license/settings", headers=bearer)

    assert (verify(), settings().status) == (200, 200)
    with psycopg.connect(database_url()) as other:
        other.execute(f"LOCK TABLE {', '.join(LOCKED)} IN ACCESS EXCLUSIVE MODE")
        code, seconds = timed(verify)
        assert (code, server.status) == (198, 503)
        assert SECONDS <= seconds < SECONDS + 2
        for ask, words in {page: "This took too long", settings: "Service unavailable"}.items():
            answer, seconds = timed(ask)
            assert (answer.status, answer.headers["Retry-After"]) == (503, "5")
            assert words in answer.data.decode()
            assert SECONDS <= seconds < SECONDS + 2
        other.rollback()
    assert (verify(), settings().status) == (200, 200), "the same process goes on"
    log = server.log.read_text()
    assert log.count("canceling statement due to statement timeout") == 3
    assert "The database gave no answer to /admin/licenses/licensekey/: canceling statement" in log
    assert "Traceback" not in log


@pytest.mark.parametrize(
    ("seconds", "options", "expected"),
    [
        (5, {}, "-c statement_timeout=5000 -c idle_in_transaction_session_timeout=60000"),
        (
            7,
            {"options": "-c work_mem=8MB"},
            "-c statement_timeout=7000 -c idle_in_transaction_session_timeout=60000 -c work_mem=8MB",
        ),
        (0, {}, None),
    ],
)
def test_only_the_server_limits_statements(settings, monkeypatch, seconds, options, expected):
    """Commands, migrations and the worker do not pass here: what they connect with has no limit."""
    database = {"ENGINE": "django.db.backends.postgresql", "OPTIONS": options}
    monkeypatch.setitem(connections.settings, "default", database)
    settings.STATEMENT_TIMEOUT_SECONDS = seconds
    limit_statements()
    assert database["OPTIONS"].get("options") == expected


def test_a_command_takes_as_long_as_it_takes(db):
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no statement timeout")
    with connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
