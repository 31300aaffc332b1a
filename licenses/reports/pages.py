"""Pages for programs: the oldest row first, `page` counts from 1, and an empty filter leaves everything in."""

from typing import Any, TypeVar

from django.db.models import Model, QuerySet, Value
from django.db.models.functions import Lower

from licenses.models import Contract, Generator, LicenseKey, Owner, Product, TelemetryRecord
from licenses.reports.lists import with_exact_license_key_counts

MAX_DIGITS = 18  # of a number that a column surely holds
NO_PRODUCT = -1  # a number that no record has

Row = TypeVar("Row", bound=Model)


def page_of(rows: QuerySet[Row], *, page: int, items_per_page: int) -> QuerySet[Row]:
    """One page of these rows. One far past the end costs nothing: there are no more rows than the highest number."""
    start, every = (page - 1) * items_per_page, rows.model._default_manager.order_by("pk")
    newest = every.values_list("pk", flat=True).last() or 0
    if start >= newest:
        return every.none()
    pks = rows.order_by("pk").values_list("pk", flat=True)[start : start + items_per_page]
    return every.filter(pk__in=list(pks))


def page_of_license_keys(
    *, product: Product | None, status: str, owner_email: str, owner_name: str, **page: int
) -> QuerySet[LicenseKey]:
    """License keys to which all of these apply, with their owners: names and addresses whole, in any case."""
    return page_of(_license_keys_where(product, status, owner_email, owner_name), **page).select_related("owner")


def page_of_contracts(**page: int) -> QuerySet[Contract]:
    """All contracts, each with its `license_keys_count`."""
    return with_exact_license_key_counts(page_of(Contract.objects.all(), **page))


def page_of_generators(*, product_id: str, **page: int) -> QuerySet[Generator]:
    """Generators, inactive ones too, of all products that are not deleted, or of the one that is named."""
    named = Product.objects.named(product_id)
    products = [named] if named else [] if product_id else Product.objects.offered()
    return page_of(Generator.objects.filter(product__in=products), **page)


def page_of_telemetry(*, product_id: str, page: int, items_per_page: int, **filters: Any) -> QuerySet[TelemetryRecord]:
    """Records that say all of this; of a product by one of its names, or by a number that no product has."""
    said = {name: value for name, value in filters.items() if value not in ("", None)}
    if product_id:
        named = Product.objects.named(product_id)
        is_number = product_id.isascii() and product_id.isdecimal() and len(product_id) <= MAX_DIGITS
        said["product_id"] = named.pk if named else int(product_id) if is_number else NO_PRODUCT
    return page_of(TelemetryRecord.objects.filter(**said), page=page, items_per_page=items_per_page)


def _license_keys_where(
    product: Product | None, status: str, owner_email: str, owner_name: str
) -> QuerySet[LicenseKey]:
    rows = LicenseKey.objects.order_by("pk")
    rows = rows.filter(product=product) if product else rows
    rows = rows.filter(status=status) if status else rows
    rows = rows.filter(owner__in=Owner.objects.with_email(owner_email)) if owner_email else rows
    named = Owner.objects.alias(folded_name=Lower("name")).filter(folded_name=Lower(Value(owner_name)))
    return rows.filter(owner__in=named) if owner_name else rows
