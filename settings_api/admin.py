"""The portal's settings in the admin: one page made from the table, and no other way to a value."""

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.decorators import method_decorator
from django.views.decorators.debug import sensitive_post_parameters

from settings_api.changes import Caller, Forbidden, Invalid, Locked, Refusal, change_settings
from settings_api.forms import SettingsForm
from settings_api.models import Setting
from settings_api.resolve import resolve_all

if TYPE_CHECKING:
    ModelAdmin = admin.ModelAdmin[Setting]
else:
    ModelAdmin = admin.ModelAdmin


@admin.register(Setting)
class SettingAdmin(ModelAdmin):
    """Whatever address it is reached by, it is the one form, and what is posted goes to the one check."""

    actions = None

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Setting | None = None) -> bool:
        return False

    @method_decorator(sensitive_post_parameters())
    def changelist_view(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> HttpResponse:
        if request.method == "POST":
            return self._save(request)
        if not self.has_view_or_change_permission(request):
            raise PermissionDenied
        return self._page(request, self._form(request))

    def change_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.changelist_view(request)

    def history_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        return self.changelist_view(request)

    def _save(self, request: HttpRequest) -> HttpResponse:
        form = self._form(request)
        try:
            changed = change_settings(form.sent(), caller=self._caller(request), replace=False)
        except Forbidden as forbidden:
            raise PermissionDenied from forbidden
        except Locked as locked:
            return self._page(request, form, refusal=locked, message=locked.message, status=409)
        except Invalid as invalid:
            return self._page(
                request, form, refusal=invalid, message="Nothing was saved. Correct what is marked below."
            )
        messages.success(request, _what_was_saved(changed))
        return HttpResponseRedirect(reverse(f"{self.admin_site.name}:settings_api_setting_changelist"))

    def _form(self, request: HttpRequest) -> SettingsForm:
        data = request.POST if request.method == "POST" else None
        return SettingsForm(resolve_all(), may_change=self.has_change_permission(request), data=data)

    def _caller(self, request: HttpRequest) -> Caller:
        return Caller(
            request.user.get_username(),
            door="admin",
            may_change=self.has_change_permission(request),
            address=request.META.get("REMOTE_ADDR") or None,
        )

    def _page(
        self,
        request: HttpRequest,
        form: SettingsForm,
        *,
        refusal: Refusal | None = None,
        message: str = "",
        status: int = 200,
    ) -> HttpResponse:
        form.show_errors(refusal.errors if refusal else {})
        context = self.admin_site.each_context(request) | {
            "title": "Portal settings",
            "opts": self.opts,
            "form": form,
            "message": message,
            "may_save": self.has_change_permission(request)
            and not all(now.locked_by for now in form.resolved.values()),
        }
        request.current_app = self.admin_site.name  # as Django's own views do
        return TemplateResponse(request, "admin/settings_api/setting/change_list.html", context, status=status)


def _what_was_saved(changed: int) -> str:
    if changed == 0:
        return "Nothing was different: the settings are as before."
    return "1 setting was changed." if changed == 1 else f"{changed} settings were changed."
