"""/admin/health/: how the portal is doing, line by line, and what to do about what is not well."""

import time
from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_safe

from licensing_portal.checkup import server, stores, trust, work
from licensing_portal.checkup.lines import Check, Line, Section, State, ask
from settings_api.parameters import TABLE

RIGHT = "settings_api.view_setting"  # of auditors and administrators: it is about the installation, as the settings are
# Lines that the overview has of its own, and the right that shows them there
SAID_THERE = {
    "Deliveries to shops": "licenses.view_queuedassignment",
    "Bulk assignments": "licenses.view_assignment",
    "Global signing key": "licenses.view_signingkey",
    **{parameter.label: RIGHT for parameter in TABLE},
}
KEPT = 30.0  # seconds for which the overview takes what was found before

# THE TABLE of the page: what is looked at, in which order, under which headings
SECTIONS: tuple[tuple[str, tuple[tuple[str, Check], ...]], ...] = (
    (
        "Work in the background",
        (("Worker", work.workers), ("Queue", work.queue), ("Bulk assignments", work.bulk_assignments)),
    ),
    (
        "Database",
        (("Database", stores.database), ("Migrations", stores.migrations), ("Indexes", stores.indexes)),
    ),
    ("Counters", (("Redis", stores.cache), ("Throttles in the database", stores.throttles))),
    ("Signing keys", (("Signing keys", trust.signing_keys),)),
    ("Audit trail", (("Audit chain", trust.audit_trail),)),
    ("Settings", (("Settings", server.portal_settings),)),
    ("Server", (("Clock", server.clock), ("Disk", server.disk), ("Versions", server.versions))),
)


def may_see(user: Any) -> bool:
    return bool(user.is_active and user.is_staff and user.has_perm(RIGHT))


def look() -> list[Section]:
    """Every check, now. None of them can fail the page, and none counts or waits without bound."""
    return [Section(title, [line for name, check in checks for line in ask(name, check)]) for title, checks in SECTIONS]


def problems(sections: list[Section]) -> list[Line]:
    """What needs attention, what is broken first."""
    found = [line for section in sections for line in section.lines if line.needs_attention]
    return sorted(found, key=lambda line: line.state != State.BAD)


_seen: tuple[float, list[Line]] | None = None  # time.monotonic, and what needed attention then


def attention(user: Any) -> list[Line]:
    """For the overview: what needs attention, at most half a minute old; nothing for whoever may not see this page."""
    global _seen  # noqa: PLW0603  one memory a process: the overview is opened far more often than anything changes
    if not may_see(user):
        return []
    if _seen is None or time.monotonic() - _seen[0] > KEPT:
        _seen = (time.monotonic(), problems(look()))
    return _seen[1]


def overview_lines(user: Any) -> list[Any]:
    """The same as lines of the overview, without those that it says itself, with a link to what they are about."""
    from licenses.admin.attention import Line as OverviewLine

    url = reverse("health_page")
    return [
        OverviewLine(line.state.value, f"{line.title}: {line.value}", line.advice, url, "Show health")
        for line in attention(user)
        if not (line.title in SAID_THERE and user.has_perm(SAID_THERE[line.title]))
    ]


def summary(found: list[Line]) -> str:
    if not found:
        return "Everything works"
    return f"{len(found)} things need attention" if len(found) > 1 else "1 thing needs attention"


@require_safe
def show(request: HttpRequest) -> HttpResponse:
    if not may_see(request.user):
        raise PermissionDenied
    sections = look()
    found = problems(sections)
    tone = found[0].state if found else State.GOOD
    if request.GET.get("format") == "json":
        return JsonResponse(as_json(sections, found, tone))
    context = {"title": "Health", "sections": sections, "problems": found, "summary": summary(found), "tone": tone}
    return TemplateResponse(request, "admin/health.html", admin.site.each_context(request) | context)


def as_json(sections: list[Section], found: list[Line], tone: State) -> dict[str, Any]:
    return {
        "state": tone.value,
        "summary": summary(found),
        "sections": [
            {"title": section.title, "lines": [_plain(line) for line in section.lines]} for section in sections
        ],
    }


def _plain(line: Line) -> dict[str, str]:
    return {"title": line.title, "value": line.value, "state": line.state.value, "advice": line.advice}
