"""Staff and their groups: Django's own pages, with lists that take a wrong address as the portal's others do."""

from typing import Any

from django.contrib import admin
from django.contrib.admin.options import ShowFacets
from django.contrib.admin.views.main import ChangeList
from django.contrib.auth.admin import GroupAdmin, UserAdmin
from django.contrib.auth.models import Group, User
from django.http import HttpRequest

from licenses.admin.base import PortalChangeList

admin.site.unregister([User, Group])


class PortalLists(admin.ModelAdmin):
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PortalChangeList

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        """No regular expressions from addresses: a broken one is an error of the database, a clever one a busy hour."""
        return "regex" not in lookup and super().lookup_allowed(lookup, value, request)


@admin.register(User)
class PortalUserAdmin(PortalLists, UserAdmin):
    show_facets = ShowFacets.NEVER


@admin.register(Group)
class PortalGroupAdmin(PortalLists, GroupAdmin):
    pass
