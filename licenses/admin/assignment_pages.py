"""The pages of an uploaded assignment: upload, columns, progress, downloads."""

from functools import partial
from typing import Any

from django.core.exceptions import PermissionDenied, ValidationError
from django.http import (
    FileResponse,
    Http404,
    HttpRequest,
    HttpResponse,
    HttpResponseBase,
    HttpResponseRedirect,
    JsonResponse,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import path, reverse

from licenses.admin.assignment_forms import ColumnsForm, UploadForm, titled
from licenses.admin.assignment_progress import progress_of
from licenses.admin.base import PickerSelect
from licenses.admin.display import change_url
from licenses.admin.verbs import actor_of
from licenses.models import Assignment, AssignmentFile
from licenses.services.assignment_files import StoredCsv, guess_columns
from licenses.services.assignment_jobs import check_assignment, columns_of, is_checkable, store_upload
from licenses.services.assignment_results import as_csv, as_xlsx, problems_of, results_of
from licenses.services.retries import retried

XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
IN_RESULTS = ("licenses.view_assignmentrow", "licenses.view_licensekey", "licenses.view_owner")
CELL = 80  # characters of a cell that the preview shows


class AssignmentPages:
    """Adds them to the admin of assignments."""

    def get_urls(self) -> list[Any]:
        pages: tuple[tuple[str, Any, str, dict[str, str]], ...] = (
            ("columns/", self.columns_view, "columns", {}),
            ("progress/", self.progress_view, "progress", {}),
            ("results.csv", self.results_view, "results_csv", {"form": "csv"}),
            ("results.xlsx", self.results_view, "results_xlsx", {"form": "xlsx"}),
            ("problems.csv", self.results_view, "problems_csv", {"form": "problems"}),
        )
        wrap = self.admin_site.admin_view  # type: ignore[attr-defined]
        own = [path(f"<int:pk>/{tail}", wrap(view), more, name=url_name(name)) for tail, view, name, more in pages]
        return [*own, *super().get_urls()]  # type: ignore[misc]

    def has_work_permission(self, request: HttpRequest) -> bool:
        """Who may assign one license key and run many."""
        return bool(request.user.has_perms(("licenses.change_licensekey", "licenses.add_assignment")))

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_work_permission(request)

    def add_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not self.has_add_permission(request):
            raise PermissionDenied
        posted = request.method == "POST"
        form = UploadForm(request.POST if posted else None, request.FILES if posted else None)
        if not form.is_valid():
            return self._page(request, "upload", "Assign license keys from a file", form=form)
        store = partial(store_upload, name=form.file_name, upload=form.cleaned_data["file"], actor=actor_of(request))
        return HttpResponseRedirect(page_url("columns", retried(store)))

    def columns_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        if not self.has_work_permission(request):
            raise PermissionDenied
        assignment = self._find(pk)
        stored = AssignmentFile.objects.filter(assignment=assignment).first()
        if stored is None or not is_checkable(assignment):
            return HttpResponseRedirect(change_url(assignment))
        file = columns_of(stored)
        form = self._columns_form(request, assignment, file)
        if form.is_valid() and self._checked(request, assignment, form):
            return HttpResponseRedirect(change_url(assignment))
        context = {
            "form": form,
            "original": assignment,
            "rows_total": f"{assignment.rows_total:,}",
            "notices": stored.notices,
            "media": self.media + form.media,  # type: ignore[attr-defined]
            "heads": [titled(number, name) for number, name in enumerate(file.names)],
            "preview": [(line, [cell[:CELL] for cell in cells]) for line, cells in file.preview()],
        }
        return self._page(request, "columns", "What the columns mean", **context)

    def _columns_form(self, request: HttpRequest, assignment: Assignment, file: StoredCsv) -> ColumnsForm:
        columns = assignment.columns or guess_columns(file.names)
        initial = {**columns, "product": assignment.product_id, "again": assignment.again}
        data = request.POST if request.method == "POST" else None
        form = ColumnsForm(data, initial=initial, names=file.names)
        product: Any = form.fields["product"]
        source = Assignment._meta.get_field("product")
        product.widget = PickerSelect(source, self.admin_site, choices=product.choices)  # type: ignore[attr-defined]
        return form

    def _checked(self, request: HttpRequest, assignment: Assignment, form: ColumnsForm) -> bool:
        wanted = {"columns": form.chosen, "product": form.cleaned_data["product"], "again": form.cleaned_data["again"]}
        try:
            retried(partial(check_assignment, assignment=assignment, **wanted))
        except ValidationError as error:
            form.add_error(None, error)
            return False
        return True

    def progress_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        self._require_view(request)
        return JsonResponse(progress_of(self._find(pk)).as_json())

    def results_view(self, request: HttpRequest, pk: int, form: str) -> HttpResponseBase:
        """License keys and owners are in it, whom some who may see assignments may not."""
        self._require_view(request)
        if not self.may_see_results(request):
            raise PermissionDenied
        assignment = self._find(pk)
        name = f"run-{assignment.pk}-{'problems' if form == 'problems' else 'results'}"
        rows = problems_of(assignment) if form == "problems" else results_of(assignment)
        if form == "xlsx":
            return FileResponse(as_xlsx(rows), as_attachment=True, filename=f"{name}.xlsx", content_type=XLSX)
        headers = {"Content-Disposition": f'attachment; filename="{name}.csv"'}
        return StreamingHttpResponse(as_csv(rows), content_type="text/csv; charset=utf-8", headers=headers)

    def may_see_results(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perms(IN_RESULTS))

    def _require_view(self, request: HttpRequest) -> None:
        if not self.has_view_permission(request):  # type: ignore[attr-defined]
            raise PermissionDenied

    def _find(self, pk: int) -> Assignment:
        found = Assignment.objects.select_related("product").filter(pk=pk).first()
        if found is None:
            raise Http404("There is no such assignment.")
        return found

    def _page(self, request: HttpRequest, name: str, title: str, **extra: Any) -> TemplateResponse:
        site = self.admin_site  # type: ignore[attr-defined]
        request.current_app = site.name  # as Django's own views do
        context = site.each_context(request) | {"title": title, "opts": self.opts}  # type: ignore[attr-defined]
        return TemplateResponse(request, f"admin/licenses/assignment/{name}.html", context | extra)


def url_name(page: str) -> str:
    return f"licenses_assignment_{page}"


def page_url(page: str, assignment: Assignment) -> str:
    return reverse(f"admin:{url_name(page)}", args=[assignment.pk])
