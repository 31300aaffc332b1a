"""Results of bulk assignments. They are made by the command and read here."""

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest

from licenses.admin.base import ReadOnlyAdmin, ReadOnlyInline
from licenses.admin.display import badge, link, when
from licenses.models import Assignment, AssignmentRow


class AssignmentRowColumns:
    """What the list of rows and the table on an assignment's page both show."""

    @admin.display(description="license key")
    def license_key_link(self, row: AssignmentRow) -> str:
        return link(row.license_key)

    @admin.display(description="outcome")
    def result(self, row: AssignmentRow) -> str:
        return badge(row.get_outcome_display(), "good" if row.outcome == AssignmentRow.Outcome.ASSIGNED else "bad")


class AssignmentRowInline(AssignmentRowColumns, ReadOnlyInline):
    model = AssignmentRow
    empty_text = "No row is done yet. Each appears here with its license key, or with why it got none."
    verbose_name_plural = "rows"
    fields = readonly_fields = ("line", "license_key_link", "result", "problem")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AssignmentRow]:
        return super().get_queryset(request).select_related("license_key")


@admin.register(Assignment)
class AssignmentAdmin(ReadOnlyAdmin):
    with_history = False
    list_display = ("source", "state", "rows_total", "started", "finished")
    search_fields = ("source",)
    search_help_text = "Part of the file's name."
    sortable_by = ()
    empty_text = "Assign many license keys from a CSV file with manage.py assign_license_keys; each run appears here."
    readonly_fields = ("source", "state", "rows_total", "started", "finished")
    fieldsets = ((None, {"fields": readonly_fields, "classes": ("facts",)}),)
    inlines = (AssignmentRowInline,)

    @admin.display(description="state")
    def state(self, assignment: Assignment) -> str:
        return badge("Finished", "good") if assignment.finished_at else badge("Not finished", "warn")

    @admin.display(description="started")
    def started(self, assignment: Assignment) -> str:
        return when(assignment.started_at)

    @admin.display(description="finished")
    def finished(self, assignment: Assignment) -> str:
        return when(assignment.finished_at)


@admin.register(AssignmentRow)
class AssignmentRowAdmin(AssignmentRowColumns, ReadOnlyAdmin):
    with_history = False
    hidden = True
    list_display = ("line_text", "license_key_link", "result", "problem")
    list_filter = ("outcome",)
    link_filters = ("assignment__id__exact",)
    list_select_related = ("license_key",)
    ordering = ("-pk",)
    sortable_by = ()
    empty_text = "Rows appear when manage.py assign_license_keys reads a CSV file."
    readonly_fields = ("assignment_link", "line_text", "license_key_link", "result", "problem")
    fieldsets = ((None, {"fields": readonly_fields, "classes": ("facts",)}),)

    @admin.display(description="line")
    def line_text(self, row: AssignmentRow) -> str:
        return f"Line {row.line}"

    @admin.display(description="assignment")
    def assignment_link(self, row: AssignmentRow) -> str:
        return link(row.assignment)
