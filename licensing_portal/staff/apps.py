from django.apps import AppConfig


class StaffConfig(AppConfig):
    """How staff sign in. It stands after allauth's apps in INSTALLED_APPS, so that its admin.py runs after theirs."""

    name = "licensing_portal.staff"
    label = "staff"
    verbose_name = "Staff"
