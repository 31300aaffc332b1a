from collections.abc import Callable
from typing import Any, NamedTuple

from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils import timezone
from django.utils.http import urlencode

# The menu, in the order of how often staff need them; models that are not named follow by name
ORDER = (
    "LicenseKey",
    "Owner",
    "Activation",
    "Product",
    "Generator",
    "Release",
    "Contract",
    "ApiKey",
    "SigningKey",
    "Assignment",
    "QueuedAssignment",
    "TelemetryRecord",
    "BlockListEntry",
    "AuditEvent",
)
# What the search of the header finds, each for whoever may view it
FOUND = ("licensekey", "owner", "activation", "contract", "product", "queuedassignment")
LATEST = 8  # audit events on the overview


class Figure(NamedTuple):
    """One number of the overview: its name in `reports.overview`, its title, and the list behind it."""

    name: str
    title: str
    model: str
    filters: dict[str, str]
    tone: str = ""


FIGURES = (
    Figure("assigned", "Assigned license keys", "licensekey", {"status__exact": "assigned"}, "good"),
    Figure("available", "Available license keys", "licensekey", {"status__exact": "available"}, "info"),
    Figure("expiring", "Expiring in 30 days", "licensekey", {"expiry": "30"}, "warn"),
    Figure("expired", "Expired", "licensekey", {"expiry": "expired"}, "warn"),
    Figure("blocked", "Blocked", "licensekey", {"status__exact": "blocked"}, "bad"),
    Figure("activations", "Active activations", "activation", {"state": "active"}),
    Figure("owners", "Owners", "owner", {}),
    Figure("products", "Active products", "product", {"status__exact": "active"}),
)


class PortalAdminSite(AdminSite):
    """The portal's admin. It lives outside licenses/admin, where registrations would get lost silently."""

    site_title = "Licensing portal"
    site_header = "Licensing portal"
    index_title = "Overview"
    empty_value_display = "—"
    site_url = None  # there is no other site to view

    def find(self, request: HttpRequest) -> HttpResponse:
        from licenses.admin.find import find_anything

        return find_anything(self, request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        overview = {"figures": self._figures(request), "steps": self._steps(request), "lines": self._latest(request)}
        return super().index(request, overview | (extra_context or {}))

    def get_urls(self) -> list[Any]:
        from licensing_portal import docs_pages

        def page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
            def framed(request: HttpRequest, **named: str) -> HttpResponse:
                return view(request, **named, context=self.each_context(request))

            return self.admin_view(framed)

        return [
            path("find/", self.admin_view(self.find), name="find"),
            path("docs/", page(docs_pages.show_list), name="docs"),
            path("docs/<slug:name>/", page(docs_pages.show_page), name="docs_page"),
            path("docs/pictures/<str:name>", self.admin_view(docs_pages.show_picture), name="docs_picture"),
            *super().get_urls(),
        ]

    def each_context(self, request: HttpRequest) -> dict[str, Any]:
        from licensing_portal.docs_pages import learn_more

        may_find = any(self._may_view(request, model) for model in FOUND)
        return super().each_context(request) | {"may_find": may_find, "learn_more": learn_more(request)}

    @transaction.atomic
    def logout(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        from licensing_portal.staff.audit import note_sign_out

        if request.method == "POST":
            note_sign_out(request)
        return super().logout(request, extra_context)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        """Asks for the old password, and so counts tries; ends all other sessions, as Django does."""
        from licensing_portal.staff.passwords import change_password

        request.current_app = self.name
        return change_password(request, self.each_context(request) | (extra_context or {}))

    def get_app_list(self, request: HttpRequest, app_label: str | None = None) -> list[Any]:
        apps = super().get_app_list(request, app_label)
        for app in apps:
            app["models"].sort(key=_menu_place)
        return sorted(apps, key=lambda app: app["app_label"] != "licenses")

    def _figures(self, request: HttpRequest) -> list[dict[str, Any]]:
        from licenses.reports.overview import overview

        shown = [figure for figure in FIGURES if self._may_view(request, figure.model)]
        counts = overview(timezone.now()) if shown else {}
        return [
            {"title": figure.title, "count": counts[figure.name], "tone": figure.tone, "url": _list_url(figure)}
            for figure in shown
        ]

    def _steps(self, request: HttpRequest) -> list[dict[str, Any]]:
        """What to do first, of what these staff may do; empty as soon as all of it is done."""
        from licenses.reports.overview import first_steps

        done = first_steps()
        steps: list[dict[str, Any]] = [
            {
                "right": "licenses.add_product",
                "title": "Create a product",
                "text": "What you sell under license keys.",
                "url": reverse("admin:licenses_product_add"),
                "done": done["product"],
            },
            {
                "right": "licenses.add_licensekey",
                "title": "Import license keys",
                "text": "From a CSV file with manage.py import_license_keys, or add the first one by hand.",
                "url": reverse("admin:licenses_licensekey_add"),
                "done": done["license_key"],
            },
            {
                "right": "licenses.add_apikey",
                "title": "Create an API key",
                "text": "For the shop that assigns license keys and the software that activates them.",
                "url": reverse("admin:licenses_apikey_add"),
                "done": done["api_key"],
            },
        ]
        own = [step for step in steps if request.user.has_perm(step["right"])]
        return [] if all(step["done"] for step in own) else own

    def _latest(self, request: HttpRequest) -> list[Any]:
        from licenses.admin.display import described
        from licenses.models import AuditEvent

        return described(AuditEvent.objects.all()[:LATEST]) if self._may_view(request, "auditevent") else []

    def _may_view(self, request: HttpRequest, model: str) -> bool:
        return any(request.user.has_perm(f"licenses.{verb}_{model}") for verb in ("view", "change"))


def _menu_place(model: dict[str, Any]) -> tuple[int, str]:
    name = model["object_name"]
    return (ORDER.index(name) if name in ORDER else len(ORDER), str(model["name"]))


def _list_url(figure: Figure) -> str:
    url = reverse(f"admin:licenses_{figure.model}_changelist")
    return f"{url}?{urlencode(figure.filters)}" if figure.filters else url
