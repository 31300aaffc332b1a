from typing import Any

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db.models import QuerySet
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import path, reverse
from django.utils.html import format_html
from django.utils.timesince import timesince

from licenses.admin.base import PickerSelect, ReadOnlyAdmin
from licenses.admin.display import badge, change_url, link, mono, when
from licenses.admin.verbs import actor_of
from licenses.models import Product, SigningKey
from licenses.models.signing_keys import RSA_BITS
from licenses.services.signing_keys import create_signing_key

TONES = {SigningKey.Status.ACTIVE: "good", SigningKey.Status.RETIRED: "quiet", SigningKey.Status.COMPROMISED: "bad"}


class NewSigningKeyForm(forms.Form):
    product = forms.ModelChoiceField(
        Product.objects.all(), required=False, help_text="Leave it empty for the global signing key."
    )
    bits = forms.TypedChoiceField(
        choices=[(bits, f"{bits} bits") for bits in RSA_BITS],
        coerce=int,
        help_text="2048 is the v1 protocol's usual size; larger keys sign 6 to 14 times slower.",
    )


@admin.register(SigningKey)
class SigningKeyAdmin(ReadOnlyAdmin):
    list_display = ("label_text", "product_name", "state", "bits", "short_fingerprint", "created", "age")
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
        "retired",
        "public_pem",
    )
    fieldsets = ((None, {"fields": readonly_fields, "classes": ("facts",)}),)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return bool(request.user.has_perm("licenses.add_signingkey"))

    def get_queryset(self, request: HttpRequest) -> QuerySet[SigningKey]:
        """No page needs the private half, so none reads it."""
        return super().get_queryset(request).defer("private_key_locked")

    def get_urls(self) -> list[Any]:
        download = self.admin_site.admin_view(self.public_key_view)
        return [path("<int:pk>/public-key/", download, name="licenses_signingkey_public_key"), *super().get_urls()]

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
        form = self._form(request)
        if not form.is_valid():
            return self._page(request, "admin/licenses/signingkey/add.html", form)
        product = form.cleaned_data["product"]
        if "confirmed" not in request.POST:
            active = SigningKey.objects.active_of(product)
            return self._page(request, "admin/licenses/signingkey/confirm.html", form, product=product, active=active)
        created = create_signing_key(product=product, bits=form.cleaned_data["bits"], actor=actor_of(request))
        self.message_user(request, "The new signing key signs from now on. Publish its public key.", messages.SUCCESS)
        return HttpResponseRedirect(change_url(created))

    def _form(self, request: HttpRequest) -> NewSigningKeyForm:
        initial = {"bits": settings.SIGNING_KEY_BITS}
        form = NewSigningKeyForm(request.POST if request.method == "POST" else None, initial=initial)
        product: Any = form.fields["product"]
        product.widget = PickerSelect(SigningKey._meta.get_field("product"), self.admin_site, choices=product.choices)
        return form

    def _page(self, request: HttpRequest, template: str, form: NewSigningKeyForm, **extra: Any) -> TemplateResponse:
        request.current_app = self.admin_site.name  # as Django's own views do
        context = self.admin_site.each_context(request) | {
            "title": "New signing key",
            "opts": self.opts,
            "form": form,
            "media": self.media + form.media,
        }
        return TemplateResponse(request, template, context | extra)

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

    @admin.display(description="age")
    def age(self, signing_key: SigningKey) -> str:
        return timesince(signing_key.created_at, depth=1)

    @admin.display(description="retired")
    def retired(self, signing_key: SigningKey) -> str:
        return when(signing_key.retired_at)

    @admin.display(description="public key")
    def public_pem(self, signing_key: SigningKey) -> str:
        url = reverse("admin:licenses_signingkey_public_key", args=[signing_key.pk])
        return format_html(
            '<pre class="pem">{}</pre><a class="button" href="{}">Download the public key</a>',
            signing_key.public_key,
            url,
        )
