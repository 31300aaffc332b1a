"""Bulk assignments: files that staff upload, and the results of those and of the command's."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from licenses.admin.assignment_pages import AssignmentPages, page_url
from licenses.admin.assignment_progress import progress_of, state_text
from licenses.admin.assignment_verbs import AT_ONCE, VERBS
from licenses.admin.base import ReadOnlyAdmin, ReadOnlyInline
from licenses.admin.display import NOTHING, badge, link, when
from licenses.models import Assignment, AssignmentFile, AssignmentRow
from licenses.services.assignment_jobs import UNDO_WITHIN, is_checkable, is_undoable

OUTCOMES = {
    AssignmentRow.Outcome.ASSIGNED: "good",
    AssignmentRow.Outcome.REFUSED: "bad",
    AssignmentRow.Outcome.UNDONE: "quiet",
}
NAMED = 10  # bad rows on the page; the rest is in the list to download


class AssignmentRowColumns:
    """What the list of rows and the table on an assignment's page both show."""

    @admin.display(description="license key")
    def license_key_link(self, row: AssignmentRow) -> str:
        return link(row.license_key)

    @admin.display(description="outcome")
    def result(self, row: AssignmentRow) -> str:
        return badge(row.get_outcome_display(), OUTCOMES.get(AssignmentRow.Outcome(row.outcome), "quiet"))


class AssignmentRowInline(AssignmentRowColumns, ReadOnlyInline):
    model = AssignmentRow
    empty_text = "No row is done yet. Each appears here with its license key, or with why it got none."
    verbose_name_plural = "newest rows"
    fields = readonly_fields = ("line", "license_key_link", "result", "problem")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AssignmentRow]:
        return super().get_queryset(request).select_related("license_key")


@admin.register(Assignment)
class AssignmentAdmin(AssignmentPages, ReadOnlyAdmin):
    verbs = VERBS
    list_display = ("source", "state_badge", "how_far", "by", "started", "finished")
    list_filter = ("state",)
    search_fields = ("source",)
    search_help_text = "Part of the file's name."
    sortable_by = ()
    add_label = "Upload a file"
    empty_text = (
        "Upload a CSV or XLSX file of owners: you see what will happen before anything does. Runs of "
        "manage.py assign_license_keys appear here, too."
    )
    facts = ("source", "state_badge", "progress", "product_link", "by", "undone", "started", "finished")
    readonly_fields = facts
    fieldsets = ((None, {"fields": facts, "classes": ("facts",)}),)
    inlines = (AssignmentRowInline,)

    def arguments_for(self, row: Assignment) -> dict[str, Any]:
        return {"assignment": row}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Assignment]:
        return super().get_queryset(request).select_related("product")

    def get_inline_instances(self, request: HttpRequest, obj: Any = None) -> list[Any]:
        """Before the start there are only the rows that the check has refused, which the page names itself."""
        return [] if obj and is_checkable(obj) else super().get_inline_instances(request, obj)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        assignment = context.get("original")
        if assignment is not None:
            context |= self._how_it_stands(request, assignment)
        return super().render_change_form(request, context, *args, **kwargs)

    def _how_it_stands(self, request: HttpRequest, assignment: Assignment) -> dict[str, Any]:
        with_file = AssignmentFile.objects.filter(assignment=assignment).exists()
        may_choose = self.has_work_permission(request) and with_file and is_checkable(assignment)
        bad = list(assignment.rows.exclude(problem="").order_by("line")[: NAMED + 1]) if assignment.uploaded else []
        return {
            "run": assignment,
            "progress": progress_of(assignment),
            "tally": {name: f"{getattr(assignment, name):,}" for name in TALLY},
            "at_once": AT_ONCE,
            "columns_url": page_url("columns", assignment) if may_choose else "",
            "bad_rows": bad[:NAMED],
            "more_bad_rows": len(bad) > NAMED,
            "undo_until": assignment.finished_at + UNDO_WITHIN
            if assignment.finished_at and is_undoable(assignment)
            else None,
            "may_see_results": self.may_see_results(request),
            **{f"{page}_url": page_url(page, assignment) for page in PAGES},
        }

    @admin.display(description="state")
    def state_badge(self, assignment: Assignment) -> str:
        return badge(*state_text(assignment))

    @admin.display(description="rows")
    def progress(self, assignment: Assignment) -> str:
        return progress_of(assignment).text if assignment.uploaded else f"{assignment.rows_total:,}"

    @admin.display(description="rows")
    def how_far(self, assignment: Assignment) -> str:
        """For the list, which has room for no more."""
        done, total = f"{assignment.rows_done:,}", f"{assignment.rows_to_do:,}"
        return f"{done} of {total}" if assignment.uploaded else total

    @admin.display(description="product")
    def product_link(self, assignment: Assignment) -> str:
        return link(assignment.product)

    @admin.display(description="started by")
    def by(self, assignment: Assignment) -> str:
        return assignment.started_by or (NOTHING if assignment.uploaded else "a command")

    @admin.display(description="undone by")
    def undone(self, assignment: Assignment) -> str:
        return assignment.undone_by or NOTHING

    @admin.display(description="begun")
    def started(self, assignment: Assignment) -> str:
        return when(assignment.started_at)

    @admin.display(description="finished")
    def finished(self, assignment: Assignment) -> str:
        return when(assignment.finished_at)


TALLY = ("rows_total", "rows_assigned", "rows_refused", "rows_earlier")
PAGES = ("progress", "results_csv", "results_xlsx", "problems_csv")


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
    empty_text = "Rows appear when a file is assigned."
    readonly_fields = ("assignment_link", "line_text", "license_key_link", "result", "problem")
    fieldsets = ((None, {"fields": readonly_fields, "classes": ("facts",)}),)

    @admin.display(description="line")
    def line_text(self, row: AssignmentRow) -> str:
        return f"Line {row.line}"

    @admin.display(description="assignment")
    def assignment_link(self, row: AssignmentRow) -> str:
        return link(row.assignment)
