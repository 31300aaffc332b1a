"""License files on the page of an activation: what a device gets that never reaches the portal."""

import hashlib
from collections.abc import Callable
from typing import Any

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.utils.html import format_html_join

from licenses.admin.display import change_url
from licenses.admin.verbs import actor_of
from licenses.codes import Refused
from licenses.models import Activation, SigningKey
from licenses.services.license_files import LicenseFile, get_license_file

URL_NAME = "licenses_activation_license_file"
# form: what its link says, its media type, its text, which some license keys have none of
FORMS: dict[str, tuple[str, str, Callable[[LicenseFile], str | None]]] = {
    "json": ("Signed document (.json)", "application/json", lambda made: made.document_text),
    "lic": ("Encrypted blocks (.lic)", "application/octet-stream", lambda made: made.chunked),
}
LICENSE_FILE = {
    "fields": ("license_file",),
    "description": "A license file cannot be taken back: it works until it expires, also after a deactivation.",
}


class LicenseFileLinks:
    """Adds the links, and what they lead to, to the page of a live activation."""

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(self.license_file_view)  # type: ignore[attr-defined]
        return [path("<int:pk>/license-file/<slug:form>/", view, name=URL_NAME), *super().get_urls()]  # type: ignore[misc]

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> tuple[str, ...]:
        return (*super().get_readonly_fields(request, obj), "license_file")  # type: ignore[misc]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        fieldsets = super().get_fieldsets(request, obj)  # type: ignore[misc]
        if obj is None or not obj.is_live or not self.may_download(request):
            return fieldsets
        return [*fieldsets, ("For software without a connection", LICENSE_FILE)]

    def may_download(self, request: HttpRequest) -> bool:
        """A license file lets software run whatever happens to the license key: looking is not enough."""
        return bool(request.user.has_perms(("licenses.view_activation", "licenses.change_licensekey")))

    @admin.display(description="license file")
    def license_file(self, activation: Activation) -> str:
        product = activation.license_key.product
        if not SigningKey.objects.filter(product=product, status=SigningKey.Status.ACTIVE).exists():
            return "The product needs a signing key of its own."
        links = ((reverse(f"admin:{URL_NAME}", args=[activation.pk, form]), row[0]) for form, row in FORMS.items())
        return format_html_join(" · ", '<a href="{}">{}</a>', links)

    def license_file_view(self, request: HttpRequest, pk: int, form: str) -> HttpResponse:
        """The license file as a download, recorded."""
        if not self.may_download(request):
            raise PermissionDenied
        activation = Activation.objects.select_related("license_key").filter(pk=pk).first()
        if activation is None or form not in FORMS:
            raise Http404("There is no such license file.")
        key, identifier = activation.license_key.license_key, activation.identifier
        try:
            _, made = get_license_file(license_key=key, identifier=identifier, actor=actor_of(request))
        except Refused as refused:
            return self._none(request, activation, refused.code.value.message)
        _, media_type, text_of = FORMS[form]
        text = text_of(made)
        if text is None:
            return self._none(request, activation, "The identifier is too long for this form. Take the other one.")
        name = f"{hashlib.sha256(key.encode()).hexdigest()}.{form}"  # as one SDK looks for it
        headers = {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}
        return HttpResponse(text, content_type=media_type, headers=headers)

    def _none(self, request: HttpRequest, activation: Activation, reason: str) -> HttpResponse:
        self.message_user(request, f"No license file was made. {reason}", messages.ERROR)  # type: ignore[attr-defined]
        return HttpResponseRedirect(change_url(activation))
