from collections.abc import Callable
from typing import Any

from django.contrib.admin import AdminSite
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import path

from licensing_portal.menu import menu, place

# What the search of the header finds, each for whoever may view it
FOUND = ("licensekey", "owner", "activation", "contract", "product", "queuedassignment")
MAY_SEE = ("view", "change")  # each of these rights shows a model's pages


class PortalAdminSite(AdminSite):
    """The portal's admin. It lives outside licenses/admin, where registrations would get lost silently."""

    site_title = "Licensing portal"
    site_header = "Licensing portal"
    index_title = "Overview"
    empty_value_display = "—"
    site_url = None  # there is no other site to view
    enable_nav_sidebar = False  # templates/admin/base_site.html has a menu of its own

    def find(self, request: HttpRequest) -> HttpResponse:
        from licenses.admin.find import find_anything

        return find_anything(self, request)

    def index(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> TemplateResponse:
        from licenses.admin.dashboard import dashboard
        from licensing_portal.health_page import overview_lines

        return super().index(request, dashboard(request, overview_lines(request.user)) | (extra_context or {}))

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

        context = super().each_context(request)
        return context | {
            "menu": menu(request, context["available_apps"]) if context["has_permission"] else [],
            "may_find": any(request.user.has_perm(f"licenses.{verb}_{model}") for model in FOUND for verb in MAY_SEE),
            "learn_more": learn_more(request),
        }

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
            app["models"].sort(key=place)
        return sorted(apps, key=lambda app: app["app_label"] != "licenses")
