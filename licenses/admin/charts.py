"""The charts of the first page: the same numbers for the script that draws them and for the table beside it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from django.urls import NoReverseMatch, reverse
from django.utils.formats import date_format

from licenses.admin.display import list_url
from licenses.codes import Code
from licenses.events import Kind
from licenses.models import AuditEvent, LicenseKey, Product
from licenses.reports.overview import Days

REASONS_SHOWN = 8
FEW_BARS = 3  # that would look lost in a high chart
WORDS = {code.value.number: code.value.message for code in Code}
# What the bars of license keys are made of, with the color and the filters of each list
STATES = (
    ("in_force", "In force", {"expiry": "valid"}),
    ("expired", "Expired", {"expiry": "expired"}),
    ("available", "Available", {"status__exact": "available"}),
    ("reserved", "Reserved", {"status__exact": "reserved"}),
    ("blocked", "Blocked", {"status__exact": "blocked"}),
)
ACTIVITY = (
    (Kind.LICENSE_KEY_ASSIGNED, "Assigned", "in_force"),
    (Kind.ACTIVATION_ACTIVATED, "Activated", "good"),
    (Kind.ACTIVATION_DEACTIVATED, "Deactivated", "reserved"),
    (Kind.LICENSE_KEY_EXTENDED, "Extended", "available"),
    (Kind.LICENSE_KEY_BLOCKED, "Blocked", "blocked"),
)


class Point(NamedTuple):
    """One number, and the list of what it counts if there is one."""

    value: int
    url: str = ""

    @property
    def text(self) -> str:
        return f"{self.value:,}"


@dataclass(frozen=True)
class Series:
    """One color of a chart, a point for each label. `tone` names a color in dashboard.css."""

    name: str
    tone: str
    points: Sequence[Point]
    url: str = ""


@dataclass(frozen=True)
class Chart:
    """`kind` is "bars" (across, in one row for each label) or "lines". `about` says in words what it shows."""

    name: str
    kind: str
    about: str
    head: str
    labels: Sequence[str]
    series: Sequence[Series]
    label_urls: Sequence[str] = ()
    legend: bool = True

    @property
    def data_id(self) -> str:
        """Of the element that the script reads."""
        return f"{self.name}-data"

    @property
    def is_short(self) -> bool:
        return self.kind == "bars" and len(self.labels) <= FEW_BARS

    @property
    def rows(self) -> list[tuple[str, str, list[Point]]]:
        """For the table: label, where it leads, points."""
        urls = self.label_urls or [""] * len(self.labels)
        points = zip(*(series.points for series in self.series), strict=True)
        return [(*labeled, list(row)) for *labeled, row in zip(self.labels, urls, points, strict=True)]  # type: ignore[misc]

    @property
    def data(self) -> dict[str, Any]:
        """For the script."""
        series = [
            {
                "name": one.name,
                "tone": one.tone,
                "url": one.url,
                "values": [point.value for point in one.points],
                "urls": [point.url for point in one.points],
            }
            for one in self.series
        ]
        return {"kind": self.kind, "labels": list(self.labels), "series": series, "legend": self.legend}


def product_chart(figures: dict[str, Any]) -> Chart | None:
    """License keys by product and state; None without any."""
    products = dict(figures.get("by_product", []))
    if not products:
        return None
    names = dict(Product.objects.filter(pk__in=products).values_list("pk", "name"))
    labels = [names.get(product, "A product that is gone") for product in products]
    urls = [list_url(LicenseKey, product=product) for product in products]
    columns: list[tuple[dict[str, int], dict[str, Any]]] = [
        (states, {"product": product}) for product, states in products.items()
    ]
    if more := figures["other_products"]:
        labels.append(f"{more:,} other product{'s' if more > 1 else ''}")
        urls.append(list_url(Product))
        columns.append((figures["others"], {}))
    return Chart(
        "license-keys",
        "bars",
        f"License keys by product and state: {figures['license_keys']:,} in all.",
        "Product",
        labels,
        [_state_series(*state, columns) for state in STATES if any(states.get(state[0]) for states, _ in columns)],
        urls,
    )


def _state_series(
    state: str, name: str, filters: dict[str, str], columns: Iterable[tuple[dict[str, int], dict[str, Any]]]
) -> Series:
    points = [
        Point(states.get(state, 0), list_url(LicenseKey, **filters, **product) if product else "")
        for states, product in columns
    ]
    return Series(name, state, points, list_url(LicenseKey, **filters))


def activity_chart(days: Days, *, linked: bool) -> Chart | None:
    """What happened by day; None where nothing did. `linked` says whether the reader may see the audit trail."""
    shown = [row for row in ACTIVITY if any(days.of(row[0]))]
    if not shown:
        return None
    totals = ", ".join(f"{name.lower()} {sum(days.of(kind)):,}" for kind, name, _ in shown)
    series = [
        Series(name, tone, [Point(count) for count in days.of(kind)], _trail(kind) if linked else "")
        for kind, name, tone in shown
    ]
    labels = [date_format(day, "j M") for day in days.days]
    return Chart("activity", "lines", f"The last 30 days in all: {totals}.", "Day", labels, series)


def _trail(kind: Kind) -> str:
    return list_url(AuditEvent, kind=kind.value)


def refusal_chart(days: Days) -> Chart | None:
    """The most frequent reasons, the others together; None where nothing was refused."""
    found = days.refusals()
    if not found:
        return None
    shown, rest = found[:REASONS_SHOWN], found[REASONS_SHOWN:]
    labels = [reason(number) for number, _ in shown]
    points = [Point(count, refused_url(number)) for number, count in shown]
    if rest:
        labels.append(f"{len(rest)} other reason{'s' if len(rest) > 1 else ''}")
        points.append(Point(sum(count for _, count in rest), refused_url()))
    total = sum(count for _, count in found)
    calls = "1 call was" if total == 1 else f"{total:,} calls were"
    about = f"{calls} refused in the last 30 days, most often: {labels[0]}."
    return Chart("refused", "bars", about, "Reason", labels, [Series("Refused calls", "refused", points)], legend=False)


def reason(number: int) -> str:
    """An answer's number in words. 400 is a text in the table of answers, and no refusal."""
    return f"{WORDS.get(number, 'Refused')} ({number})"


def refused_url(number: int | None = None) -> str:
    """The list of refused calls, where this portal keeps one."""
    try:
        base = reverse("admin:licenses_refusedcall_changelist")
    except NoReverseMatch:
        return ""
    return f"{base}?code={number}" if number else base
