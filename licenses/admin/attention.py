"""What needs somebody's attention on the first page: each line with the reason, what to do, and where.

A new line is a function that yields `Line`s and a row in `SOURCES`.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse

from licenses.admin.charts import reason, refused_url
from licenses.admin.display import change_url, list_url
from licenses.models import Assignment, LicenseKey, Product, QueuedAssignment, SigningKey
from licenses.models.license_keys import SILENT_DAYS
from licenses.reports.overview import Days, Spike
from settings_api.resolve import resolve_all

SIGNING_KEY_AGE = timedelta(days=365)
SPIKES_SHOWN = 3
FAILED_LATELY = timedelta(days=7)
LATEST_BULK = 200  # bulk assignments that are looked at, the newest


class Line(NamedTuple):
    """`tone` is bad (something does not work), warn (it soon will not) or info (good to know)."""

    tone: str
    title: str
    text: str
    url: str
    link: str


class Known(NamedTuple):
    """What the page has read already, for the lines to speak of. `figures` is empty when nothing could be counted."""

    at: datetime
    figures: dict[str, Any]
    days: Days


def attention(request: HttpRequest, known: Known, others: Sequence[Line] = ()) -> list[Line] | None:
    """The lines for these staff, the worst first; None for whoever may see nothing that could need any.

    `others` are lines from outside this app, such as those about the installation.
    """
    sources = [source for right, source in SOURCES if request.user.has_perm(right)]
    lines = [*others, *(line for source in sources for line in source(known))]
    return sorted(lines, key=lambda line: ("bad", "warn", "info").index(line.tone)) if sources or others else None


def _failed_jobs(known: Known) -> Iterator[Line]:
    jobs = known.figures.get("jobs", {})
    failed, uncertain = (jobs.get(state.value, 0) for state in (QueuedAssignment.State.FAILED, UNCERTAIN))
    if failed:
        yield Line(
            "bad",
            f"{_number(failed, 'queued assignment')} not delivered",
            "The shop did not take the result. See what it answered, and send it again.",
            list_url(QueuedAssignment, state__exact="failed"),
            "Show them",
        )
    if uncertain:
        yield Line(
            "warn",
            f"{_number(uncertain, 'delivery', 'deliveries')} uncertain",
            "Nobody knows whether the shop got the license keys. Look into the shop, then send again what is missing.",
            list_url(QueuedAssignment, state__exact="uncertain"),
            "Show them",
        )


def _bulk_assignments(known: Known) -> Iterator[Line]:
    """Of the newest ones. What failed stays so for ever, and is no news after a week."""
    newest = Assignment.objects.order_by("-pk").values_list("state", "started_at")[:LATEST_BULK]
    since = known.at - FAILED_LATELY
    counts = Counter(state for state, at in newest if state == Assignment.State.PAUSED or at >= since)
    if failed := counts[Assignment.State.FAILED]:
        yield Line(
            "bad",
            f"{_number(failed, 'bulk assignment')} failed",
            "In the last 7 days. Open it to see why; what it has assigned by then stays assigned.",
            list_url(Assignment, state__exact="failed"),
            "Show it" if failed == 1 else "Show them",
        )
    if paused := counts[Assignment.State.PAUSED]:
        yield Line(
            "info",
            f"{_number(paused, 'bulk assignment')} paused",
            "No more of its rows are assigned until somebody resumes or cancels it.",
            list_url(Assignment, state__exact="paused"),
            "Show it" if paused == 1 else "Show them",
        )


def _dry_pools(known: Known) -> Iterator[Line]:
    rows = known.figures.get("dry", [])
    names = dict(Product.objects.filter(pk__in=[row[0] for row in rows]).values_list("pk", "name")) if rows else {}
    for product, stock, sold in rows:
        yield Line(
            "warn" if stock else "bad",
            f"{names.get(product, 'A product')}: {_left(stock, sold)}",
            f"{sold:,} were assigned in the last 30 days. Generate license keys, or import more.",
            list_url(LicenseKey, product=product, status__exact="available", contract__isnull="True"),
            "Show its stock",
        )
    if more := known.figures.get("dry_products", 0) - len(rows):
        text = "Their stock lasts less than two weeks, too."
        yield Line("warn", f"{_number(more, 'more product')} running dry", text, list_url(Product), "Show products")


def _left(stock: int, sold: int) -> str:
    if not stock:
        return "no license key is left to assign"
    days = stock * 30 // sold
    lasting = f"about {_number(days, 'day')}" if days else "less than a day"
    return f"{_number(stock, 'license key')} left, enough for {lasting}"


def _silent(known: Known) -> Iterator[Line]:
    if silent := known.figures.get("silent", 0):
        verbs = "expires soon and has" if silent == 1 else "expire soon and have"
        yield Line(
            "info",
            f"{_number(silent, 'license key')} {verbs} gone quiet",
            f"Within 30 days, and no software has called for {SILENT_DAYS}. Ask the owners whether they want to renew.",
            list_url(LicenseKey, expiry="silent"),
            "Show them",
        )


def _spikes(known: Known) -> Iterator[Line]:
    for spike in known.days.spikes()[:SPIKES_SHOWN]:
        yield Line(
            "warn",
            f"Refused far more often than usual: {reason(spike.number)}",
            f"{_spike_text(spike)} A release that asks wrongly, or somebody who guesses?",
            refused_url(spike.number) or "#refused-heading",
            "Look into it",
        )


def _spike_text(spike: Spike) -> str:
    when = "today" if spike.is_today else "yesterday"
    usual = f"about {spike.usual:,.0f} a day" if spike.usual >= 1 else "hardly ever"
    return f"{_number(spike.count, 'time')} {when}; usually {usual}."


def _signing_key(known: Known) -> Iterator[Line]:
    fields = ("pk", "activated_at", "created_at")
    key = SigningKey.objects.filter(product=None, status=SigningKey.Status.ACTIVE).only(*fields).first()
    if key is None:
        text = "No answer can be sealed until there is one."
        yield Line("bad", "There is no global signing key", text, reverse(NEW_SIGNING_KEY), "Create one")
    elif (age := known.at - (key.activated_at or key.created_at)) > SIGNING_KEY_AGE:
        yield Line(
            "info",
            f"The global signing key has signed for {_number(age.days // 30, 'month')}",
            "Publish a new one as upcoming, and put it in use once software has fetched it.",
            change_url(key),
            "Show the signing key",
        )


def _settings(known: Known) -> Iterator[Line]:
    url = reverse("admin:settings_api_setting_changelist")
    for setting in resolve_all().values():
        if setting.note:
            yield Line("warn", f"The setting {setting.parameter.label}", setting.note, url, "Show the settings")
        if setting.locked_by:
            text = f"The environment variable {setting.locked_by} sets it. Change it there, and restart the portal."
            yield Line("info", f"{setting.parameter.label} is locked", text, url, "Show the settings")


def _number(count: int, one: str, many: str = "") -> str:
    return f"{count:,} {one if count == 1 else many or one + 's'}"


UNCERTAIN = QueuedAssignment.State.UNCERTAIN
NEW_SIGNING_KEY = "admin:licenses_signingkey_add"
# THE TABLE: the right one needs to see the lines, and what yields them
SOURCES: tuple[tuple[str, Callable[[Known], Iterator[Line]]], ...] = (
    ("licenses.view_queuedassignment", _failed_jobs),
    ("licenses.view_assignment", _bulk_assignments),
    ("licenses.view_licensekey", _dry_pools),
    ("licenses.view_licensekey", _spikes),
    ("licenses.view_licensekey", _silent),
    ("licenses.view_signingkey", _signing_key),
    ("settings_api.view_setting", _settings),
)
