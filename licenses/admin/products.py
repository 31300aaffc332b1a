import json
from collections.abc import Sequence
from functools import partial
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin
from django.core.exceptions import ValidationError
from django.db.models import JSONField, QuerySet, URLField
from django.forms.fields import InvalidJSONInput
from django.http import HttpRequest

from licenses.admin.base import PortalModelAdmin
from licenses.admin.display import list_link, mono, product_badge, row_count
from licenses.admin.metadata import MetadataInline
from licenses.admin.searching import is_picker_of
from licenses.admin.verbs import Verb, actor_of
from licenses.models import Contract, Generator, LicenseKey, Product, ProductMetadata, Release, SigningKey
from licenses.models.products import validate_features
from licenses.reports.counting import count_up_to
from licenses.reports.fragments import Matches
from licenses.reports.lists import with_license_key_counts, with_stock
from licenses.reports.search import Search
from licenses.services.products import create_product, delete_product, set_product_status


class ProductMetadataInline(MetadataInline):
    model = ProductMetadata
    empty_text = (
        "Nothing is noted yet. Add a name and a value, such as edition and pro, for customers' software to read."
    )


class FeaturesField(forms.JSONField):
    """Features as people write them: a JSON object, or nothing at all."""

    default_error_messages = {
        "invalid": "This is not a JSON object. Put names and texts into double quotes and braces around it all: "
        '{"export": true, "seats": 5, "edition": "pro"}.'
    }
    widget = forms.Textarea(attrs={"rows": 5, "spellcheck": "false", "placeholder": '{"export": true, "seats": 5}'})

    def __init__(self, **options: Any) -> None:
        """Without the hidden copy of what it was: Django adds one because the default is a function."""
        super().__init__(**(options | {"show_hidden_initial": False}))

    def to_python(self, value: Any) -> Any:
        try:
            found = super().to_python(value)
        except (ValueError, RecursionError):  # a number of thousands of digits, or nested too deep
            found = value
        if found is None or found == []:
            return {}
        if not isinstance(found, dict):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        validate_features(found)
        return found

    def bound_data(self, data: Any, initial: Any) -> Any:
        """What was typed comes back as it was typed."""
        return InvalidJSONInput(data or "")

    def prepare_value(self, value: Any) -> Any:
        return json.dumps(value, ensure_ascii=False, indent=2) if isinstance(value, dict) and value else value or ""


