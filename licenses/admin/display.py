"""How values look in lists and on pages: badges, dates, links, counts."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model
from django.urls import NoReverseMatch, reverse
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.formats import date_format
from django.utils.html import format_html
from django.utils.http import urlencode
from django.utils.safestring import SafeString

from licenses.models import AuditEvent, LicenseKey, Owner, Product
from licenses.reports.counting import ROW_COUNT_CAP, capped

NOTHING = "—"
LONG_LIST = 5  # entries of a list that stand in a line of the history
APPS = {"user": "auth", "group": "auth"}  # of the types of objects that are not the portal's own
TONES = {
    LicenseKey.Status.AVAILABLE: "info",
    LicenseKey.Status.ASSIGNED: "good",
    LicenseKey.Status.RESERVED: "quiet",
    LicenseKey.Status.BLOCKED: "bad",
}
PRODUCT_TONES = {Product.Status.ACTIVE: "good", Product.Status.INACTIVE: "quiet", Product.Status.DELETED: "bad"}


def badge(text: str, tone: str) -> SafeString:
    """A status: colour and word, so that nobody needs the colour. Tones: good, info, warn, bad, quiet."""
    return format_html('<span class="badge badge-{}">{}</span>', tone, text)


def status_badge(license_key: LicenseKey) -> SafeString:
    if license_key.is_assigned and license_key.is_expired(timezone.now()):
        return badge("Expired", "warn")
    return badge(license_key.get_status_display(), TONES[LicenseKey.Status(license_key.status)])


def when(at: datetime | None) -> str:
    """A date people read, with the exact one behind it."""
    if at is None:
        return NOTHING
    local = timezone.localtime(at)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(),
        date_format(local, "l, j F Y, H:i:s e"),
        date_format(local, "j M Y, H:i"),
    )


def day(at: datetime | None) -> str:
    """As `when`, for lists that need no time of day."""
    return (
        NOTHING
        if at is None
        else format_html('<time datetime="{}">{}</time>', at.isoformat(), date_format(timezone.localtime(at), "j M Y"))
    )


def distance(at: datetime) -> str:
    """How far a date is from now: in 5 days, 3 days ago, today."""
    days = (timezone.localtime(at).date() - timezone.localtime().date()) / timedelta(days=1)
    if days == 0:
        return "today"
    count = f"{abs(days):,.0f} {'day' if abs(days) == 1 else 'days'}"
    return f"in {count}" if days > 0 else f"{count} ago"


def mono(text: str) -> SafeString:
    return format_html('<code class="mono">{}</code>', text)


def row_count(number: int) -> str:
    return str(capped(number, ROW_COUNT_CAP))


def change_url(target: Model) -> str:
    return reverse(f"admin:{target._meta.app_label}_{target._meta.model_name}_change", args=[target.pk])


def link(target: Model | None, text: str = "") -> str:
    """A link to the object's own page."""
    if target is None:
        return NOTHING
    return format_html('<a href="{}">{}</a>', change_url(target), text or str(target))


def list_url(model: type[Model], **filters: Any) -> str:
    base = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
    return f"{base}?{urlencode(filters)}" if filters else base


def list_link(text: object, model: type[Model], **filters: Any) -> SafeString:
    """A link to a list, filtered."""
    return format_html('<a href="{}">{}</a>', list_url(model, **filters), text)


@dataclass(frozen=True)
class Change:
    """One field of an audit event, as text."""

    field: str
    before: str
    after: str
    details: str = ""  # what was too long to stand there

    @property
    def replaces(self) -> bool:
        return self.before != NOTHING


@dataclass(frozen=True)
class Line:
    """An audit event as people read it. `url` is empty when the object has no page or is gone."""

    event: AuditEvent
    title: str
    url: str
    changes: list[Change]


def described(events: Iterable[AuditEvent]) -> list[Line]:
    """The events with words for kinds, dates and owners; one more query in all, for the owners' names."""
    events = list(events)
    owners = Owner.objects.in_bulk({number for event in events for number in _owner_ids(event)})
    return [Line(event, kind_title(event.kind), _object_url(event), _changes(event, owners)) for event in events]


def kind_title(kind: str) -> str:
    """ "license_key.assigned" as people say it: License key assigned."""
    words = kind.replace("_", " ").replace(".", " ")
    return (words[:1].upper() + words[1:]).replace("Api", "API")


def _owner_ids(event: AuditEvent) -> set[int]:
    return {number for facts in (event.before, event.after) if isinstance(number := facts.get("owner"), int)}


def _object_url(event: AuditEvent) -> str:
    """Where the object is; an object deleted since leads to Django's own "perhaps it was deleted"."""
    if event.object_id is None or (event.kind.endswith(".deleted") and not event.kind.startswith("metadata")):
        return ""
    try:
        app = APPS.get(event.object_type, "licenses")
        return reverse(f"admin:{app}_{event.object_type}_change", args=[event.object_id])
    except NoReverseMatch:
        return ""


def _changes(event: AuditEvent, owners: dict[int, Owner]) -> list[Change]:
    names = [*event.before, *(name for name in event.after if name not in event.before)]
    before, after = event.before, event.after
    return [
        Change(
            name.replace("_", " "),
            _as_text(name, before.get(name), owners),
            _as_text(name, after.get(name), owners),
            _details(before.get(name), after.get(name)),
        )
        for name in names
    ]


def _is_long(value: Any) -> bool:
    return isinstance(value, list) and len(value) > LONG_LIST


def _details(before: Any, after: Any) -> str:
    """What a long list gained and lost; all of it where there was none before, or is none after."""
    if not (_is_long(before) or _is_long(after)):
        return ""
    old, new = ([str(one) for one in value or []] for value in (before, after))
    gained, lost = [one for one in new if one not in old], [one for one in old if one not in new]
    told = (
        ("Added: ", gained if old else []),
        ("Removed: ", lost if new else []),
        ("", [] if old and new else old or new),
    )
    return " ".join(f"{words}{', '.join(ones)}." for words, ones in told if ones)


def _as_text(name: str, value: Any, owners: dict[int, Owner]) -> str:
    if value in (None, "", []):
        return NOTHING
    if isinstance(value, bool):
        return "yes" if value else "no"
    if name == "owner" and isinstance(value, int):
        return str(owners.get(value, f"owner {value}"))
    if name.endswith("_at"):
        return _date_as_text(str(value))
    if _is_long(value):
        return f"{len(value)} {name.replace('_', ' ')}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _date_as_text(text: str) -> str:
    """A date of the portal's own; metadata is named and written by customers' software and may be anything."""
    try:
        at = parse_datetime(text)
        return date_format(timezone.localtime(at), "j M Y, H:i") if at else text
    except (ValueError, OverflowError):
        return text


def product_badge(product: Product) -> SafeString:
    return badge(product.get_status_display(), PRODUCT_TONES[Product.Status(product.status)])
