from typing import Any

from django.contrib import admin
from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from django.utils.text import Truncator

from licenses.admin.base import ReadOnlyAdmin
from licenses.admin.display import NOTHING, badge, link, mono, when
from licenses.models import LicenseKey, Product, TelemetryRecord
from licenses.reports.fragments import Matches
from licenses.reports.search import find_telemetry

SHOWN = 40  # characters of the data in the list
FLAGS = {
    "is_correct_format": "Format",
    "license_key_exists": "License key",
    "product_exists": "Product",
    "product_version_exists": "Version",
}


class DataTypeFilter(SimpleListFilter):
    """The documented types; asking the database for those that were sent would read every record."""

    title = "data type"
    parameter_name = "data_type"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return list(TelemetryRecord.DataType.choices)

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        return queryset.filter(data_type=self.value()) if self.value() else None


@admin.register(TelemetryRecord)
class TelemetryRecordAdmin(ReadOnlyAdmin):
    with_history = False
    list_display = ("received", "state", "group", "kind", "value", "product_version")
    list_filter = ("has_red_flags", DataTypeFilter)
    search_fields = ("license_key",)
    search_help_text = "The beginning of a license key."
    ordering = ("-pk",)
    sortable_by = ()
    empty_text = "Records appear when customers' software calls the send-telemetry-data endpoint."
    readonly_fields = (
        "received",
        "state",
        "data_group",
        "kind",
        "data",
        "license_key_link",
        "activation_identifier",
        "user_identifier",
        "product",
        "product_version",
        "address",
        "further",
        "problems",
    )
    fieldsets = ((None, {"fields": readonly_fields, "classes": ("facts",)}),)

    def find(self, text: str) -> Matches:
        return find_telemetry(text)

    @admin.display(description="received")
    def received(self, stored: TelemetryRecord) -> str:
        return when(stored.created_at)

    @admin.display(description="data group")
    def group(self, stored: TelemetryRecord) -> str:
        return Truncator(stored.data_group).chars(SHOWN) or NOTHING

    @admin.display(description="data type")
    def kind(self, stored: TelemetryRecord) -> str:
        names: dict[str, str] = dict(TelemetryRecord.DataType.choices)
        return names.get(stored.data_type, stored.data_type) or NOTHING

    @admin.display(description="data")
    def value(self, stored: TelemetryRecord) -> str:
        return Truncator(stored.data).chars(SHOWN) or NOTHING

    @admin.display(description="red flags")
    def state(self, stored: TelemetryRecord) -> SafeString:
        """A badge for each thing that is wrong, so that the list says it without opening the record."""
        wrong = [label for name, label in FLAGS.items() if not getattr(stored, name)]
        if not wrong:
            return badge("None", "good")
        return format_html_join(" ", "{}", ((badge(label, "warn"),) for label in wrong))

    @admin.display(description="license key")
    def license_key_link(self, stored: TelemetryRecord) -> str:
        found = LicenseKey.objects.filter(license_key=stored.license_key).first() if stored.license_key else None
        return link(found) if found else mono(stored.license_key or NOTHING)

    @admin.display(description="product")
    def product(self, stored: TelemetryRecord) -> str:
        found = Product.objects.filter(pk=stored.product_id).first() if stored.product_id is not None else None
        return link(found) if found else str(NOTHING if stored.product_id is None else stored.product_id)

    @admin.display(description="further fields")
    def further(self, stored: TelemetryRecord) -> SafeString | str:
        return _lines(stored.extras)

    @admin.display(description="wrong in its format")
    def problems(self, stored: TelemetryRecord) -> SafeString | str:
        return _lines({name: " ".join(texts) for name, texts in stored.errors.items()})


def _lines(values: dict[str, str]) -> SafeString | str:
    rows = ((name.replace("_", " "), text) for name, text in values.items())
    return format_html_join(mark_safe("<br>"), "{}: {}", rows) or NOTHING