class ProductAddForm(forms.ModelForm):
    own_signing_key = forms.BooleanField(
        label="signing key of its own",
        required=False,
        help_text="Answers about this product are signed with a key pair of its own. Without it the global one signs.",
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["own_signing_key"].initial = settings.PRODUCT_SIGNING_KEYS
        status: Any = self.fields["status"]
        status.choices = [choice for choice in status.choices if choice[0] != Product.Status.DELETED]


def _keys_stop(products: Sequence[Product]) -> str:
    """How many license keys that work today the action stops."""
    working = LicenseKey.objects.filter(product__in=products, product__status=Product.Status.ACTIVE)
    count = count_up_to(working.filter(status=LicenseKey.Status.ASSIGNED))
    if count.number == 0:
        return "No assigned license key works under it today."
    return (
        "1 assigned license key stops working." if str(count) == "1" else f"{count} assigned license keys stop working."
    )


VERBS = (
    Verb(
        name="activate_product",
        label="Make active",
        service=partial(set_product_status, status=Product.Status.ACTIVE),
        done="was made active",
        unchanged="active already",
        explanation="License keys of an active product are answered normally. A deleted product comes back with all "
        "it had: its license keys, metadata, releases and signing keys.",
        applies=lambda product: not product.is_active,
    ),
    Verb(
        name="deactivate_product",
        label="Make inactive",
        service=partial(set_product_status, status=Product.Status.INACTIVE),
        done="was made inactive",
        unchanged="inactive or deleted already",
        explanation="From now on every license key of an inactive product is answered with 203 and stops working. "
        "Nothing is deleted; making the product active again takes it back.",
        dangerous=True,
        applies=lambda product: product.is_active,
        consequence=_keys_stop,
    ),
    Verb(
        name="delete_product",
        label="Delete",
        service=delete_product,
        done="was deleted",
        unchanged="deleted already",
        explanation="Programs no longer see a deleted product, and its license keys are answered with 203. Nothing is "
        "erased: license keys, owners and history stay in the admin, and making the product active takes it back.",
        permission="hide",
        dangerous=True,
        applies=lambda product: not product.is_deleted,
        consequence=_keys_stop,
    ),
)


# Links to lists that not all who see a product may see
LINKED = {"signing_keys_link": "licenses.view_signingkey", "generators_link": "licenses.view_generator"}


@admin.register(Product)
class ProductAdmin(PortalModelAdmin):
    verbs = VERBS
    formfield_overrides = {URLField: {"assume_scheme": "https"}, JSONField: {"form_class": FeaturesField}}
    list_display = ("name", "state", "license_keys", "available", "source", "external_reference")
    list_filter = ("status", "source")
    search_fields = ("name", "slug", "external_reference")
    search_help_text = "Part of the name, of the slug or of the external reference."
    ordering = ("name",)
    sortable_by = ("name",)
    empty_text = "Create the first product: what you sell under license keys. Then import or add license keys for it."
    facts = (
        "state",
        "uuid_text",
        "license_keys_link",
        "signing_keys_link",
        "generators_link",
        "contracts_link",
        "releases_link",
    )
    readonly_fields = facts
    inlines = (ProductMetadataInline,)
    sold_fields = ("source", "external_reference", "post_url")
    add_fieldsets = (
        (None, {"fields": ("name", "slug", "description", "status", "require_non_expired", "changelog_enabled")}),
        ("What its license keys allow", {"fields": ("features",)}),
        ("Where it is sold", {"fields": sold_fields}),
        ("Signing", {"fields": ("own_signing_key",)}),
    )
    change_fieldsets = (
        ("What it is", {"fields": ("name", "slug", "description", "require_non_expired", "changelog_enabled")}),
        ("What its license keys allow", {"fields": ("features",)}),
        ("Where it is sold", {"fields": sold_fields}),
    )

    def arguments_for(self, row: Product) -> dict[str, Any]:
        return {"product": row}

    def get_fieldsets(self, request: HttpRequest, obj: Product | None = None) -> Any:
        if obj is None:
            return self.add_fieldsets
        facts = [name for name in self.facts if name not in LINKED or request.user.has_perm(LINKED[name])]
        return ((None, {"fields": facts, "classes": ("facts",)}), *self.change_fieldsets)

    def get_form(self, request: HttpRequest, obj: Product | None = None, change: bool = False, **kwargs: Any) -> Any:
        if obj is None:
            kwargs["form"] = ProductAddForm
        return super().get_form(request, obj, change, **kwargs)

    def has_delete_permission(self, request: HttpRequest, obj: Product | None = None) -> bool:
        """Django's way would erase the row; the action "Delete" keeps it."""
        return False

    def has_hide_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("licenses.delete_product"))

    def found_by(self, request: HttpRequest, search: Search) -> Matches:
        return search.products

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        """Pickers of other pages offer no deleted products."""
        found, cut = super().get_search_results(request, queryset, search_term)
        return (found.exclude(status=Product.Status.DELETED) if is_picker_of(request) else found), cut

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

    @admin.display(description="UUID")
    def uuid_text(self, product: Product) -> str:
        return mono(str(product.uuid))

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

    @admin.display(description="generators")
    def generators_link(self, product: Product) -> str:
        return list_link("Show its generators", Generator, product__id__exact=product.pk)

    @admin.display(description="contracts")
    def contracts_link(self, product: Product) -> str:
        return list_link("Show its contracts", Contract, product=product.pk)

    @admin.display(description="releases")
    def releases_link(self, product: Product) -> str:
        return list_link("Show its releases", Release, product=product.pk)
