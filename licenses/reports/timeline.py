"""What happened to a license key or an owner: audit events and refused calls as one list, the newest first."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from heapq import merge
from itertools import islice
from typing import NamedTuple

from django.db.models import Q, QuerySet

from licenses.models import AuditEvent, LicenseKey, Owner, Product, RefusedCall
from licenses.reports.lists import NEWEST_OF_FEW, history_of

KEYS_OF_OWNER = 50  # the newest, whose events an owner's timeline shows
CHANGES_LOOKED_AT = 50  # of a product
LAST = 2**63 - 1

Entry = AuditEvent | RefusedCall


class Position(NamedTuple):
    """Where a page of a timeline ends: what comes next is older than both of these."""

    event: int = LAST
    refused_at: int = 0  # in microseconds since 1970; 0 before the first
    refused: int = LAST

    def __str__(self) -> str:
        return ".".join(map(str, self))

    @classmethod
    def of(cls, text: str) -> "Position":
        """The position that `str` wrote; the beginning for anything else."""
        parts = text.split(".")
        if len(parts) != len(cls._fields) or not all(part.isascii() and part.isdecimal() for part in parts):
            return cls()
        found = cls(*map(int, (part[:19] for part in parts)))
        return found if max(found) <= LAST and found.refused_at < MOST_MICROSECONDS else cls()


MOST_MICROSECONDS = 250_000_000_000_000_000  # the year 9892


class Page(NamedTuple):
    entries: list[Entry]
    more: bool
    end: Position


def timeline_of(
    target: LicenseKey | Owner, *, size: int, after: Position | None = None, with_keys: bool = True
) -> Page:
    """The newest `size` entries, or those that come after a position. Four queries at most, whatever there is.

    That of an owner has, `with_keys`, also what happened to the newest of the license keys.
    """
    start = after or Position()
    events = merge(*_events_of(target, start.event, size, with_keys), key=lambda event: event.pk, reverse=True)
    streams: tuple[Iterable[Entry], ...] = (events, _refused(target, start, size))
    merged = merge(*streams, key=happened_at, reverse=True)
    entries = list(islice(merged, size + 1))
    shown = entries[:size]
    return Page(shown, len(entries) > size, _end(shown, start))


def happened_at(entry: Entry) -> datetime:
    return entry.occurred_at if isinstance(entry, AuditEvent) else entry.last_at


def _events_of(target: LicenseKey | Owner, before: int, size: int, with_keys: bool) -> Iterator[QuerySet[AuditEvent]]:
    yield history_of(target).filter(pk__lt=before)[: size + 1]
    if isinstance(target, Owner) and with_keys:
        newest = list(target.license_keys.order_by(NEWEST_OF_FEW).values_list("pk", flat=True)[:KEYS_OF_OWNER])
        theirs = AuditEvent.objects.filter(object_type="licensekey", object_id__in=newest, pk__lt=before)
        yield theirs.order_by(NEWEST_OF_FEW)[: size + 1]


def _refused(target: LicenseKey | Owner, start: Position, size: int) -> Iterable[RefusedCall]:
    if not isinstance(target, LicenseKey):
        return ()
    rows = RefusedCall.objects.filter(license_key=target)
    if start.refused_at:
        at = datetime.fromtimestamp(start.refused_at / 1_000_000, UTC).replace(microsecond=start.refused_at % 1_000_000)
        rows = rows.filter(Q(last_at__lt=at) | Q(last_at=at, pk__lt=start.refused), day__lte=at.date())
    return rows[: size + 1]


def _end(shown: list[Entry], start: Position) -> Position:
    events = [entry for entry in shown if isinstance(entry, AuditEvent)]
    refused = [entry for entry in shown if isinstance(entry, RefusedCall)]
    end = start._replace(event=events[-1].pk) if events else start
    if not refused:
        return end
    last = refused[-1]
    seconds, micros = int(last.last_at.timestamp()), last.last_at.microsecond
    return end._replace(refused_at=seconds * 1_000_000 + micros, refused=last.pk)


def newest_event(target: LicenseKey, *kinds: str) -> AuditEvent | None:
    return history_of(target).filter(kind__in=kinds).first()


def newest_status_event(product: Product) -> AuditEvent | None:
    """When the product got the status it has, if that is among the newest changes."""
    changes = history_of(product).filter(kind__in=("product.updated", "product.deleted"))[:CHANGES_LOOKED_AT]
    return next((event for event in changes if "status" in event.after), None)


def identifiers_of(license_key: LicenseKey, *, refused: Iterable[RefusedCall], cap: int) -> Iterator[str]:
    """Where it runs, ran, or was refused lately: the newest of each kind, every one once."""
    seen = [row.identifier for row in refused if row.identifier]
    seen += license_key.activations.order_by("-pk").values_list("identifier", flat=True)[:cap]
    return iter(dict.fromkeys(seen))
