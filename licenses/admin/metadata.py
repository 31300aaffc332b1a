"""Metadata has no entry in the menu: it is edited on its license key or product, which link here when it is long."""

from typing import Any

from django import forms
from django.contrib import admin
from django.db.models import Model, TextField
from django.http import HttpRequest

from licenses.admin.base import NewestInline, PortalModelAdmin
from licenses.admin.display import link, when
from licenses.models import LicenseKeyMetadata, ProductMetadata


class MetadataInline(NewestInline):
    verbose_name = verbose_name_plural = "metadata"
    fields = ("name", "value")
    formfield_overrides = {TextField: {"widget": forms.Textarea(attrs={"rows": 1})}}


class MetadataAdmin(PortalModelAdmin):
    hidden = True
    parent = ""
    list_display = ("name", "value", "parent_link", "updated")
    ordering = ("-pk",)
    sortable_by = ()
    fields = ("parent_link", "name", "value")
    readonly_fields = ("parent_link",)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """It is added where it belongs."""
        return False

    def history_target(self, obj: Any) -> Model:
        target: Model = getattr(obj, self.parent)
        return target

    @admin.display(description="belongs to")
    def parent_link(self, metadata: Any) -> str:
        return link(getattr(metadata, self.parent))

    @admin.display(description="changed")
    def updated(self, metadata: Any) -> str:
        return when(metadata.updated_at)


@admin.register(ProductMetadata)
class ProductMetadataAdmin(MetadataAdmin):
    parent = "product"
    list_select_related = ("product",)
    link_filters = ("product__id__exact",)
    empty_text = "Add metadata on the page of its product."


@admin.register(LicenseKeyMetadata)
class LicenseKeyMetadataAdmin(MetadataAdmin):
    parent = "license_key"
    list_select_related = ("license_key",)
    link_filters = ("license_key__id__exact",)
    empty_text = "Add metadata on the page of its license key; customers' software adds it through the REST API."
