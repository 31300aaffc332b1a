"""The first page: how the portal is doing, for whoever may see which part of it."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone

from licenses.admin.attention import Known, Line, attention
from licenses.admin.charts import ACTIVITY, Chart, activity_chart, product_chart, refusal_chart
from licenses.admin.display import described, list_url
from licenses.models import Activation, AuditEvent, Figures, LicenseKey, Owner, Product
from licenses.reports.counting import Count
from licenses.reports.overview import first_steps, last_days
from licenses.services.activity import count_what_is_left
from licenses.services.figures import current_figures

LATEST = 8  # audit events
STALE = timedelta(seconds=5)  # figures that are older say so


class Figure(NamedTuple):
    """One number: its name in `services.figures`, its title, and the list behind it."""

    name: str
    title: str
    model: Any
    filters: dict[str, str]
    tone: str = ""


FIGURES = (
    Figure("assigned", "Assigned license keys", LicenseKey, {"status__exact": "assigned"}, "good"),
    Figure("available", "Available license keys", LicenseKey, {"status__exact": "available"}, "info"),
    Figure("expiring", "Expiring in 30 days", LicenseKey, {"expiry": "30"}, "warn"),
    Figure("expired", "Expired", LicenseKey, {"expiry": "expired"}, "warn"),
    Figure("blocked", "Blocked", LicenseKey, {"status__exact": "blocked"}, "bad"),
    Figure("activations", "Active activations", Activation, {"state": "active"}),
    Figure("owners", "Owners", Owner, {}),
    Figure("products", "Active products", Product, {"status__exact": "active"}),
)


def dashboard(request: HttpRequest, others: Sequence[Line] = ()) -> dict[str, Any]:
    """The context of the first page. Its charts speak of license keys, so they are for those who may see them.

    `others` need attention too, and are found outside this app.
    """
    now = timezone.now()
    stored, behind = current_figures(), count_what_is_left()
    days = last_days(now, [kind for kind, _, _ in ACTIVITY])
    shown = [figure for figure in FIGURES if may_view(request, figure.model)]
    return {
        "figures": _figures(shown, stored.data) if stored.data else [],
        "is_uncounted": bool(shown and not stored.data),
        "counted_at": stored.taken_at if shown and _is_old(stored, now) else None,
        "charts": _charts(request, stored.data, days) if may_view(request, LicenseKey) else None,
        "behind": f"{behind:,}" if behind else "",
        "attention": attention(request, Known(now, stored.data, days), others),
        "steps": _steps(request),
        "lines": described(AuditEvent.objects.all()[:LATEST]) if may_view(request, AuditEvent) else [],
    }


def _is_old(figures: Figures, now: datetime) -> bool:
    return figures.taken_at is not None and now - figures.taken_at > STALE


def may_view(request: HttpRequest, model: Any) -> bool:
    name = model._meta.model_name
    return any(request.user.has_perm(f"licenses.{verb}_{name}") for verb in ("view", "change"))


def _figures(shown: list[Figure], data: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "title": figure.title,
            "count": Count(data.get(figure.name, 0), False),
            "tone": figure.tone,
            "url": list_url(figure.model, **figure.filters),
        }
        for figure in shown
    ]


def _charts(request: HttpRequest, data: dict[str, Any], days: Any) -> dict[str, Chart | None]:
    return {
        "products": product_chart(data),
        "refused": refusal_chart(days),
        "activity": activity_chart(days, linked=may_view(request, AuditEvent)),
    }


def _steps(request: HttpRequest) -> list[dict[str, Any]]:
    """What to do first, of what these staff may do; empty as soon as all of it is done."""
    done = first_steps()
    steps: list[dict[str, Any]] = [
        {
            "rights": ("licenses.add_product",),
            "title": "Create a product",
            "text": "What you sell under license keys.",
            "url": reverse("admin:licenses_product_add"),
            "done": done["product"],
        },
        {
            "rights": ("licenses.add_licensekey", "licenses.change_licensekey"),
            "title": "Import license keys",
            "text": "From a spreadsheet. A generator makes new ones; more than 20,000 at once come in with "
            "manage.py import_license_keys.",
            "url": reverse("admin:licenses_licensekey_import"),
            "done": done["license_key"],
        },
        {
            "rights": ("licenses.add_apikey",),
            "title": "Create an API key",
            "text": "For the shop that assigns license keys and the software that activates them. Customers you have "
            "already get theirs from a spreadsheet, under Bulk assignments.",
            "url": reverse("admin:licenses_apikey_add"),
            "done": done["api_key"],
        },
    ]
    own = [step for step in steps if request.user.has_perms(step["rights"])]
    return [] if all(step["done"] for step in own) else own
