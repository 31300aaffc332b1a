from typing import Any

from django import forms
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import JSONField, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.html import format_html

from licenses.admin.activations import ActivationColumns
from licenses.admin.base import ReadOnlyInline
from licenses.admin.display import day, distance, link, mono, row_count, status_badge, when
from licenses.admin.filters import ExpiryFilter, ProductFilter
from licenses.admin.license_key_state import panel
from licenses.admin.license_key_verbs import VERBS
from licenses.admin.metadata import MetadataInline
from licenses.admin.products import FeaturesField
from licenses.admin.timeline import TimelineMixin
from licenses.admin.verbs import actor_of
from licenses.models import Activation, LicenseKey, LicenseKeyMetadata
from licenses.models.license_keys import NEVER_EXPIRES, UNLIMITED
from licenses.reports.fragments import Matches
from licenses.reports.lists import NEWEST_OF_FEW, with_live_activations
from licenses.reports.search import Search
from licenses.services.license_keys import (
    UPDATABLE,
    create_license_key,
    delete_license_key,
    is_deletable,
    require_limit_fits,
    update_license_key,
)


class ActivationInline(ActivationColumns, ReadOnlyInline):
    model = Activation
    empty_text = (
        "It runs nowhere yet. An activation appears when customers' software calls the activate endpoint with it."
    )
    fields = readonly_fields = ("where", "state", "activated", "deactivated", "last_verified", "address")

    @admin.display(description="identifier")
    def where(self, activation: Activation) -> str:
        return link(activation)


class LicenseKeyMetadataInline(MetadataInline):
    model = LicenseKeyMetadata
    empty_text = (
        "Nothing is noted yet. Add a name and a value, such as edition and pro, for customers' software to read."
    )


class LicenseKeyAddForm(forms.ModelForm):
    license_key = forms.CharField(
        required=False,
        max_length=255,
        help_text="Leave it empty to have one generated (125 random bits). It cannot be changed later.",
    )


class LicenseKeyChangeForm(forms.ModelForm):
    def clean_activation_limit(self) -> int:
        limit: int = self.cleaned_data["activation_limit"]
        try:
            require_limit_fits(self.instance, limit)
        except ValidationError as error:
            raise ValidationError(error.messages) from error
        return limit


