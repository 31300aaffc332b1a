"""The indexes for searching any part of a text, for a database that got pg_trgm after the portal."""

from typing import Any

from django.db import connection

from licenses.management.base import PortalCommand, unusable
from licenses.models.search_indexes import make_search_indexes


class Command(PortalCommand):
    help = (
        "Make the indexes from which PostgreSQL finds any part of a license key, e-mail address, name, identifier or "
        "reference. `migrate` makes them where the extension pg_trgm is; run this once it was installed later. Those "
        "that are there stay as they are, those that an interrupted run left unfinished are made again. Others may "
        "read and write meanwhile. A million license keys take a minute or two."
    )
    examples = """\
  manage.py make_search_indexes
  psql -c 'CREATE EXTENSION pg_trgm' portal && manage.py make_search_indexes"""

    def handle(self, *args: Any, **options: Any) -> None:
        if not make_search_indexes(connection, say=self.say) and connection.vendor == "postgresql":
            raise unusable("No search index was made.")
