"""Counting large tables for the first page: by the worker each minute, or by the page itself while they are small.

A portal without a worker stays true too: then one page in ten minutes counts for all the others.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import OperationalError
from django.db.models import Count, Q, Sum
from django.utils import timezone

from licenses.events import Kind
from licenses.models import Activation, DailyCount, Figures, Generator, LicenseKey, Owner, Product, QueuedAssignment
from licenses.services.activity import roll_up_activity

EVERY = timedelta(seconds=55)  # how often the worker counts
PATIENCE = timedelta(minutes=10)  # how old figures may be before a page counts a large portal itself
PRODUCTS_SHOWN = 8  # with bars of their own; the others are one bar
DRY_SHOWN = 5
SOLD_DAYS = 30  # whose assignments a stock is compared with
LASTING_DAYS = 14  # a stock that lasts less long at that rate runs dry
EXPIRING_DAYS = 30
JOBS = (QueuedAssignment.State.FAILED, QueuedAssignment.State.UNCERTAIN)


class Group(NamedTuple):
    """The license keys of one product in one state: their number, and how many of them are in stock or expire soon."""

    product: int
    state: str
    number: int
    stock: int
    expiring: int


def keep_figures(must_stop: Callable[[], bool] = lambda: False) -> None:
    """What the worker does for the first page."""
    while not must_stop() and roll_up_activity():
        pass
    if not must_stop():
        refresh_figures()


def refresh_figures() -> None:
    """Count, unless somebody did so within the last minute. Small portals store nothing: their pages count anew."""
    now = timezone.now()
    stored = Figures.objects.get_or_create(pk=1)[0]
    if _claim(now, EVERY):
        _count_and_keep(stored, now)


def current_figures() -> Figures:
    """The figures for a page: of this moment while the portal is small, else the stored ones, which say of when.

    Without `data` when there are none and counting takes longer than a page may.
    """
    now = timezone.now()
    stored = Figures.objects.filter(pk=1).first() or Figures(pk=1)
    if not stored.is_small and not (_is_old(stored, now) and _claim(now, PATIENCE)):
        return stored
    try:  # outside of any transaction: SQLite's would wait for whoever writes
        return _count_and_keep(stored, now)
    except OperationalError:  # STATEMENT_TIMEOUT_SECONDS: of so many rows only a worker can keep count
        return stored


def _count_and_keep(stored: Figures, now: datetime) -> Figures:
    counted = Figures(pk=1, data=count_figures(now), taken_at=now)
    if not (stored.is_small and counted.is_small):
        Figures.objects.get_or_create(pk=1)
        Figures.objects.filter(pk=1).update(data=counted.data, taken_at=now)
    return counted


def _is_old(stored: Figures, now: datetime) -> bool:
    return stored.taken_at is None or now - stored.taken_at > PATIENCE


def _claim(now: datetime, age: timedelta) -> bool:
    """Whether it is for us to count: nobody has begun to for so long."""
    free = Q(claimed_at=None) | Q(claimed_at__lte=now - age)
    return Figures.objects.filter(free, pk=1).update(claimed_at=now) == 1


def count_figures(at: datetime) -> dict[str, Any]:
    """All figures as they are at this moment, as JSON values: numbers by name, and what is said of single products."""
    groups = _groups(at)
    states = Counter[str]()
    for group in groups:
        states[group.state] += group.number
    numbers = {
        **states,
        "license_keys": states.total(),
        "assigned": states["in_force"] + states["expired"],
        "expiring": sum(group.expiring for group in groups),
        "silent": LicenseKey.objects.silent(at, days=EXPIRING_DAYS).count(),
        "activations": Activation.objects.live().count(),
        "owners": Owner.objects.count(),
        "products": Product.objects.filter(status=Product.Status.ACTIVE).count(),
    }
    rows = sum(numbers[name] for name in ("license_keys", "activations", "owners"))
    return {**numbers, "rows": rows, "jobs": _jobs(), **_by_product(groups), **_dry(groups, at)}


def _groups(at: datetime) -> Sequence[Group]:
    """One walk over all license keys, whose few groups fit into memory: of a computed state PostgreSQL sorts them."""
    status = LicenseKey.Status
    is_assigned = Q(status=status.ASSIGNED)
    soon = is_assigned & Q(expires_at__gt=at, expires_at__lte=at + timedelta(days=EXPIRING_DAYS))
    rows = (
        LicenseKey.objects.order_by()
        .values_list("product_id", "status")
        .annotate(
            number=Count("pk"),
            expired=Count("pk", filter=is_assigned & Q(expires_at__lte=at)),
            stock=Count("pk", filter=Q(status=status.AVAILABLE, contract=None)),
            expiring=Count("pk", filter=soon),
        )
    )
    groups = []
    for product, state, number, expired, stock, expiring in rows:
        name = "in_force" if state == status.ASSIGNED else state
        groups += [Group(product, name, number - expired, stock, expiring), Group(product, "expired", expired, 0, 0)]
    return groups


def _jobs() -> dict[str, int]:
    troubled = QueuedAssignment.objects.filter(state__in=JOBS).order_by().values_list("state")
    return dict(troubled.annotate(Count("pk")))


def _by_product(groups: Sequence[Group]) -> dict[str, Any]:
    """The products with most license keys with their states, and all the others as if they were one."""
    products: defaultdict[int, Counter[str]] = defaultdict(Counter)
    for group in groups:
        products[group.product][group.state] += group.number
    ranked = sorted(products.items(), key=lambda item: (-item[1].total(), item[0]))
    others = sum((states for _, states in ranked[PRODUCTS_SHOWN:]), Counter[str]())
    return {
        "by_product": [[product, dict(states)] for product, states in ranked[:PRODUCTS_SHOWN]],
        "others": dict(others),
        "other_products": len(ranked[PRODUCTS_SHOWN:]),
    }


def _dry(groups: Sequence[Group], at: datetime) -> dict[str, Any]:
    """Products whose stock lasts less than a fortnight: product, stock, sold; those first that end first."""
    stock = Counter({group.product: group.stock for group in groups if group.stock})
    made_on_demand = set(Generator.objects.order_by().values_list("product_id", flat=True).distinct())
    found = [
        [product, stock[product], sold]
        for product, sold in _sold(at).items()
        if stock[product] * SOLD_DAYS < sold * LASTING_DAYS and (stock[product] or product not in made_on_demand)
    ]
    found.sort(key=lambda row: (row[1] / row[2], row[0]))
    return {"dry": found[:DRY_SHOWN], "dry_products": len(found)}


def _sold(at: datetime) -> dict[int, int]:
    """How many license keys of each product on sale were assigned lately. Envato's are made as they are sold."""
    since = at.astimezone(UTC).date() - timedelta(days=SOLD_DAYS - 1)
    on_sale = Product.objects.filter(status=Product.Status.ACTIVE, source=Product.Source.INTERNAL)
    counts = DailyCount.objects.filter(
        day__gte=since, name=Kind.LICENSE_KEY_ASSIGNED, product_number__in=on_sale.values("pk")
    )
    return dict(counts.order_by().values_list("product_number").annotate(Sum("count")))
