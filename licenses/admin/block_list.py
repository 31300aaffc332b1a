from django.contrib import admin
from django.utils.text import Truncator

from licenses.admin.base import PortalModelAdmin
from licenses.admin.display import NOTHING, mono, when
from licenses.models import BlockListEntry

SHOWN = 80  # characters of the reason in the list


@admin.register(BlockListEntry)
class BlockListEntryAdmin(PortalModelAdmin):
    list_display = ("text", "kind", "why", "created")
    list_filter = ("kind",)
    search_fields = ("value", "reason")
    search_help_text = "Part of the address, of the identifier or of the reason."
    sortable_by = ("text",)
    empty_text = "Add an IP address, a network or an identifier: its calls are answered with 150, whatever the API key."
    readonly_fields = ("created",)
    fieldsets = ((None, {"fields": ("kind", "value", "reason")}),)

    @admin.display(description="address or identifier", ordering="value")
    def text(self, entry: BlockListEntry) -> str:
        return mono(entry.value)

    @admin.display(description="reason")
    def why(self, entry: BlockListEntry) -> str:
        return Truncator(entry.reason).chars(SHOWN) or NOTHING

    @admin.display(description="since")
    def created(self, entry: BlockListEntry) -> str:
        return when(entry.created_at)
