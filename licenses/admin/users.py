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


@admin.register(User)
class PortalUserAdmin(UserAdmin):
    show_facets = ShowFacets.NEVER

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PortalChangeList


@admin.register(Group)
class PortalGroupAdmin(GroupAdmin):
    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PortalChangeList
