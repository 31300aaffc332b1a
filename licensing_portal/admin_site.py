from django.contrib.admin import AdminSite


class PortalAdminSite(AdminSite):
    """The portal's admin. It lives outside licenses/admin, where registrations would get lost silently."""

    site_title = "Licensing portal"
    site_header = "Licensing portal"
    index_title = "Overview"
