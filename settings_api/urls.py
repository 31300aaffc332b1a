"""What is served under /api/license/. A slash at the end is no other path: a redirect would lose the body of a PUT."""

from django.urls import re_path

from settings_api import views

urlpatterns = [
    re_path(r"^settings/?$", views.SettingsView.as_view(), name="license-settings"),
    re_path(r"^status/?$", views.StatusView.as_view(), name="license-status"),
    re_path(r"", views.UnknownView.as_view()),
]
