"""make_search_indexes: for a database that got pg_trgm after the portal, or whose indexes were left unfinished."""

import pytest
from django.db import connection

from licenses.models import search_indexes
from licenses.models.search_indexes import SEARCH_INDEXES, drop_search_indexes, missing_search_indexes
from tests.commands import run

pytestmark = pytest.mark.django_db(transaction=True)
COMMAND = "make_search_indexes"


@pytest.fixture
def indexed():
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has no such indexes")
    if missing_search_indexes(connection):
        pytest.skip("this PostgreSQL has no pg_trgm")


def test_migrate_made_all_of_them_and_again_is_no_change(indexed):
    ran = run(COMMAND)
    assert (ran.code, ran.out, ran.err.count(": is there.")) == (0, "", len(SEARCH_INDEXES))


def test_it_makes_what_is_missing_and_replaces_what_was_left_unfinished(indexed):
    gone, broken = SEARCH_INDEXES[:2], SEARCH_INDEXES[2]
    drop_search_indexes(connection, gone)
    with connection.cursor() as cursor:  # as an interrupted CREATE INDEX CONCURRENTLY leaves it
        cursor.execute("UPDATE pg_index SET indisvalid = false WHERE indexrelid = %s::regclass", [broken.name])
    assert missing_search_indexes(connection) == [index.name for index in (*gone, broken)]
    ran = run(COMMAND)
    assert (ran.code, ran.err.count(": made in")) == (0, 3)
    assert f"3 of 9, {broken.name}: was left unfinished and is removed." in ran.err
    assert f"1 of 9, {gone[0].name}: being made from licenses_licensekey…" in ran.err
    assert missing_search_indexes(connection) == []


def test_two_at_once_do_not_wait_for_each_other(indexed):
    other = connection.copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_lock(%s)", [search_indexes.LOCK])
            assert run(COMMAND) == (0, "", "Another process is making the search indexes.\n")
    finally:
        other.close()
    assert "is there" in run(COMMAND).err


def test_without_the_extension_it_says_what_to_do(monkeypatch):
    if connection.vendor != "postgresql":
        assert run(COMMAND) == (0, "", "SQLite needs no search indexes.\n")
        assert missing_search_indexes(connection) == []
        return
    monkeypatch.setattr(search_indexes, "_operators", lambda connection: None)
    ran = run(COMMAND)
    assert (ran.code, ran.out) == (2, "")
    assert "Ask whoever runs the database for CREATE EXTENSION pg_trgm" in ran.err
