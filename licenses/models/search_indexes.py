"""Trigram indexes, from which PostgreSQL answers "contains": made where its extension pg_trgm is, and only there.

Migrations use this module, so what it does to a database must stay the same; new indexes get a migration of their own.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from time import monotonic
from typing import Any, NamedTuple

from django.db import DatabaseError, transaction

LOCK = 7_301_155_020  # any number that no other program takes as an advisory lock in this database
WITHOUT = (
    "PostgreSQL's extension pg_trgm is not there and could not be made, so there are no search indexes: searching any "
    "part of a text reads whole tables. Ask whoever runs the database for CREATE EXTENSION pg_trgm; then run this "
    "again."
)


class SearchIndex(NamedTuple):
    name: str
    table: str
    column: str


SEARCH_INDEXES = (
    SearchIndex("license_key_fragments", "licenses_licensekey", "license_key"),
    SearchIndex("license_key_reference_fragments", "licenses_licensekey", "reference"),
    SearchIndex("owner_email_fragments", "licenses_owner", "email"),
    SearchIndex("owner_name_fragments", "licenses_owner", "name"),
    SearchIndex("activation_fragments", "licenses_activation", "identifier"),
    SearchIndex("contract_key_fragments", "licenses_contract", "contract_key"),
    SearchIndex("contract_name_fragments", "licenses_contract", "name"),
    SearchIndex("queued_assignment_fragments", "licenses_queuedassignment", "identifier"),
    SearchIndex("queued_assignment_email_fragments", "licenses_queuedassignment", "owner_email"),
)
Say = Callable[[str], Any]


def make_search_indexes(connection: Any, indexes: Iterable[SearchIndex] = SEARCH_INDEXES, say: Say = str) -> bool:
    """Make those that are missing or were left unfinished, while others write. False where there can be none.

    Not for use in a transaction: PostgreSQL builds an index beside writers only outside of one.
    """
    if connection.vendor != "postgresql":
        say("SQLite needs no search indexes.")
        return False
    operators = _operators(connection)
    if operators is None:
        say(WITHOUT)
        return False
    with connection.cursor() as cursor:
        # Tried, not waited for: PostgreSQL waits for whoever waits here before it finishes an index
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [LOCK])
        if not cursor.fetchone()[0]:
            say("Another process is making the search indexes.")
            return True
        try:
            _make_missing(connection, cursor, list(indexes), operators, say)
        finally:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [LOCK])
    return True


def _make_missing(connection: Any, cursor: Any, indexes: list[SearchIndex], operators: str, say: Say) -> None:
    states = _states(connection)
    for number, index in enumerate(indexes, 1):
        place = f"{number} of {len(indexes)}, {index.name}"
        if states.get(index.name):
            say(f"{place}: is there.")
            continue
        if index.name in states:
            say(f"{place}: was left unfinished and is removed.")
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
        began = monotonic()
        say(f"{place}: being made from {index.table}…")
        cursor.execute(
            f"CREATE INDEX CONCURRENTLY {index.name} ON {index.table} USING gin ({index.column} {operators})"
        )
        say(f"{place}: made in {monotonic() - began:.1f} s.")


def drop_search_indexes(connection: Any, indexes: Iterable[SearchIndex] = SEARCH_INDEXES) -> None:
    """The extension stays: others may use it."""
    if connection.vendor != "postgresql":
        return
    with connection.cursor() as cursor:
        for index in indexes:
            cursor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")


def missing_search_indexes(connection: Any, indexes: Iterable[SearchIndex] = SEARCH_INDEXES) -> list[str]:
    """Names of those that are not there or not finished; none on SQLite, which has no such indexes."""
    if connection.vendor != "postgresql":
        return []
    states = _states(connection)
    return [index.name for index in indexes if not states.get(index.name)]


def _states(connection: Any) -> dict[str, bool]:
    """{index: whether it is finished} of the tables that this connection sees."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname, i.indisvalid AND i.indisready FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE c.relname = ANY(%s) AND pg_table_is_visible(i.indrelid)",
            [[index.name for index in SEARCH_INDEXES]],
        )
        return dict(cursor.fetchall())


def _operators(connection: Any) -> str | None:
    """The extension's operator class with its schema, which need not be on the search path; None without it."""
    with suppress(DatabaseError), transaction.atomic(using=connection.alias), connection.cursor() as cursor:
        cursor.execute("CREATE EXTENSION IF NOT EXISTS pg_trgm")
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
            "WHERE e.extname = 'pg_trgm'"
        )
        row = cursor.fetchone()
    return f"{row[0]}.gin_trgm_ops" if row else None
