"""A spreadsheet coming in: what is in it, what it would change or what is wrong with it, and then all of it or none."""

import io
from typing import Any, NamedTuple

import tablib
from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.files.uploadedfile import UploadedFile
from django.db import IntegrityError, OperationalError
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.defaultfilters import filesizeformat
from openpyxl import Workbook

from licenses.admin.porting.cells import messages_of
from licenses.admin.porting.exporting import XLSX_TYPE, csv_response, page
from licenses.admin.porting.resources import PortableResource
from licenses.admin.porting.sheets import ENCODINGS, Sheet, SheetProblem, read_sheet
from licenses.admin.verbs import account_of, actor_of
from licenses.services.import_files import keep_import_file, take_import_file
from licenses.services.retries import why_lost

NAMED = 100  # mistakes that the page names
NAMES = 10  # columns that a message names


class Mistake(NamedTuple):
    line: int
    column: str
    problem: str


class ImportForm(forms.Form):
    file = forms.FileField(label="Spreadsheet", help_text="CSV or XLSX. The first line names the columns.")
    encoding = forms.ChoiceField(
        label="Encoding of a CSV", choices=list(ENCODINGS.items()), initial="utf-8-sig", help_text="If in doubt, UTF-8."
    )

    def clean_file(self) -> UploadedFile:
        file: UploadedFile = self.cleaned_data["file"]
        if (file.size or 0) > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
            raise forms.ValidationError(_too_large())
        return file


def _too_large() -> str:
    return f"A file may have at most {filesizeformat(settings.FILE_UPLOAD_MAX_MEMORY_SIZE)}."


def import_view(
    model_admin: admin.ModelAdmin, resource: type[PortableResource], request: HttpRequest
) -> HttpResponseBase:
    """The form, the preview of what was sent, and the import of what was previewed."""
    if request.GET.get("template") in ("csv", "xlsx"):
        return _template(resource, request, request.GET["template"])
    if request.method == "POST" and "token" in request.POST:
        return _confirm(model_admin, resource, request)
    form = ImportForm(request.POST, request.FILES) if request.method == "POST" else ImportForm()
    if not form.is_valid():
        if request.method == "POST" and not request.FILES and _length(request) > settings.FILE_UPLOAD_MAX_MEMORY_SIZE:
            form.errors["file"] = form.error_class([_too_large()])
        return _page(model_admin, resource, request, {"form": form})
    file = form.cleaned_data["file"]
    return _preview(model_admin, resource, request, form, (file.name, form.cleaned_data["encoding"], file.read()))


def _length(request: HttpRequest) -> int:
    text = request.META.get("CONTENT_LENGTH") or "0"
    return int(text) if text.isdecimal() else 0


def _page(model_admin: Any, resource: Any, request: HttpRequest, context: dict[str, Any]) -> HttpResponseBase:
    title = f"Import {model_admin.opts.verbose_name_plural}"
    columns = [
        {
            "name": column.column_name,
            "text": column.text,
            "fixed": column.readonly and column.column_name not in resource.identity,
            "needed": column.column_name in resource.needs,
        }
        for column in resource.columns(request).values()
    ]
    context = {
        "form": ImportForm(),
        "columns": columns,
        "resource": resource,
        "most_rows": f"{resource.most_rows:,}",
        "max_size": settings.FILE_UPLOAD_MAX_MEMORY_SIZE,
        **context,
    }
    return page(model_admin, request, "import.html", title, context)


