"""Filters of lists: each an indexed query, none with more choices than fit on a screen."""

from datetime import timedelta
from typing import Any

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from licenses.admin.display import kind_title, list_url
from licenses.events import Kind
from licenses.models import Product

PRODUCTS_SHOWN = 20


class ProductFilter(SimpleListFilter):
    """The first products by name and the chosen one; the list of products leads to the license keys of any other."""

    title = "product"
    parameter_name = "product"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        products = dict(Product.objects.values_list("pk", "name")[: PRODUCTS_SHOWN + 1])
        self.more = len(products) > PRODUCTS_SHOWN
        shown = dict(list(products.items())[:PRODUCTS_SHOWN])
        shown |= dict(Product.objects.filter(pk=int(self.value() or 0)).values_list("pk", "name"))
        return [(str(pk), name) for pk, name in shown.items()]

    def choices(self, changelist: Any) -> Any:
        yield from super().choices(changelist)
        if self.more:
            yield {"selected": False, "query_string": list_url(Product), "display": "More products…"}

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        return queryset.filter(product=int(self.value() or 0)) if self.value() else None


class ExpiryFilter(SimpleListFilter):
    title = "expiry"
    parameter_name = "expiry"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            ("7", "In the next 7 days"),
            ("30", "In the next 30 days"),
            ("silent", "In 30 days, not heard of for 14"),
            ("expired", "Expired"),
            ("valid", "Not expired"),
        ]

    def queryset(self, request: HttpRequest, queryset: Any) -> QuerySet[Any] | None:
        now = timezone.now()
        if self.value() == "expired":
            return queryset.expired(now)
        if self.value() == "valid":
            return queryset.in_force(now)
        if self.value() == "silent":
            return queryset.silent(now, days=30)
        if self.value():
            return queryset.expiring(after=now, before=now + timedelta(days=int(self.value() or 0)))
        return None


class LiveFilter(SimpleListFilter):
    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("active", "Active"), ("ended", "Deactivated")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        return queryset.filter(deactivated_at__isnull=self.value() == "active") if self.value() else None


class KindFilter(SimpleListFilter):
    """The kinds come from the table of events: asking the database for them would read every event."""

    title = "what happened"
    parameter_name = "kind"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(kind.value, kind_title(kind)) for kind in Kind]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any] | None:
        return queryset.filter(kind=self.value()) if self.value() else None
