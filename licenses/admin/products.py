from functools import partial
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.db.models import QuerySet, URLField
from django.http import HttpRequest

from licenses.admin.base import PortalModelAdmin
from licenses.admin.display import list_link, product_badge, row_count
from licenses.admin.metadata import MetadataInline
from licenses.admin.verbs import Verb, actor_of
from licenses.models import LicenseKey, Product, ProductMetadata, SigningKey
from licenses.reports import with_license_key_counts, with_stock
from licenses.services.products import create_product, set_product_status


class ProductMetadataInline(MetadataInline):
    model = ProductMetadata


class ProductAddForm(forms.ModelForm):
    own_signing_key = forms.BooleanField(
        label="signing key of its own",
        required=False,
        help_text="Answers about this product are signed with a key pair of its own. Without it the global one signs.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["own_signing_key"].initial = settings.PRODUCT_SIGNING_KEYS


VERBS = (
    Verb(
        name="activate_product",
        label="Make active",
        service=partial(set_product_status, status=Product.Status.ACTIVE),
        done="made active",
        unchanged="active already",
        explanation="License keys of an active product are answered normally.",
        applies=lambda product: not product.is_active,
    ),
    Verb(
        name="deactivate_product",
        label="Make inactive",
        service=partial(set_product_status, status=Product.Status.INACTIVE),
        done="made inactive",
        unchanged="inactive already",
        explanation="From now on every license key of an inactive product is answered with 203 and stops working. "
        "Nothing is deleted; making the product active again takes it back.",
        dangerous=True,
        applies=lambda product: product.is_active,
    ),
)


@admin.register(Product)
class ProductAdmin(PortalModelAdmin):
    verbs = VERBS
    formfield_overrides = {URLField: {"assume_scheme": "https"}}
    list_display = ("name", "state", "license_keys", "available", "source", "external_reference")
    list_filter = ("status", "source")
    search_fields = ("name", "external_reference")
    search_help_text = "Part of the name or of the external reference."
    ordering = ("name",)
    sortable_by = ("name",)
    empty_text = "Create the first product: what you sell under license keys. Then import or add license keys for it."
    readonly_fields = ("license_keys_link", "signing_keys_link")
    inlines = (ProductMetadataInline,)
    fieldsets = (
        (None, {"fields": ("name", "description", "status", "require_non_expired")}),
        ("Where it is sold", {"fields": ("source", "external_reference", "post_url")}),
    )
    add_fieldsets = (*fieldsets, ("Signing", {"fields": ("own_signing_key",)}))
    change_fieldsets = (*fieldsets, ("Related", {"fields": ("license_keys_link", "signing_keys_link")}))

    def arguments_for(self, row: Product) -> dict[str, Any]:
        return {"product": row}

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> Any:
        return self.change_fieldsets if obj else self.add_fieldsets

    def get_form(self, request: HttpRequest, obj: Product | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = ProductAddForm
        return super().get_form(request, obj, change, **kwargs)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Product]:
        return with_stock(with_license_key_counts(super().get_queryset(request), "product"))

    def save_model(self, request: HttpRequest, obj: Product, form: Any, change: bool) -> None:
        if change:
            return super().save_model(request, obj, form, change)
        obj.pk = create_product(**form.cleaned_data, actor=actor_of(request)).pk
        return None

    @admin.display(description="status")
    def state(self, product: Product) -> str:
        return product_badge(product)

    @admin.display(description="license keys")
    def license_keys(self, product: Any) -> str:
        return list_link(row_count(product.license_key_count), LicenseKey, product=product.pk)

    @admin.display(description="available")
    def available(self, product: Any) -> str:
        filters = {"product": product.pk, "status__exact": LicenseKey.Status.AVAILABLE}
        return list_link(row_count(product.available_count), LicenseKey, **filters)

    @admin.display(description="license keys")
    def license_keys_link(self, product: Product) -> str:
        return list_link("Show its license keys", LicenseKey, product=product.pk)

    @admin.display(description="signing keys")
    def signing_keys_link(self, product: Product) -> str:
        return list_link("Show its signing keys", SigningKey, product__id__exact=product.pk)
