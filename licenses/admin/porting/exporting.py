"""Lists as files: what a list shows, in as many rows as there are, without holding them in memory."""

import csv
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.options import IncorrectLookupParameters
from django.db.models import QuerySet
from django.http import (
    FileResponse,
    HttpRequest,
    HttpResponseBase,
    HttpResponseRedirect,
    StreamingHttpResponse,
)
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone

from licenses.admin.porting.resources import Column, PortableResource
from licenses.admin.verbs import actor_of
from licenses.events import Kind, record_file
from licenses.models import Assignment, LicenseKey, Owner
from licenses.models.license_keys import masked
from licenses.reports.counting import count_up_to
from licenses.services.csv_files import neutral
from licenses.services.workbooks import as_workbook

PAGE = 5_000  # rows a query reads: each is far below the time that the database gives a statement
PIECE = 500  # rows in one piece of the answer
XLSX_MOST = 100_000  # rows: a workbook is made as a whole before it is sent
BOM = "\ufeff"  # by which Excel knows UTF-8
CSV_TYPE = "text/csv; charset=utf-8"
XLSX_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
FILTER_LENGTH = 100  # characters of a filter's value that the audit keeps


class ExportForm(forms.Form):
    format = forms.ChoiceField(
        choices=[("csv", "CSV, any number of rows"), ("xlsx", f"XLSX, up to {XLSX_MOST:,} rows")],
        initial="csv",
        widget=forms.RadioSelect,
    )
    columns = forms.MultipleChoiceField(
        widget=forms.CheckboxSelectMultiple,
        error_messages={"required": "Choose at least one column."},
    )

    def __init__(self, columns: dict[str, Column], data: Any = None) -> None:
        super().__init__(data, initial={"columns": list(columns)})
        self.fields["columns"].choices = [(name, name) for name in columns]  # type: ignore[attr-defined]


def export_view(
    model_admin: admin.ModelAdmin, resource: type[PortableResource], request: HttpRequest
) -> HttpResponseBase:
    """Ask for format and columns; then the file, with an audit event that says who took what."""
    try:
        rows = listed(model_admin, resource, request)
    except IncorrectLookupParameters:
        model_admin.message_user(request, "A filter of this address cannot be read.", messages.WARNING)
        return HttpResponseRedirect("../")
    columns = resource.columns(request)
    form = ExportForm(columns, request.POST if request.method == "POST" else None)
    if form.is_valid():
        if form.cleaned_data["format"] == "xlsx" and rows[XLSX_MOST : XLSX_MOST + 1].exists():
            form.add_error("format", f"These are more than {XLSX_MOST:,} rows. Choose CSV, or filter the list first.")
        else:
            return _file(model_admin, request, rows, [columns[name] for name in form.cleaned_data["columns"]], form)
    context = {
        "form": form,
        "columns": list(columns.values()),
        "count": count_up_to(rows),
        "filters": _filters(request),
    }
    return page(model_admin, request, "export.html", f"Export {model_admin.opts.verbose_name_plural}", context)


def page(
    model_admin: admin.ModelAdmin, request: HttpRequest, template: str, title: str, context: dict[str, Any]
) -> TemplateResponse:
    """A page of this part, in the frame of the admin."""
    request.current_app = model_admin.admin_site.name  # as Django's own views do
    frame = {**model_admin.admin_site.each_context(request), "title": title, "opts": model_admin.opts}
    bulk = model_admin.admin_site.get_model_admin(Assignment)
    if model_admin.model in (LicenseKey, Owner) and bulk.has_add_permission(request):
        frame["bulk_url"] = reverse("admin:licenses_assignment_add")
    return TemplateResponse(request, f"admin/import_export/{template}", frame | context)


