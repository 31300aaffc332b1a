from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest

from licenses.admin.base import PortalModelAdmin, ReadOnlyInline
from licenses.admin.display import link, list_link, row_count, status_badge, when
from licenses.models import LicenseKey, Owner
from licenses.reports.fragments import Matches
from licenses.reports.lists import with_license_key_counts
from licenses.reports.search import Search


class LicenseKeyInline(ReadOnlyInline):
    model = LicenseKey
    empty_text = "No license keys yet. Assign one on its page, or several from the list of license keys."
    verbose_name_plural = "license keys"
    fields = readonly_fields = ("license_key_link", "product", "state", "assigned", "expires", "reference")

    def get_queryset(self, request: HttpRequest) -> QuerySet[LicenseKey]:
        return super().get_queryset(request).select_related("product")

    @admin.display(description="license key")
    def license_key_link(self, license_key: LicenseKey) -> str:
        return link(license_key)

    @admin.display(description="status")
    def state(self, license_key: LicenseKey) -> str:
        return status_badge(license_key)

    @admin.display(description="assigned")
    def assigned(self, license_key: LicenseKey) -> str:
        return when(license_key.assigned_at)

    @admin.display(description="expires")
    def expires(self, license_key: LicenseKey) -> str:
        return when(license_key.expires_at)


class OwnerForm(forms.ModelForm):
    def clean_email(self) -> str:
        """Shops send texts that are no address ("Not set"); they may stay, staff enter addresses."""
        email: str = self.cleaned_data["email"]
        if email and "email" in self.changed_data:
            validate_email(email)
        return email


@admin.register(Owner)
class OwnerAdmin(PortalModelAdmin):
    form = OwnerForm
    list_display = ("email_or_name", "name", "license_keys", "created")
    search_fields = ("email",)
    search_help_text = "Any part of the e-mail address or of the name."
    ordering = ("-pk",)
    sortable_by = ()
    fields = ("name", "email")
    inlines = (LicenseKeyInline,)
    empty_text = "Owners appear when license keys are assigned. You can also add one before."

    def found_by(self, request: HttpRequest, search: Search) -> Matches:
        return search.owners

    def get_inlines(self, request: HttpRequest, obj: Owner | None) -> Any:
        return self.inlines if obj else ()

    def get_queryset(self, request: HttpRequest) -> QuerySet[Owner]:
        return with_license_key_counts(super().get_queryset(request), "owner")

    @admin.display(description="owner")
    def email_or_name(self, owner: Owner) -> str:
        return str(owner)

    @admin.display(description="license keys")
    def license_keys(self, owner: Any) -> str:
        return list_link(row_count(owner.license_key_count), LicenseKey, owner__id__exact=owner.pk)

    @admin.display(description="known since")
    def created(self, owner: Owner) -> str:
        return when(owner.created_at)
