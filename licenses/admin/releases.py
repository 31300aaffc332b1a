from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import FileField, QuerySet
from django.http import HttpRequest
from django.template.defaultfilters import filesizeformat
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from licenses.admin.base import NewestInline, PortalModelAdmin, ReadOnlyAdmin
from licenses.admin.display import NOTHING, badge, day, link
from licenses.admin.filters import ProductFilter
from licenses.admin.verbs import Verb, actor_of
from licenses.models import Downloadable, Release
from licenses.reports.lists import with_downloads
from licenses.services.releases import (
    delete_downloadable,
    publish_release,
    require_size,
    safe_file_name,
    save_downloadable,
    withdraw_release,
)

VERBS = (
    Verb(
        name="publish_release",
        label="Publish",
        service=publish_release,
        done="was published",
        unchanged="published already",
        explanation="Customers' software lists and downloads its files, and the product's public changelog names it.",
        applies=lambda release: not release.is_published,
    ),
    Verb(
        name="withdraw_release",
        label="Withdraw",
        service=withdraw_release,
        done="was withdrawn",
        unchanged="not published",
        explanation="From now on nobody lists or downloads its files, also not with a link that was given out before. "
        "Nothing is deleted; publishing it again takes it back.",
        dangerous=True,
        applies=lambda release: release.is_published,
    ),
)


def size_of(downloadable: Downloadable) -> str:
    """As the storage has it; a file that was lost there is said to be, before a customer finds out."""
    try:
        return filesizeformat(downloadable.file.size) if downloadable.pk else NOTHING
    except (OSError, ValueError):
        return badge("Missing", "bad")


class ReplacingFileInput(forms.FileInput):
    """A chooser of files that says what is there already, without a link: files are served to license keys alone."""

    present = ""

    def render(self, *args: Any, **kwargs: Any) -> SafeString:
        chooser = super().render(*args, **kwargs)
        return format_html('<span class="present">{}</span>{}', self.present, chooser) if self.present else chooser


class DownloadableForm(forms.ModelForm):
    file_name = forms.CharField(
        required=False,
        max_length=150,
        help_text="Empty: the name of the chosen file.",
        widget=forms.TextInput(attrs={"class": "vTextField"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        limit = f"At most {settings.MAX_RELEASE_FILE_MB} MB, of any type."
        if self.instance.pk and isinstance(chooser := self.fields["file"].widget, ReplacingFileInput):
            chooser.present = format_html("{}, {}", self.instance.file_name, size_of(self.instance))
        self.fields["file"].help_text = f"{limit} Beside a file that is there already: another one in its place."

    def clean_file(self) -> Any:
        file = self.cleaned_data["file"]
        if hasattr(file, "content_type"):  # one that was sent just now
            try:
                require_size(file.size)
            except ValidationError as error:
                raise ValidationError(error.messages) from error
        return file

    def clean(self) -> Any:
        cleaned = super().clean() or self.cleaned_data
        file = cleaned.get("file")
        if file and "file_name" in cleaned:
            own = str(file.name) if hasattr(file, "content_type") else self.instance.file_name
            cleaned["file_name"] = safe_file_name(cleaned["file_name"] or own)
        return cleaned


class DownloadableInline(NewestInline):
    model = Downloadable
    empty_text = "No files yet. Choose one to add it; customers download the files of published releases."
    form = DownloadableForm
    verbose_name, verbose_name_plural = "file", "files"
    fields = ("file", "file_name", "size", "download_counter", "stored")
    readonly_fields = ("size", "download_counter", "stored")
    formfield_overrides = {FileField: {"widget": ReplacingFileInput}}

    @admin.display(description="size")
    def size(self, downloadable: Downloadable) -> str:
        return size_of(downloadable)

    @admin.display(description="added")
    def stored(self, downloadable: Downloadable) -> str:
        return day(downloadable.created_at)


@admin.register(Downloadable)
class DownloadableAdmin(ReadOnlyAdmin):
    """All files of a release that has many; they are added, replaced and deleted on the release's own page."""

    hidden = True
    list_display = ("file_name", "release_link", "size", "download_counter", "stored")
    list_select_related = ("release__product",)
    link_filters = ("release__id__exact",)
    ordering = ("-pk",)
    sortable_by = ()
    empty_text = "Add files on the page of their release."
    readonly_fields = ("file_name", "release_link", "size", "download_counter", "stored")
    fieldsets = ((None, {"fields": readonly_fields, "classes": ("facts",)}),)

    @admin.display(description="release")
    def release_link(self, downloadable: Downloadable) -> str:
        return link(downloadable.release)

    @admin.display(description="size")
    def size(self, downloadable: Downloadable) -> str:
        return size_of(downloadable)

    @admin.display(description="added")
    def stored(self, downloadable: Downloadable) -> str:
        return day(downloadable.created_at)


@admin.register(Release)
class ReleaseAdmin(PortalModelAdmin):
    verbs = VERBS
    list_display = ("version", "product_name", "state", "released", "files", "downloads")
    list_filter = ("is_published", ProductFilter)
    list_select_related = ("product",)
    search_fields = ("version", "product__name")
    search_help_text = "Part of the version or of the product's name."
    ordering = ("-released_at", "-pk")
    sortable_by = ("version", "released")
    empty_text = "Add the first version of a product: what changed, and the files that customers download."
    autocomplete_fields = ("product",)
    inlines = (DownloadableInline,)
    fieldsets = (
        (None, {"fields": ("product", "version", "state", "released_at")}),
        ("What changed", {"fields": ("update_summary", "changelog")}),
    )

    def arguments_for(self, row: Release) -> dict[str, Any]:
        return {"release": row}

    def get_readonly_fields(self, request: HttpRequest, obj: Release | None = None) -> tuple[str, ...]:
        return ("state", "product") if obj else ("state",)

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"released_at": timezone.now()} | super().get_changeform_initial_data(request)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Release]:
        return with_downloads(super().get_queryset(request))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        actor = actor_of(request)
        for row in formset.deleted_objects:
            delete_downloadable(downloadable=row, actor=actor)
        for row, fields in formset.changed_objects:
            save_downloadable(downloadable=row, changed_fields=fields, actor=actor)
        for row in formset.new_objects:
            save_downloadable(downloadable=row, actor=actor)

    @admin.display(description="product")
    def product_name(self, release: Release) -> str:
        return link(release.product)

    @admin.display(description="state")
    def state(self, release: Release) -> str:
        return badge("Published", "good") if release.is_published else badge("Not published", "quiet")

    @admin.display(description="release date", ordering="released_at")
    def released(self, release: Release) -> str:
        return day(release.released_at)

    @admin.display(description="files")
    def files(self, release: Any) -> str:
        return f"{release.file_count:,}"

    @admin.display(description="downloads")
    def downloads(self, release: Any) -> str:
        return f"{release.download_count:,}"