@admin.register(LicenseKey)
class LicenseKeyAdmin(TimelineMixin):
    verbs = VERBS
    formfield_overrides = {JSONField: {"form_class": FeaturesField}}
    list_display = ("text", "state", "owner_link", "product_name", "activations", "expires", "reference")
    list_filter = ("status", ExpiryFilter, ProductFilter)
    link_filters = ("owner__id__exact", "contract__id__exact", "contract__isnull")
    list_select_related = ("product", "owner")
    search_fields = ("license_key",)
    search_help_text = "Any part of a license key, owner's e-mail or name, activation identifier or reference."
    sortable_by = ("text",)
    empty_text = (
        "Import them from a spreadsheet (very many: manage.py import_license_keys), let a generator make them, or add "
        "one here."
    )
    autocomplete_fields = ("product",)
    inlines = (ActivationInline, LicenseKeyMetadataInline)
    add_fieldsets = (
        (None, {"fields": ("product", "license_key")}),
        ("What it allows", {"fields": ("activation_limit", "validity_days", "features", "reference")}),
    )
    change_fieldsets = (
        (
            None,
            {
                "fields": ("text", "state", "owner_link", "product_link", "contract_link", "assigned", "created"),
                "classes": ("facts",),
            },
        ),
        ("What it allows", {"fields": ("activation_limit", "validity_days", "expires_at", "features", "reference")}),
    )
    readonly_on_change = ("text", "product_link", "contract_link", "state", "owner_link", "assigned", "created")

    def arguments_for(self, row: LicenseKey) -> dict[str, Any]:
        return {"license_key": row.license_key}

    def found_by(self, request: HttpRequest, search: Search) -> Matches:
        return search.license_keys

    def has_restock_permission(self, request: HttpRequest) -> bool:
        """It takes owners their license keys: for those who look after the stock."""
        return bool(request.user.has_perms(("licenses.change_licensekey", "licenses.add_licensekey")))

    def get_queryset(self, request: HttpRequest) -> QuerySet[LicenseKey]:
        return with_live_activations(super().get_queryset(request))

    def get_ordering(self, request: HttpRequest) -> tuple[Any, ...]:
        """What expires first comes first, from the index on the expiry; else the newest, from the primary key."""
        if "owner__id__exact" in request.GET:
            return (NEWEST_OF_FEW,)
        return ("expires_at", "-pk") if request.GET.get("expiry") not in (None, "", "valid") else ("-pk",)

    def get_fieldsets(self, request: HttpRequest, obj: LicenseKey | None = None) -> Any:
        return self.change_fieldsets if obj else self.add_fieldsets

    def get_readonly_fields(self, request: HttpRequest, obj: LicenseKey | None = None) -> tuple[str, ...]:
        if obj is None:
            return ()
        return self.readonly_on_change if obj.assigned_at else (*self.readonly_on_change, "expires_at")

    def get_inlines(self, request: HttpRequest, obj: LicenseKey | None) -> Any:
        return self.inlines if obj else ()

    def get_form(self, request: HttpRequest, obj: LicenseKey | None = None, change: bool = False, **kwargs: Any) -> Any:
        kwargs["form"] = LicenseKeyChangeForm if obj else LicenseKeyAddForm
        return super().get_form(request, obj, change, **kwargs)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        if (obj := context.get("original")) is not None:
            context |= panel(request, self.admin_site, obj)
        return super().render_change_form(request, context, *args, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: LicenseKey | None = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or is_deletable(obj))

    def save_model(self, request: HttpRequest, obj: LicenseKey, form: Any, change: bool) -> None:
        if change:
            changes = {name: form.cleaned_data[name] for name in form.changed_data if name in UPDATABLE}
            update_license_key(license_key=obj.license_key, changes=changes, actor=actor_of(request))
            return
        created = create_license_key(**form.cleaned_data, actor=actor_of(request))
        obj.pk, obj.license_key = created.pk, created.license_key

    def delete_model(self, request: HttpRequest, obj: LicenseKey) -> None:
        delete_license_key(license_key=obj.license_key, actor=actor_of(request))

    @admin.display(description="license key", ordering="license_key")
    def text(self, license_key: LicenseKey) -> str:
        return mono(license_key.license_key)

    @admin.display(description="product")
    def product_name(self, license_key: LicenseKey) -> str:
        return license_key.product.name

    @admin.display(description="product")
    def product_link(self, license_key: LicenseKey) -> str:
        return link(license_key.product)

    @admin.display(description="contract")
    def contract_link(self, license_key: LicenseKey) -> str:
        return link(license_key.contract)

    @admin.display(description="status")
    def state(self, license_key: LicenseKey) -> str:
        return status_badge(license_key)

    @admin.display(description="owner")
    def owner_link(self, license_key: LicenseKey) -> str:
        return link(license_key.owner)

    @admin.display(description="activations")
    def activations(self, license_key: Any) -> str:
        limit = "∞" if license_key.activation_limit == UNLIMITED else license_key.activation_limit
        return f"{row_count(license_key.live_count)} of {limit}"

    @admin.display(description="expires")
    def expires(self, license_key: LicenseKey) -> str:
        if license_key.expires_at:
            return format_html(
                '{} <span class="quiet">{}</span>', day(license_key.expires_at), distance(license_key.expires_at)
            )
        if license_key.assigned_at or license_key.validity_days == NEVER_EXPIRES:
            return "never"
        return format_html('{} days <span class="quiet">once assigned</span>', f"{license_key.validity_days:,}")

    @admin.display(description="assigned")
    def assigned(self, license_key: LicenseKey) -> str:
        return when(license_key.assigned_at)

    @admin.display(description="created")
    def created(self, license_key: LicenseKey) -> str:
        return when(license_key.created_at)