def listed(model_admin: admin.ModelAdmin, resource: type[PortableResource], request: HttpRequest) -> QuerySet[Any]:
    """What the list shows by its search and filters, all pages of it, the oldest first; without its counts."""
    rows = _changelist(model_admin, request).queryset.order_by("pk")
    rows.query.set_annotation_mask(())  # what the list counts for each of its fifty rows is in no column
    return rows.select_related(*resource.related).defer(*resource.hidden)


def _changelist(model_admin: Any, request: HttpRequest) -> Any:
    """The list as its page makes it, without reading a page of it."""
    base = model_admin.get_changelist(request)

    class WholeList(base):  # type: ignore[misc, valid-type]
        def get_results(self, request: HttpRequest) -> None:
            self.result_count = self.full_result_count = 0

    display = model_admin.get_list_display(request)
    return WholeList(
        request,
        model_admin.model,
        display,
        model_admin.get_list_display_links(request, display),
        model_admin.get_list_filter(request),
        model_admin.date_hierarchy,
        model_admin.get_search_fields(request),
        model_admin.get_list_select_related(request),
        model_admin.list_per_page,
        model_admin.list_max_show_all,
        model_admin.list_editable,
        model_admin,
        model_admin.get_sortable_by(request),
        model_admin.search_help_text,
    )


def _filters(request: HttpRequest) -> dict[str, str]:
    """What narrows the list. A search may be a whole license key, so no more of it is kept than of one."""
    found = {
        name: str(value)[:FILTER_LENGTH] for name, value in request.GET.items() if value and name not in ("p", "o")
    }
    return found | ({"q": masked(str(found["q"]))} if "q" in found else {})


def _file(
    model_admin: Any, request: HttpRequest, rows: QuerySet[Any], columns: Sequence[Column], form: ExportForm
) -> HttpResponseBase:
    kind = form.cleaned_data["format"]
    noun = str(model_admin.opts.verbose_name_plural)
    facts = {"format": kind, "rows": str(count_up_to(rows)), "columns": [column.column_name for column in columns]}
    record_file(Kind.EXPORT_MADE, noun, actor=actor_of(request), after={**facts, "filters": _filters(request)})
    name = f"{noun.replace(' ', '-')}-{timezone.now():%Y-%m-%d}.{kind}"
    if kind == "xlsx":
        return xlsx_response(rows_of(rows, columns), columns, name)
    return csv_response(rows_of(rows, columns), columns, name)


def rows_of(rows: QuerySet[Any], columns: Sequence[Column]) -> Iterator[list[str]]:
    """The cells of each row, page by page of the primary key: no cursor stays open, and no statement takes long."""
    last = None
    while True:
        found = list((rows if last is None else rows.filter(pk__gt=last))[:PAGE])
        for row in found:
            yield [neutral(column.export(row)) for column in columns]
        if len(found) < PAGE:
            return
        last = found[-1].pk


class _Echo:
    def write(self, text: str) -> str:
        return text


def csv_pieces(rows: Iterator[list[str]], columns: Sequence[Column]) -> Iterator[bytes]:
    writer = csv.writer(_Echo())
    piece = [BOM, writer.writerow([column.column_name for column in columns])]
    for cells in rows:
        piece.append(writer.writerow(cells))
        if len(piece) >= PIECE:
            yield "".join(piece).encode("utf-8", "replace")
            piece = []
    yield "".join(piece).encode("utf-8", "replace")


def csv_response(rows: Iterator[list[str]], columns: Sequence[Column], name: str) -> StreamingHttpResponse:
    response = StreamingHttpResponse(csv_pieces(rows, columns), content_type=CSV_TYPE)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.headers["X-Accel-Buffering"] = "no"  # a proxy would collect all of it before it sends the first byte
    return response


def xlsx_response(rows: Iterator[list[str]], columns: Sequence[Column], name: str) -> FileResponse:
    file = as_workbook("Export", chain([[column.column_name for column in columns]], rows))
    return FileResponse(file, as_attachment=True, filename=name, content_type=XLSX_TYPE)
