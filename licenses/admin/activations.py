from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.utils.html import format_html

from licenses.admin.base import ReadOnlyAdmin
from licenses.admin.display import NOTHING, badge, link, when
from licenses.admin.filters import LiveFilter
from licenses.admin.license_files import LicenseFileLinks
from licenses.admin.verbs import Verb
from licenses.models import Activation, BlockListEntry
from licenses.reports.fragments import Matches
from licenses.reports.lists import NEWEST_OF_FEW
from licenses.reports.search import Search
from licenses.services.activations import deactivate_license
from licenses.services.block_list import block_identifier

DEACTIVATE = Verb(
    name="deactivate_license",
    label="Deactivate",
    service=deactivate_license,
    done="was deactivated",
    unchanged="inactive already",
    explanation="The software no longer runs there, and another identifier can take the place.",
    permission="deactivate",
    dangerous=True,
    applies=lambda activation: activation.is_live,
)


def block_list_entry_of(activation: Activation) -> BlockListEntry | None:
    """The entry that names the activation's identifier."""
    return BlockListEntry.objects.filter(kind=BlockListEntry.Kind.IDENTIFIER, value=activation.identifier).first()


class BlockForm(forms.Form):
    reason = forms.CharField(
        max_length=255,
        required=False,
        help_text="For your colleagues, such as: stolen card, ticket 4711. Callers never see it.",
    )


BLOCK_IDENTIFIER = Verb(
    name="block_identifier",
    label="Block this identifier",
    service=block_identifier,
    done="was deactivated and its identifier blocked",
    unchanged="blocked and inactive already",
    explanation="Puts the identifier on the block list and ends this activation. Every call from there is answered "
    "with 150, with whatever license key, until somebody takes it off the block list.",
    form=BlockForm,
    permission="block",
    dangerous=True,
    applies=lambda activation: block_list_entry_of(activation) is None,
)


class ActivationColumns:
    """What the list of activations and the table on a license key's page both show."""

    @admin.display(description="state")
    def state(self, activation: Activation) -> str:
        return badge("Active", "good") if activation.is_live else badge("Deactivated", "quiet")

    @admin.display(description="activated")
    def activated(self, activation: Activation) -> str:
        return when(activation.activated_at)

    @admin.display(description="deactivated")
    def deactivated(self, activation: Activation) -> str:
        return when(activation.deactivated_at)

    @admin.display(description="last verified")
    def last_verified(self, activation: Activation) -> str:
        return when(activation.last_verified_at)


@admin.register(Activation)
class ActivationAdmin(LicenseFileLinks, ActivationColumns, ReadOnlyAdmin):
    verbs = (DEACTIVATE, BLOCK_IDENTIFIER)
    list_display = ("identifier", "license_key_link", "state", "activated", "last_verified")
    list_filter = (LiveFilter,)
    link_filters = ("license_key__id__exact", "license_key__owner__id__exact")
    list_select_related = ("license_key",)
    search_fields = ("identifier",)
    search_help_text = "Any part of the identifier or of the license key."
    ordering = ("-pk",)
    sortable_by = ()
    empty_text = "Activations appear when customers' software calls the activate endpoint with its license key."
    readonly_fields = (
        "identifier",
        "license_key_link",
        "state",
        "on_block_list",
        "activated",
        "deactivated",
        "last_verified",
        "address",
        "post_url",
    )
    fieldsets = ((None, {"fields": readonly_fields, "classes": ("facts",)}),)

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        return (NEWEST_OF_FEW,) if "license_key__owner__id__exact" in request.GET else self.ordering

    def arguments_for(self, row: Activation) -> dict[str, Any]:
        return {"license_key": row.license_key.license_key, "identifier": row.identifier}

    def has_deactivate_permission(self, request: HttpRequest) -> bool:
        """Deactivating changes the license key."""
        return bool(request.user.has_perm("licenses.change_licensekey"))

    def has_block_permission(self, request: HttpRequest) -> bool:
        """It writes the block list too."""
        return bool(request.user.has_perms(("licenses.change_licensekey", "licenses.add_blocklistentry")))

    def found_by(self, request: HttpRequest, search: Search) -> Matches:
        return search.activations

    def history_target(self, obj: Activation) -> Model:
        return obj.license_key

    @admin.display(description="license key")
    def license_key_link(self, activation: Activation) -> str:
        return link(activation.license_key)

    @admin.display(description="block list")
    def on_block_list(self, activation: Activation) -> str:
        entry = block_list_entry_of(activation)
        if entry is None:
            return NOTHING
        return format_html("{} {}", badge("Identifier blocked", "bad"), link(entry, "Show the entry"))
