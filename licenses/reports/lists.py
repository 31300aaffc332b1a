"""What the lists of the admin show beside the rows' own columns.

Counts are subqueries, not joins: a join with GROUP BY reads and sorts every row of both tables before it can show the
first page, a subquery runs for the fifty rows of the page alone, each on an index.
"""

from collections.abc import Iterable
from typing import Any

from django.db.models import Count as Counted
from django.db.models import F, IntegerField, Model, OuterRef, QuerySet, Subquery, Sum
from django.db.models.functions import Coalesce

from licenses.models import Activation, AuditEvent, Contract, Downloadable, LicenseKey, Product, Release
from licenses.reports.counting import CountUpTo

# The newest of few rows among millions, as those of one owner. Sorted by a sum, because offered its primary key a
# database reads the whole table backwards until it has met enough of them
NEWEST_OF_FEW = (F("pk") + 0).desc()


def with_license_key_counts(rows: QuerySet[Any], field: str) -> QuerySet[Any]:
    """Products, owners or contracts with `license_key_count`; `field` is the license key's foreign key to them."""
    return rows.annotate(license_key_count=CountUpTo(LicenseKey.objects.filter(**{field: OuterRef("pk")})))


def with_stock(products: QuerySet[Product]) -> QuerySet[Product]:
    """Products with `available_count`, the license keys left to assign."""
    return products.annotate(available_count=CountUpTo(LicenseKey.objects.available().filter(product=OuterRef("pk"))))


def with_live_activations(license_keys: QuerySet[LicenseKey]) -> QuerySet[LicenseKey]:
    """License keys with `live_count`."""
    return license_keys.annotate(live_count=CountUpTo(Activation.objects.live().filter(license_key=OuterRef("pk"))))


def with_downloads(releases: QuerySet[Release]) -> QuerySet[Release]:
    """Releases with `file_count`, and `download_count` of all their files."""
    files = Downloadable.objects.filter(release=OuterRef("pk")).order_by()
    downloads = files.values("release").annotate(total=Sum("download_counter")).values("total")
    return releases.annotate(file_count=CountUpTo(files), download_count=Coalesce(Subquery(downloads), 0))


def with_exact_license_key_counts(contracts: QuerySet[Contract]) -> QuerySet[Contract]:
    """Contracts with `license_keys_count`, which programs compare with the quota: to the last one, for a page alone."""
    under_it = LicenseKey.objects.filter(contract=OuterRef("pk")).order_by().values("contract")
    count = Subquery(under_it.annotate(count=Counted("pk")).values("count"), output_field=IntegerField())
    return contracts.annotate(license_keys_count=Coalesce(count, 0))


def history_of(target: Model) -> QuerySet[AuditEvent]:
    """What happened to one object, the newest first."""
    return AuditEvent.objects.filter(object_type=target._meta.model_name, object_id=target.pk)


def live_activations_of(license_keys: Iterable[LicenseKey]) -> int:
    return Activation.objects.live().filter(license_key__in=[row.pk for row in license_keys]).count()
