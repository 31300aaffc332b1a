"""Where a spreadsheet waits between its preview and the answer: in the database, for whoever sent it alone."""

import secrets
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone

from licenses.models import ImportFile

KEPT = timedelta(hours=1)


@transaction.atomic
def keep_import_file(*, staff: Any, noun: str, name: str, encoding: str, content: bytes) -> ImportFile:
    """Store the file. What others have forgotten goes, and what the same person sent before about this noun."""
    ImportFile.objects.filter(created_at__lt=timezone.now() - KEPT).delete()
    ImportFile.objects.filter(staff=staff, noun=noun).delete()
    return ImportFile.objects.create(
        staff=staff,
        token=secrets.token_urlsafe(32),
        noun=noun,
        name=name[:255],
        encoding=encoding,
        content=content,
    )


def take_import_file(*, staff: Any, noun: str, token: str) -> ImportFile | None:
    """The file that this person sent for this noun, once: it is gone when somebody has asked for it."""
    rows = ImportFile.objects.filter(staff=staff, noun=noun, token=token, created_at__gte=timezone.now() - KEPT)
    found = rows.first() if token.isascii() and token.isprintable() else None
    if found and not ImportFile.objects.filter(pk=found.pk).delete()[0]:
        return None  # another process was faster: a double click imports once
    return found
