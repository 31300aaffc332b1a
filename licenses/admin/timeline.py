"""The timeline of a license key or an owner, on its page and, in pages, as its history."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby
from typing import Any

from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.formats import date_format

from licenses.admin.base import PortalModelAdmin
from licenses.admin.display import NOTHING, Change, Line, described
from licenses.codes import Code
from licenses.models import AuditEvent, RefusedCall
from licenses.reports.timeline import Page, Position, happened_at, timeline_of

ON_PAGE = 12  # entries on an object's own page
IN_HISTORY = 50
MESSAGES = {int(code.value.number): code.value.message for code in Code}
# The beginning of a kind, the first that fits: its sign, and its tone
LOOKS = {
    "license_key.assigned": ("→", "good"),
    "license_key.extended": ("+", "info"),
    "license_key.blocked": ("✕", "bad"),
    "license_key.unblocked": ("✓", "good"),
    "license_key.deleted": ("✕", "bad"),
    "activation.activated": ("✓", "good"),
    "activation.deactivated": ("■", "warn"),
    "metadata.": ("=", "quiet"),
    "": ("•", "info"),
}
REFUSED = ("!", "bad")


@dataclass(frozen=True)
class Entry:
    """One line of a timeline. `url` leads to what it is about, where that is another page."""

    at: datetime
    sign: str
    tone: str
    title: str
    facts: list[str]
    about: str = ""
    url: str = ""
    changes: list[Change] = field(default_factory=list)


@dataclass(frozen=True)
class Day:
    """What happened on one day where the portal is."""

    date: date
    entries: list[Entry]


class TimelineMixin(PortalModelAdmin):
    """The timeline in place of the latest changes."""

    with_timeline = True
    names_objects = False  # whether entries say what they are about

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if (obj := context.get("original")) is not None:
            page = timeline_of(obj, size=ON_PAGE, with_keys=self.may_see_license_keys(request))
            context |= {"days": self.days(page), "more": page.more}
        return super().render_change_form(request, context, *args, **kwargs)

    def may_see_license_keys(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("licenses.view_licensekey"))

    def days(self, page: Page) -> list[Day]:
        entries = entries_of(page.entries, named=self.names_objects)
        return [Day(day, list(of_day)) for day, of_day in groupby(entries, lambda entry: local_day(entry.at))]

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        after = Position.of(request.GET.get("after", ""))
        page = timeline_of(obj, size=IN_HISTORY, after=after, with_keys=self.may_see_license_keys(request))
        context = self.admin_site.each_context(request) | {
            "title": "History",
            "subtitle": str(obj),
            "opts": self.opts,
            "object": obj,
            "days": self.days(page),
            "is_first": after == Position(),
            "older": str(page.end) if page.more else "",
        }
        request.current_app = self.admin_site.name  # as Django's own views do
        return TemplateResponse(request, "admin/timeline_history.html", context)


def local_day(at: datetime) -> date:
    return timezone.localtime(at).date()


def entries_of(found: Sequence[AuditEvent | RefusedCall], *, named: bool) -> list[Entry]:
    lines = {line.event.pk: line for line in described(each for each in found if isinstance(each, AuditEvent))}
    return [
        _of_refused(each) if isinstance(each, RefusedCall) else _of_line(lines[each.pk], named=named)
        for each in sorted(found, key=lambda each: local_day(happened_at(each)), reverse=True)  # each day once
    ]


def _of_line(line: Line, *, named: bool) -> Entry:
    event = line.event
    sign, tone = next(look for kind, look in LOOKS.items() if event.kind.startswith(kind))
    facts = [event.actor, event.get_door_display(), event.address or ""]
    about, url = (event.object_label, line.url) if named and event.object_type == "licensekey" else ("", "")
    return Entry(event.occurred_at, sign, tone, line.title, [f for f in facts if f], about, url, line.changes)


def _of_refused(call: RefusedCall) -> Entry:
    times = "Refused" if call.count == 1 else f"Refused {call.count:,} times"
    title = f"{times}: {MESSAGES.get(call.code, 'unknown answer')} ({call.code})"
    where = [Change("at", NOTHING, call.identifier)] if call.identifier else []
    facts = [call.endpoint, call.api_key, call.address or "", _span(call)]
    return Entry(call.last_at, *REFUSED, title, [fact for fact in facts if fact], changes=where)


def _span(call: RefusedCall) -> str:
    first, last = (date_format(timezone.localtime(at), "H:i") for at in (call.first_at, call.last_at))
    return f"from {first} to {last}" if first != last else ""
