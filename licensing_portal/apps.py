from django.apps import AppConfig
from django.contrib.admin.apps import AdminConfig


class PortalConfig(AppConfig):
    name = "licensing_portal"
    verbose_name = "Licensing portal"


class PortalAdminConfig(AdminConfig):
    default_site = "licensing_portal.admin_site.PortalAdminSite"