def _template(resource: type[PortableResource], request: HttpRequest, kind: str) -> HttpResponseBase:
    """An empty table with the columns that are read."""
    columns = [
        column
        for column in resource.columns(request).values()
        if not column.readonly or column.column_name in resource.identity
    ]
    name = f"{resource._meta.model._meta.model_name}-template.{kind}"
    if kind == "csv":
        return csv_response(iter(()), columns, name)
    book, file = Workbook(), io.BytesIO()
    book.active.append([column.column_name for column in columns])
    book.save(file)
    return HttpResponse(
        file.getvalue(), content_type=XLSX_TYPE, headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


def _preview(
    model_admin: Any, resource: Any, request: HttpRequest, form: ImportForm, file: tuple[str, str, bytes]
) -> HttpResponseBase:
    name, encoding, content = file
    context = _run(resource, request, file, dry_run=True)
    if "trouble" in context:
        form.add_error("file", context["trouble"])
        return _page(model_admin, resource, request, {"form": form})
    if not context["mistakes"] and context["counts"]["new"] + context["counts"]["update"]:
        noun = resource._meta.model._meta.label_lower
        kept = keep_import_file(staff=account_of(request), noun=noun, name=name, encoding=encoding, content=content)
        context["token"] = kept.token
    return _page(model_admin, resource, request, context | {"file_name": name})


def _confirm(model_admin: Any, resource: Any, request: HttpRequest) -> HttpResponseBase:
    """The same file once more, now for good; every rule is asked again, as the portal has gone on since."""
    noun = resource._meta.model._meta.label_lower
    kept = take_import_file(staff=account_of(request), noun=noun, token=request.POST["token"])
    if kept is None:
        model_admin.message_user(
            request, "Nothing was imported: this preview is over. Send the file once more.", messages.WARNING
        )
        return HttpResponseRedirect("./")
    context = _run(resource, request, (kept.name, kept.encoding, bytes(kept.content)), dry_run=False)
    if trouble := context.get("trouble"):
        model_admin.message_user(request, f"Nothing was imported. {trouble}", messages.ERROR)
        return HttpResponseRedirect("./")
    if context["mistakes"]:
        return _page(model_admin, resource, request, context | {"file_name": kept.name, "late": True})
    counts = context["counts"]
    text = f"Imported: {counts['new']:,} new, {counts['update']:,} changed, {counts['skip']:,} as before."
    model_admin.message_user(request, text, messages.SUCCESS)
    return HttpResponseRedirect("../")


def _run(
    resource: type[PortableResource], request: HttpRequest, file: tuple[str, str, bytes], *, dry_run: bool
) -> dict[str, Any]:
    """What the import did or would do, or `trouble` with the whole file."""
    name, encoding, content = file
    try:
        sheet = read_sheet(content, encoding=encoding, most_rows=resource.most_rows)
        ignored = _columns_not_read(resource, request, sheet)
    except SheetProblem as problem:
        more = f" {resource.larger}" if "more than" in str(problem) else ""
        return {"trouble": f"{problem}{more}"}
    table = tablib.Dataset(*(row.cells for row in sheet.rows), headers=sheet.columns)
    worker = resource(actor=actor_of(request), sheet=sheet, name=name)
    try:
        result = worker.import_data(table, dry_run=dry_run, use_transactions=True, rollback_on_validation_errors=True)
    except SheetProblem as problem:
        return {"trouble": str(problem)}
    except (IntegrityError, OperationalError) as error:
        if isinstance(error, OperationalError) and not why_lost(error):
            raise
        return {"trouble": "Somebody else changed the same at the same time. Send the file once more."}
    if result.base_errors:  # failed by accident: import-export has undone it, and it is no mistake of the file
        raise result.base_errors[0].error
    mistakes = _mistakes(result, sheet)
    return {
        "mistakes": mistakes[:NAMED],
        "more_mistakes": len(mistakes[NAMED:]),
        "counts": result.totals,
        "shown": worker.shown,
        "not_shown": result.totals["new"] + result.totals["update"] - len(worker.shown),
        "ignored": ignored,
    }


def _columns_not_read(resource: type[PortableResource], request: HttpRequest, sheet: Sheet) -> list[str]:
    """Columns that are exported and not read back. SheetProblem for those nobody knows, and for those that miss."""
    known = resource.columns(request)
    if unknown := [name for name in sheet.columns if name not in known]:
        raise SheetProblem(f"Unknown columns: {', '.join(unknown[:NAMES])}. These are known: {', '.join(known)}.")
    if missing := [name for name in resource.needs if name not in sheet.columns]:
        raise SheetProblem(f"These columns are needed, and not there: {', '.join(missing)}.")
    return [name for name in sheet.columns if known[name].readonly and name not in resource.identity]


def _mistakes(result: Any, sheet: Sheet) -> list[Mistake]:
    """All that is wrong, in the order of the lines."""
    found = [
        Mistake(sheet.rows[row.number - 1].line, column, " ".join(texts))
        for row in result.invalid_rows
        for column, texts in messages_of(row.error).items()
    ]
    found += [
        Mistake(sheet.rows[row.number - 1].line, "", str(problem.error.code.value.message))
        for row in result.error_rows
        for problem in row.errors
    ]
    return sorted(found, key=lambda mistake: mistake.line)
