"""Every door of the portal. Nothing else is served."""

from django.contrib import admin
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularSwaggerSplitView

from licenses.api.published_keys import show_published_keys
from licenses.api.schema import show_document
from licensing_portal import health, health_page

urlpatterns = [
    path("", RedirectView.as_view(pattern_name="admin:index")),
    path("admin/", include("licensing_portal.staff.urls")),  # before the admin, whose own log-in counts no tries
    path("admin/health/", admin.site.admin_view(health_page.show), name="health_page"),
    path("admin/", admin.site.urls),
    path("api/v1/", include("licenses.api.urls")),
    path("api/license/", include("settings_api.urls")),
    path("api/schema/", show_document, name="schema"),
    path("api/docs/", SpectacularSwaggerSplitView.as_view(template_name="api/docs.html"), name="docs"),
    path(".well-known/jwks.json", show_published_keys, name="published_keys"),
    path("healthz", health.live),
    path("readyz", health.ready),
]

handler400 = "licensing_portal.errors.bad_request"
handler500 = "licensing_portal.errors.server_error"
