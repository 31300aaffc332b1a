"""Deleting old audit events: from the beginning of the chain alone, and never unseen."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import connection, transaction
from django.utils import timezone

from licenses.audit_chain import Unreadable, key_of, link_all, lock_chain, seal_of
from licenses.events import Kind, record
from licenses.models import Actor, AuditEvent
from licenses.services.audit_verification import BEFORE_ALL, Row, Walk, linked, rows_after

LEAST_DAYS = 30
BATCH = 5_000  # events deleted in one transaction


class Old(NamedTuple):
    """Events that are old enough to go: the beginning of the chain up to the first that is not."""

    events: int
    before: datetime


def find_old(*, older_than: int) -> Old:
    """Link what is not linked yet; how many events `prune_audit` would delete. `older_than` in days.

    ValidationError below 30, without the chain's key, and when the end of the chain was altered.
    """
    before = _limit(older_than)
    with _refusing():
        link_all()
    kept = linked().filter(occurred_at__gte=before).order_by("position").values_list("position", flat=True).first()
    old = linked() if kept is None else linked().filter(position__lt=kept)
    return Old(old.count(), before)


def prune_audit(
    *, before: datetime, actor: Actor, show: Callable[[int], None], must_stop: Callable[[], bool] = lambda: False
) -> int:
    """Delete the beginning of the chain up to the first event since `before`, batch by batch; how many there were.

    Each batch is a transaction that records an event under seal. ValidationError when the chain is broken: what
    somebody has tampered with stays.
    """
    done = 0
    while not must_stop() and (deleted := _prune_batch(before, actor=actor)):
        done += deleted
        show(done)
    return done


@transaction.atomic
def _prune_batch(before: datetime, *, actor: Actor) -> int:
    with _refusing():
        chain = lock_chain()  # nobody links, looks at the end or prunes meanwhile
        key = key_of(chain)
    rows = _beginning(before)
    if not rows:
        return 0
    _require_unbroken(key, rows)
    last = rows[-1]
    _allow_deleting()
    AuditEvent.objects.filter(position__lte=last.position).delete()
    seal = seal_of(key, last.position, last.digest)
    after = {"events": len(rows), "through": last.position, "digest": last.digest, "seal": seal}
    record(Kind.AUDIT_PRUNED, chain, actor=actor, after=after)
    return len(rows)


@contextmanager
def _refusing() -> Iterator[None]:
    try:
        yield
    except Unreadable as error:
        raise ValidationError(f"Nothing can be deleted: {error}.") from error


def _beginning(before: datetime) -> list[Row]:
    """The first rows of the chain, as long as they are older."""
    rows = rows_after(BEFORE_ALL, limit=BATCH)
    occurred = (row.content[1] for row in rows)
    count = next((number for number, at in enumerate(occurred) if at >= before), len(rows))
    return rows[:count]


def _require_unbroken(key: bytes, rows: list[Row]) -> None:
    walk = Walk(key)
    for row in rows:
        walk.step(row)
    if walk.problems:
        raise ValidationError(
            f"The chain is broken, so nothing more is deleted: {walk.problems[0]}. Run `manage.py verify_audit`."
        )


def _allow_deleting() -> None:
    """Until this transaction ends PostgreSQL lets audit events go (migration 0010)."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL portal.audit_retention TO 'on'")


def _limit(days: int) -> datetime:
    if days < LEAST_DAYS:
        raise ValidationError(f"The audit keeps at least {LEAST_DAYS} days; {days} is too few.")
    return timezone.now() - timedelta(days=days)
