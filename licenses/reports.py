"""Reads behind lists, searches and the overview. Each is bounded: a million rows cost what ten thousand do."""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple, TypeVar

from django.db import connection
from django.db.models import Count as Counted
from django.db.models import IntegerField, Model, OuterRef, Q, QuerySet, Subquery, Sum, Value
from django.db.models.functions import Coalesce, Concat, Lower

from licenses.models import (
    Activation,
    ApiKey,
    AuditEvent,
    Contract,
    Downloadable,
    Generator,
    LicenseKey,
    Owner,
    Product,
    Release,
    TelemetryRecord,
)

COUNT_CAP = 10_000  # a list says "10,000+" instead of counting further
ROW_COUNT_CAP = 1_000  # the same for a count inside a row of a list
MATCH_CAP = 500  # a search looks at this many matches of each kind
EXPIRING_DAYS = 30
LAST_CHARACTER = "\U0010ffff"
MAX_DIGITS = 18  # of a number that a column surely holds
NO_PRODUCT = -1  # a number that no record has

Row = TypeVar("Row", bound=Model)


class Count(NamedTuple):
    """A number of rows, and whether there are more than that."""

    number: int
    more: bool

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.more else ''}"


def capped(number: int, cap: int) -> Count:
    """What a count that stopped at `cap` + 1 says."""
    return Count(min(number, cap), number > cap)


def count_up_to(rows: QuerySet[Any], cap: int = COUNT_CAP) -> Count:
    return capped(rows.order_by().values("pk")[: cap + 1].count(), cap)


class CountUpTo(Subquery):
    """How many rows a correlated query finds, counting to `ROW_COUNT_CAP` + 1 at most."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any]) -> None:
        super().__init__(rows.order_by().values("pk")[: ROW_COUNT_CAP + 1])


# Counts are subqueries, not joins: a join with GROUP BY reads and sorts every row of both tables before it can show the
# first page, a subquery runs for the fifty rows of the page alone, each on an index.


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


# Pages for programs: the oldest row first, `page` counts from 1, and an empty filter leaves everything in


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


class Matches(NamedTuple):
    """What a search found. `cut` says that there are more than these."""

    pks: set[int]
    cut: bool


def find_license_keys(text: str) -> Matches:
    """License keys by the beginning of their text, reference, owner's e-mail or name, or of an identifier.

    One query per index instead of one OR over joins, which no database can answer from indexes.
    """
    owners = find_owners(text)
    matches = _first_matches(
        _license_keys_by_text(text),
        LicenseKey.objects.filter(_starts_with("reference", text)),
        LicenseKey.objects.filter(owner__in=owners.pks),
        Activation.objects.filter(_starts_with("identifier", text)).values_list("license_key", flat=True),
    )
    return Matches(matches.pks, matches.cut or owners.cut)


def _license_keys_by_text(text: str) -> QuerySet[LicenseKey]:
    """Those that begin with `text`, also where somebody wrote it in small letters."""
    return LicenseKey.objects.filter(_starts_with("license_key", text) | _starts_with("license_key", text.upper()))


def find_owners(text: str) -> Matches:
    """Owners by the beginning of their e-mail address or name, whatever its case."""
    owners = Owner.objects.alias(folded_email=Lower("email"), folded_name=Lower("name"))
    return _first_matches(
        owners.filter(_starts_with("folded_email", Lower(Value(text)))),
        owners.filter(_starts_with("folded_name", Lower(Value(text)))),
    )


def find_activations(text: str) -> Matches:
    """Activations by the beginning of their identifier or of their license key."""
    license_keys = _first_matches(_license_keys_by_text(text))
    return _first_matches(
        Activation.objects.filter(_starts_with("identifier", text)),
        Activation.objects.filter(license_key__in=license_keys.pks),
    )


def find_audit_events(text: str) -> Matches:
    """The newest audit events about one license key or owner, named in full, or by who began with `text`."""
    license_keys = LicenseKey.objects.filter(license_key=text).values_list("pk", flat=True)
    owners = Owner.objects.with_email(text).values_list("pk", flat=True)
    return _first_matches(
        AuditEvent.objects.filter(object_type="licensekey", object_id__in=list(license_keys)).order_by("-pk"),
        AuditEvent.objects.filter(object_type="owner", object_id__in=list(owners)).order_by("-pk"),
        AuditEvent.objects.filter(_starts_with("actor", text)).order_by("-pk"),
    )


def find_telemetry(text: str) -> Matches:
    """The newest records by the beginning of their license key."""
    return _first_matches(TelemetryRecord.objects.filter(_starts_with("license_key", text)).order_by("-pk"))


def _first_matches(*searches: QuerySet[Any]) -> Matches:
    found = [list(_pks(rows)[: MATCH_CAP + 1]) for rows in searches]
    return Matches(
        {pk for pks in found for pk in pks[:MATCH_CAP]},
        any(len(pks) > MATCH_CAP for pks in found),
    )


def _pks(rows: QuerySet[Any]) -> QuerySet[Any]:
    """The primary keys, unless the search says which column it is after.

    The models' own order is dropped: for it a database would rather read the table from its end than the index.
    """
    rows = rows if rows.query.order_by else rows.order_by()
    return rows if rows.query.values_select else rows.values_list("pk", flat=True)


def _starts_with(field: str, text: str | Lower) -> Q:
    """Rows whose `field` begins with `text`, by index: LIKE on PostgreSQL; on SQLite, whose LIKE reads all, a range."""
    if connection.vendor == "sqlite":
        prefix = Value(text) if isinstance(text, str) else text
        return Q((f"{field}__gte", text), (f"{field}__lt", Concat(prefix, Value(LAST_CHARACTER))))
    return Q((f"{field}__startswith", text))


def history_of(target: Model) -> QuerySet[AuditEvent]:
    """What happened to one object, the newest first."""
    return AuditEvent.objects.filter(object_type=target._meta.model_name, object_id=target.pk)


def live_activations_of(license_keys: Iterable[LicenseKey]) -> int:
    return Activation.objects.live().filter(license_key__in=[row.pk for row in license_keys]).count()


def overview(at: datetime) -> dict[str, Count]:
    """The figures of the overview by name, each counted to `COUNT_CAP`."""
    license_keys = LicenseKey.objects
    return {
        "assigned": count_up_to(license_keys.filter(status=LicenseKey.Status.ASSIGNED)),
        "available": count_up_to(license_keys.available()),
        "expiring": count_up_to(license_keys.expiring(after=at, before=at + timedelta(days=EXPIRING_DAYS))),
        "expired": count_up_to(license_keys.expired(at)),
        "blocked": count_up_to(license_keys.filter(status=LicenseKey.Status.BLOCKED)),
        "activations": count_up_to(Activation.objects.live()),
        "owners": count_up_to(Owner.objects.all()),
        "products": count_up_to(Product.objects.filter(status=Product.Status.ACTIVE)),
    }


def first_steps() -> dict[str, bool]:
    """What a new portal needs before a shop can use it, and whether it is there."""
    return {
        "product": Product.objects.exists(),
        "license_key": LicenseKey.objects.exists(),
        "api_key": ApiKey.objects.exists(),
    }
