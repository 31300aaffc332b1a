from typing import Any

from django import forms
from django.contrib import admin
from django.core.validators import validate_email
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse

from licenses.admin.display import list_link, row_count, when
from licenses.admin.owner_page import sections
from licenses.admin.timeline import TimelineMixin
from licenses.models import LicenseKey, Owner
from licenses.reports.fragments import Matches
from licenses.reports.lists import with_license_key_counts
from licenses.reports.search import Search


class OwnerForm(forms.ModelForm):
    def clean_email(self) -> str:
        """Shops send texts that are no address ("Not set"); they may stay, staff enter addresses."""
        email: str = self.cleaned_data["email"]
        if email and "email" in self.changed_data:
            validate_email(email)
        return email

    def clean(self) -> dict[str, Any] | None:
        """Nobody could find an owner without both; one that a shop made so may stay as it is."""
        said = any(self.cleaned_data.get(name) or name in self.errors for name in ("name", "email"))
        if not said and (self.has_changed() or self.instance._state.adding):
            self.add_error("email", "Give an e-mail address, or at least a name.")
        return super().clean()


@admin.register(Owner)
class OwnerAdmin(TimelineMixin):
    form = OwnerForm
    list_display = ("email_or_name", "name", "license_keys", "created")
    search_fields = ("email",)
    search_help_text = "Any part of the e-mail address or of the name."
    ordering = ("-pk",)
    sortable_by = ()
    fields = ("name", "email")
    names_objects = True
    empty_text = (
        "Owners appear when license keys are assigned, by a shop or from a spreadsheet under Bulk assignments. You can "
        "also import or add them before."
    )

    def found_by(self, request: HttpRequest, search: Search) -> Matches:
        return search.owners

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if (obj := context.get("original")) is not None:
            context |= sections(request, self.admin_site, obj)
        return super().render_change_form(request, context, *args, **kwargs)

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
