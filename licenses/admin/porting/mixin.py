"""Export and import on the lists of the admin, each asking again who may."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.urls import path

from licenses.admin.porting.exporting import export_view
from licenses.admin.porting.importing import import_view
from licenses.admin.porting.resources import PortableResource
from licenses.admin.porting.table import RESOURCES


class PortingMixin(admin.ModelAdmin):
    @property
    def resource(self) -> type[PortableResource] | None:
        """The noun's row of the table; None when it neither goes out nor comes in."""
        return RESOURCES.get(self.model)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return self.resource is not None and self.has_view_permission(request)

    def has_import_permission(self, request: HttpRequest) -> bool:
        """Rows are added and changed, whatever the file says, so both rights are needed."""
        if self.resource is None or not self.resource.identity:
            return False
        app, name = self.opts.app_label, self.opts.model_name
        return bool(request.user.has_perms([f"{app}.add_{name}", f"{app}.change_{name}"]))

    def get_urls(self) -> list[Any]:
        app, name, own = self.opts.app_label, self.opts.model_name, []
        if self.resource:
            view = self.admin_site.admin_view(self.export_view)
            own.append(path("export/", view, name=f"{app}_{name}_export"))
        if self.resource and self.resource.identity:
            view = self.admin_site.admin_view(self.import_view)
            own.append(path("import/", view, name=f"{app}_{name}_import"))
        return own + super().get_urls()

    def export_view(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_export_permission(request) or self.resource is None:
            raise PermissionDenied
        return export_view(self, self.resource, request)

    def import_view(self, request: HttpRequest) -> HttpResponseBase:
        if not self.has_import_permission(request) or self.resource is None:
            raise PermissionDenied
        return import_view(self, self.resource, request)

    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        own = {"may_export": self.has_export_permission(request), "may_import": self.has_import_permission(request)}
        return super().changelist_view(request, own | (extra_context or {}))
