from typing import Any, TypeVar

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied, ValidationError
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.views.decorators.debug import sensitive_post_parameters

from licenses.admin.base import PickerSelect, ReadOnlyAdmin
from licenses.admin.display import badge, change_url, day, link, mono, when
from licenses.admin.signing_key_forms import COMPROMISED, USE, ImportSigningKeyForm, NewSigningKeyForm
from licenses.admin.verbs import actor_of
from licenses.models import SigningKey
from licenses.services.signing_keys import create_signing_key, import_signing_key

F = TypeVar("F", bound=forms.Form)
TONES = {
    SigningKey.Status.UPCOMING: "info",
    SigningKey.Status.ACTIVE: "good",
    SigningKey.Status.RETIRED: "quiet",
    SigningKey.Status.COMPROMISED: "bad",
}
DONE = {
    SigningKey.Status.UPCOMING: "The signing key is published. Put it in use when software has fetched it.",
    SigningKey.Status.ACTIVE: "The signing key signs from now on. Publish its public key.",
    SigningKey.Status.RETIRED: "The signing key is published and never signs here.",
}


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    verbs = (USE, COMPROMISED)
    list_display = ("label_text", "product_name", "state", "bits", "short_fingerprint", "from_day", "to_day", "bad_day")
    list_filter = ("status",)
    link_filters = ("product__id__exact",)
    list_select_related = ("product",)
    ordering = ("-pk",)
    sortable_by = ()
    empty_text = "Without a global signing key no answer can be sealed. Create one here."
    readonly_fields = (
        "label_text",
        "product_link",
        "state",
        "bits",
        "full_fingerprint",
        "created",
        "began",
        "ceased",
        "since",
        "public_pem",
    )
    fieldsets = ((None, {"fields": readonly_fields, "classes": ("facts",)}),)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("licenses.add_signingkey"))

    def has_replace_permission(self, request: HttpRequest) -> bool:
        """No page edits a signing key; who may change one may put another in its place."""
        return bool(request.user.has_perm("licenses.change_signingkey"))

    def arguments_for(self, row: SigningKey) -> dict[str, Any]:
        return {"signing_key": row}

    def get_queryset(self, request: HttpRequest) -> QuerySet[SigningKey]:
        """No page needs the private half, so none reads it."""
        return super().get_queryset(request).defer("private_key_locked")

    def get_urls(self) -> list[Any]:
        wrap = self.admin_site.admin_view
        return [
            path("<int:pk>/public-key/", wrap(self.public_key_view), name="licenses_signingkey_public_key"),
            path("import/", wrap(self.import_view), name="licenses_signingkey_import"),
            *super().get_urls(),
        ]

    def public_key_view(self, request: HttpRequest, pk: int) -> HttpResponse:
        """The public half as a file."""
        if not self.has_view_permission(request):
            raise PermissionDenied
        signing_key = self.get_queryset(request).filter(pk=pk).first()
        if signing_key is None:
            raise Http404("There is no such signing key.")
        name = f"{signing_key.label}-{signing_key.fingerprint[:12]}.pem"
        return HttpResponse(
            signing_key.public_key,
            content_type="application/x-pem-file",
            headers={"Content-Disposition": f'attachment; filename="{name}"'},
        )

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Ask which key, say on a second page what it replaces, then create it."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self._form(NewSigningKeyForm, request)
        if not form.is_valid():
            return self._page(request, "add", form)
        product, status = form.cleaned_data["product"], SigningKey.Status(form.cleaned_data["status"])
        upcoming = status == SigningKey.Status.UPCOMING
        if "confirmed" not in request.POST:
            active = SigningKey.objects.active_of(product)
            return self._page(request, "confirm", form, product=product, active=active, upcoming=upcoming)
        bits = form.cleaned_data["bits"]
        try:
            made = create_signing_key(product=product, bits=bits, upcoming=upcoming, actor=actor_of(request))
        except ValidationError as error:
            form.add_error(None, error)
            return self._page(request, "add", form)
        return self._done(request, made)

    @method_decorator(sensitive_post_parameters("pem", "passphrase"))
    def import_view(self, request: HttpRequest) -> HttpResponse:
        """One page, because a second one would have to send the private key back to the browser."""
        if not self.has_add_permission(request):
            raise PermissionDenied
        form = self._form(ImportSigningKeyForm, request)
        if form.is_valid():
            status = SigningKey.Status(form.cleaned_data.pop("status"))
            try:
                made = import_signing_key(**form.cleaned_data, status=status, actor=actor_of(request))
            except ValidationError as error:
                form.add_problem(error)
            else:
                return self._done(request, made)
        return self._page(request, "import", form)

    def _done(self, request: HttpRequest, signing_key: SigningKey) -> HttpResponse:
        self.message_user(request, DONE[SigningKey.Status(signing_key.status)], messages.SUCCESS)
        return HttpResponseRedirect(change_url(signing_key))

    def _form(self, form_class: type[F], request: HttpRequest) -> F:
        data, files = (request.POST, request.FILES) if request.method == "POST" else (None, None)
        form = form_class(data, files, initial={"bits": settings.SIGNING_KEY_BITS})
        product: Any = form.fields["product"]
        product.widget = PickerSelect(SigningKey._meta.get_field("product"), self.admin_site, choices=product.choices)
        return form

    def _page(self, request: HttpRequest, name: str, form: forms.Form, **extra: Any) -> TemplateResponse:
        request.current_app = self.admin_site.name  # as Django's own views do
        context = self.admin_site.each_context(request) | {
            "title": "Import a signing key" if name == "import" else "New signing key",
            "opts": self.opts,
            "form": form,
            "media": self.media + form.media,
        }
        return TemplateResponse(request, f"admin/licenses/signingkey/{name}.html", context | extra)

    @admin.display(description="signs as")
    def label_text(self, signing_key: SigningKey) -> str:
        return signing_key.label

    @admin.display(description="product")
    def product_name(self, signing_key: SigningKey) -> str:
        return signing_key.product.name if signing_key.product else "all the others"

    @admin.display(description="product")
    def product_link(self, signing_key: SigningKey) -> str:
        return link(signing_key.product)

    @admin.display(description="status")
    def state(self, signing_key: SigningKey) -> str:
        return badge(signing_key.get_status_display(), TONES[SigningKey.Status(signing_key.status)])

    @admin.display(description="fingerprint")
    def short_fingerprint(self, signing_key: SigningKey) -> str:
        return mono(signing_key.fingerprint[:12])

    @admin.display(description="fingerprint (SHA-256)")
    def full_fingerprint(self, signing_key: SigningKey) -> str:
        return mono(signing_key.fingerprint)

    @admin.display(description="created")
    def created(self, signing_key: SigningKey) -> str:
        return when(signing_key.created_at)

    # Days in the list, which has room for no more

    @admin.display(description="signs since")
    def from_day(self, signing_key: SigningKey) -> str:
        return day(signing_key.activated_at)

    @admin.display(description="until")
    def to_day(self, signing_key: SigningKey) -> str:
        return day(signing_key.retired_at)

    @admin.display(description="compromised")
    def bad_day(self, signing_key: SigningKey) -> str:
        return day(signing_key.compromised_at)

    @admin.display(description="signs since")
    def began(self, signing_key: SigningKey) -> str:
        """One that came here in use began elsewhere."""
        unknown = signing_key.activated_at is None and signing_key.status == SigningKey.Status.ACTIVE
        return "before it came here" if unknown else when(signing_key.activated_at)

    @admin.display(description="signed until")
    def ceased(self, signing_key: SigningKey) -> str:
        return when(signing_key.retired_at)

    @admin.display(description="compromised since")
    def since(self, signing_key: SigningKey) -> str:
        return when(signing_key.compromised_at)

    @admin.display(description="public key")
    def public_pem(self, signing_key: SigningKey) -> str:
        url = reverse("admin:licenses_signingkey_public_key", args=[signing_key.pk])
        return format_html(
            '<pre class="pem" tabindex="0" role="region" aria-label="Public key">{}</pre>'
            '<a class="button button-quiet" href="{}">Download the public key</a>',
            signing_key.public_key,
            url,
        )
