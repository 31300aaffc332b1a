from django.contrib import admin
from django.template.loader import render_to_string
from django.utils.html import format_html

from licenses.admin.base import ReadOnlyAdmin
from licenses.admin.display import Line, badge, described, kind_title, mono, when
from licenses.admin.filters import KindFilter
from licenses.models import AuditEvent
from licenses.reports.fragments import Matches
from licenses.reports.search import find_audit_events


@admin.register(AuditEvent)
class AuditEventAdmin(ReadOnlyAdmin):
    with_history = False
    list_display = ("what", "object_label", "who", "through", "address", "occurred")
    list_filter = ("door", KindFilter)
    link_filters = ("object_type", "object_id")
    search_fields = ("actor",)
    search_help_text = "A whole license key or e-mail address of an owner, or the beginning of who did it."
    ordering = ("-pk",)
    sortable_by = ()
    empty_text = "Every change of the portal appears here, whichever way it was made."
    readonly_fields = ("what", "object_label", "occurred", "who", "through", "address", "changes", "place")
    fieldsets = ((None, {"fields": readonly_fields, "classes": ("facts",)}),)

    def find(self, text: str) -> Matches:
        return find_audit_events(text)

    @admin.display(description="what")
    def what(self, event: AuditEvent) -> str:
        return kind_title(event.kind)

    @admin.display(description="who")
    def who(self, event: AuditEvent) -> str:
        return event.actor

    @admin.display(description="door")
    def through(self, event: AuditEvent) -> str:
        return badge(event.get_door_display(), "quiet")

    @admin.display(description="when")
    def occurred(self, event: AuditEvent) -> str:
        return when(event.occurred_at)

    @admin.display(description="before and after")
    def changes(self, event: AuditEvent) -> str:
        line: Line = described([event])[0]
        return render_to_string("admin/includes/changes.html", {"line": line, "link": True})

    @admin.display(description="place in the chain")
    def place(self, event: AuditEvent) -> str:
        """What `verify_audit` would name. The digest's beginning is enough to compare by eye."""
        if event.position is None:
            return "None yet: it is linked right after the change, or with the next one."
        return format_html("Event {} of the chain, {}", f"{event.position:,}", mono(f"{event.digest[:16]}…"))
