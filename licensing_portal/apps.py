from django.apps import apps
from django.contrib.admin.apps import AdminConfig


class PortalAdminConfig(AdminConfig):
    default_site = "licensing_portal.admin_site.PortalAdminSite"

    def ready(self) -> None:
        """Django's app of accounts is called by what it is here; a subclass of its config would mislead mypy."""
        from licensing_portal import checks  # noqa: F401  registers the system check

        super().ready()
        apps.get_app_config("auth").verbose_name = "Staff"
