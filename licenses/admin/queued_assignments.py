"""Random assignments that shops have asked for and the worker does, with what became of their delivery."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlsplit

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import mark_safe

from licenses.admin.base import ReadOnlyAdmin
from licenses.admin.display import NOTHING, badge, link, mono, when
from licenses.admin.filters import ProductFilter
from licenses.admin.verbs import Verb
from licenses.codes import Code
from licenses.models import LicenseKey, QueuedAssignment
from licenses.reports.fragments import Matches
from licenses.reports.search import Search
from licenses.services.queued_assignments import send_again

State = QueuedAssignment.State

TONES = {
    State.QUEUED: "info",
    State.DELIVERING: "info",
    State.DELIVERED: "good",
    State.UNCERTAIN: "warn",
    State.FAILED: "bad",
}
SHOWN = 10  # license keys on a page
WORDS = {code.value.number: code.value.message for code in Code}
ASSIGNED = Code.LICENSE_KEYS_ASSIGNED.value.number


def consequence(rows: Sequence[QueuedAssignment]) -> str:
    if not any(row.state == State.UNCERTAIN for row in rows):
        return ""
    return "A shop that has got it already stores the license keys a second time. Look into the shop first."


SEND_AGAIN = Verb(
    name="send_again",
    label="Send again",
    service=send_again,
    done="will be sent again by the worker",
    unchanged="delivered already, or still to be delivered",
    explanation="The worker posts the same result to the shop once more. No license key is assigned a second time.",
    permission="send",
    applies=lambda queued: queued.state in (State.UNCERTAIN, State.FAILED),
    consequence=consequence,
)


class ResultFilter(SimpleListFilter):
    title = "result"
    parameter_name = "result"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("assigned", "License keys assigned"), ("nothing", "Nothing assigned")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        if self.value() == "assigned":
            return queryset.filter(code=ASSIGNED)
        return queryset.filter(code__isnull=False).exclude(code=ASSIGNED) if self.value() else None


@admin.register(QueuedAssignment)
class QueuedAssignmentAdmin(ReadOnlyAdmin):
    verbs = (SEND_AGAIN,)
    list_display = ("title", "state_badge", "result", "trouble", "identifier", "for_whom")
    list_filter = ("state", ResultFilter, ProductFilter)
    list_select_related = ("product",)
    search_fields = ("identifier", "owner_email")
    search_help_text = "Any part of the shop's identifier or of the owner's e-mail address."
    ordering = ("-pk",)
    sortable_by = ()
    empty_text = (
        "Requests of random-assign-license-keys-queued appear here. The worker (manage.py run_worker) does them."
    )
    facts = (
        "state_badge",
        "trouble",
        "next_time",
        "delivered",
        "product_link",
        "result",
        "for_whom",
        "order",
        "shop",
        "asked_by",
        "created",
    )
    readonly_fields = (*facts, "license_keys")
    fieldsets = (
        (None, {"fields": facts, "classes": ("facts",)}),
        ("What was assigned", {"fields": ("license_keys",)}),
    )

    def arguments_for(self, row: QueuedAssignment) -> dict[str, Any]:
        return {"queued": row}

    def has_send_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("licenses.change_queuedassignment"))

    def found_by(self, request: HttpRequest, search: Search) -> Matches:
        return search.queued_assignments

    def get_queryset(self, request: HttpRequest) -> QuerySet[QueuedAssignment]:
        """A page loads the envelope of its one row; a list would load the license keys of all."""
        return super().get_queryset(request).defer("envelope")

    @admin.display(description="what")
    def title(self, queued: QueuedAssignment) -> str:
        return str(queued)

    @admin.display(description="state")
    def state_badge(self, queued: QueuedAssignment) -> str:
        return badge(queued.get_state_display(), TONES[State(queued.state)])

    @admin.display(description="problem")
    def trouble(self, queued: QueuedAssignment) -> str:
        attempts = f" ({queued.attempts} attempts)" if queued.attempts > 1 else ""
        return f"{queued.problem}{attempts}" if queued.problem else NOTHING

    @admin.display(description="identifier")
    def order(self, queued: QueuedAssignment) -> str:
        return queued.identifier or NOTHING

    @admin.display(description="asked by")
    def asked_by(self, queued: QueuedAssignment) -> str:
        return queued.requested_by

    @admin.display(description="owner")
    def for_whom(self, queued: QueuedAssignment) -> str:
        return queued.owner_email or queued.owner_name or NOTHING

    @admin.display(description="product")
    def product_link(self, queued: QueuedAssignment) -> str:
        return link(queued.product)

    @admin.display(description="next")
    def next_time(self, queued: QueuedAssignment) -> str:
        if queued.state not in (State.QUEUED, State.DELIVERING):
            return NOTHING
        return when(queued.due_at) if queued.due_at > timezone.now() else "as soon as a worker runs"

    @admin.display(description="result")
    def result(self, queued: QueuedAssignment) -> str:
        """A delivered answer may say that nothing was assigned, so this has a color of its own."""
        if not queued.code:
            return NOTHING
        return badge(f"{queued.code} {WORDS.get(queued.code, '')}", "good" if queued.code == ASSIGNED else "warn")

    @admin.display(description="license keys")
    def license_keys(self, queued: QueuedAssignment) -> str:
        """Those of the result that still exist."""
        items = (queued.envelope or {}).get("response", {}).get("license_keys", [])
        found = list(LicenseKey.objects.filter(pk__in=[item["id"] for item in items[:SHOWN]]).order_by("pk"))
        more = format_html("<br>and {} more", len(items) - SHOWN) if len(items) > SHOWN else ""
        links = format_html_join(mark_safe("<br>"), "{}", ((link(one),) for one in found))
        return format_html("{}{}", links, more) or NOTHING

    @admin.display(description="webhook URL")
    def shop(self, queued: QueuedAssignment) -> str:
        """Without what follows the host: it is the secret that the shop checks."""
        parts = urlsplit(queued.webhook_url)
        return mono(f"{parts.scheme}://{parts.netloc}/…")

    @admin.display(description="asked")
    def created(self, queued: QueuedAssignment) -> str:
        return when(queued.created_at)

    @admin.display(description="delivered")
    def delivered(self, queued: QueuedAssignment) -> str:
        return when(queued.delivered_at)
