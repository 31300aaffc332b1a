"""Indexes for searching any part of a text, where PostgreSQL has its extension pg_trgm.

A database that gets the extension later gets them from `manage.py make_search_indexes`.
"""

from django.db import migrations

from licenses.models.search_indexes import SEARCH_INDEXES, drop_search_indexes, make_search_indexes

NAMES = {
    "license_key_fragments",
    "license_key_reference_fragments",
    "owner_email_fragments",
    "owner_name_fragments",
    "activation_fragments",
    "contract_key_fragments",
    "contract_name_fragments",
    "queued_assignment_fragments",
    "queued_assignment_email_fragments",
}
INDEXES = [index for index in SEARCH_INDEXES if index.name in NAMES]


def make(apps, schema_editor):
    make_search_indexes(schema_editor.connection, INDEXES)


def drop(apps, schema_editor):
    drop_search_indexes(schema_editor.connection, INDEXES)


class Migration(migrations.Migration):
    atomic = False  # PostgreSQL builds an index beside writers only outside of a transaction

    dependencies = [("licenses", "0014_refused_calls")]

    operations = [migrations.RunPython(make, drop)]
