"""Workers say that they live and what they do, so that staff see when none does. This leaves no audit event."""

import os
import socket
from datetime import timedelta

from django.conf import settings
from django.db import transaction
from django.db.models.functions import Now

from licenses.models import Worker

FORGOTTEN_AFTER = timedelta(days=1)  # until then staff may ask what became of it
LONGEST_DOING = 120  # characters


def worker_name() -> str:
    """This process, as others can find it: host:pid."""
    return f"{socket.gethostname()}:{os.getpid()}"


@transaction.atomic
def see_worker(*, name: str, doing: str, is_new: bool = False) -> None:
    """Note that this worker lives; `is_new` when it has just started, perhaps under the number of one that is gone.

    A write each time, so call it every few seconds and not more often.
    """
    row = Worker(
        name=name, started_at=Now(), seen_at=Now(), doing=doing[:LONGEST_DOING], version=settings.PORTAL_VERSION
    )
    fields = ["seen_at", "doing", "version", *(["started_at"] if is_new else [])]
    Worker.objects.bulk_create([row], update_conflicts=True, unique_fields=["name"], update_fields=fields)


@transaction.atomic
def forget_worker(*, name: str) -> None:
    """It has ended as it should."""
    Worker.objects.filter(name=name).delete()


@transaction.atomic
def forget_lost_workers() -> int:
    """Delete those that nobody has seen for a day; returns how many."""
    return Worker.objects.filter(seen_at__lt=Now() - FORGOTTEN_AFTER).delete()[0]
