from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.utils import timezone

from licenses.admin.base import PortalModelAdmin
from licenses.admin.display import NOTHING, badge, mono, when
from licenses.admin.verbs import Verb, actor_of
from licenses.models import ApiKey, Capability, Profile
from licenses.models.api_keys import validate_networks
from licenses.services.api_keys import create_api_key, revoke_api_key

REVOKE = Verb(
    name="revoke",
    label="Revoke",
    service=revoke_api_key,
    done="was revoked",
    unchanged="revoked already",
    explanation="Calls with a revoked API key are answered with 101 from the next request on. "
    "This cannot be taken back; create another API key instead.",
    dangerous=True,
    applies=lambda api_key: api_key.is_active,
)
HEADINGS = {  # by the first capability under each
    Capability.VERIFY: "Your software",
    Capability.ASSIGN_LICENSE_KEY: "Your shop",
    Capability.CREATE_LICENSE_KEYS: "License keys",
    Capability.CREATE_PRODUCT: "Products",
    Capability.GET_ALL_GENERATORS: "Generators",
    Capability.GET_ALL_CONTRACTS: "Contracts",
    Capability.CONTRACT_GET_INFO: "The holder of a contract",
    Capability.SEND_TELEMETRY_DATA: "Telemetry",
    Capability.READ_SETTINGS: "Settings",
}
LIMITS = ("requests_per_minute", "wrong_keys_per_minute")
FIELDS = ("name", "capabilities", "allowed_networks", "expires_at", "profile", "contract", *LIMITS)


def grouped_capabilities() -> list[tuple[str, list[tuple[str, str]]]]:
    """Every capability, in its order, under its heading."""
    groups: list[tuple[str, list[tuple[str, str]]]] = []
    for capability in Capability:
        if capability in HEADINGS:
            groups.append((HEADINGS[capability], []))
        groups[-1][1].append((capability.value, capability.label))
    return groups


class LinesField(forms.CharField):
    """A list of texts, written one per line."""

    widget = forms.Textarea

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(map(str, value)) if isinstance(value, list) else value

    def to_python(self, value: Any) -> Any:
        return [line.strip() for line in (super().to_python(value) or "").splitlines() if line.strip()]

    def run_validators(self, value: Any) -> None:
        validate_networks(value)

    def has_changed(self, initial: Any, data: Any) -> bool:
        return bool((initial or []) != self.to_python(data))


class ApiKeyForm(forms.ModelForm):
    capabilities = forms.MultipleChoiceField(
        choices=grouped_capabilities,
        widget=forms.CheckboxSelectMultiple,
        help_text="What it may do. Give each program only what it needs.",
    )
    allowed_networks = LinesField(
        required=False,
        widget=forms.Textarea(attrs={"rows": 3, "placeholder": "203.0.113.7\n198.51.100.0/24"}),
        help_text="Addresses or networks it may be used from, one per line. Empty: from anywhere.",
    )


@admin.register(ApiKey)
class ApiKeyAdmin(PortalModelAdmin):
    form = ApiKeyForm
    verbs = (REVOKE,)
    list_display = ("name", "prefix_text", "state", "capability_count", "networks", "client", "expires", "last_used")
    list_filter = ("is_active", "profile")
    link_filters = ("contract__id__exact",)
    list_select_related = ("contract",)
    autocomplete_fields = ("contract",)
    search_fields = ("name", "prefix")
    search_help_text = "Part of the name or of the prefix."
    sortable_by = ("name",)
    empty_text = "Create an API key for each program that calls the portal: your shop, your software."
    fieldsets = ((None, {"fields": FIELDS}),)
    change_fieldsets = (
        (None, {"fields": ("state", "prefix_text", "created", "last_used"), "classes": ("facts",)}),
        ("What it may do", {"fields": FIELDS}),
    )
    readonly_fields = ("state", "prefix_text", "created", "last_used")

    def arguments_for(self, row: ApiKey) -> dict[str, Any]:
        return {"api_key": row}

    def get_fieldsets(self, request: HttpRequest, obj: ApiKey | None = None) -> Any:
        return self.change_fieldsets if obj else self.fieldsets

    def has_delete_permission(self, request: HttpRequest, obj: ApiKey | None = None) -> bool:
        """An API key is revoked: the audit trail names it."""
        return False

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        """Only "Save": the page after it is the one that shows the text."""
        buttons = {"show_save_and_add_another": False, "show_save_and_continue": False}
        return super().add_view(request, form_url, buttons | (extra_context or {}))

    def save_model(self, request: HttpRequest, obj: ApiKey, form: Any, change: bool) -> None:
        if change:
            return super().save_model(request, obj, form, change)
        api_key, text = create_api_key(**form.cleaned_data, actor=actor_of(request))
        obj.pk, obj.prefix = api_key.pk, api_key.prefix
        obj.text = text  # type: ignore[attr-defined]  # for response_add, in this request alone
        return None

    def response_add(self, request: HttpRequest, obj: ApiKey, post_url_continue: str | None = None) -> HttpResponse:
        """The one page that shows the text. It answers the POST itself: neither a session nor a URL holds it."""
        context = self.admin_site.each_context(request) | {
            "title": "API key created",
            "opts": self.opts,
            "api_key": obj,
            "text": obj.text,  # type: ignore[attr-defined]  # from save_model
        }
        return TemplateResponse(
            request, "admin/licenses/apikey/created.html", context, headers={"Cache-Control": "no-store"}
        )

    @admin.display(description="prefix")
    def prefix_text(self, api_key: ApiKey) -> str:
        return mono(f"{api_key.prefix}…")

    @admin.display(description="status")
    def state(self, api_key: ApiKey) -> str:
        if not api_key.is_active:
            return badge("Revoked", "bad")
        return badge("Active", "good") if api_key.is_usable(timezone.now()) else badge("Expired", "warn")

    @admin.display(description="capabilities")
    def capability_count(self, api_key: ApiKey) -> str:
        return f"{len(api_key.capabilities)} of {len(Capability)}"

    @admin.display(description="networks")
    def networks(self, api_key: ApiKey) -> str:
        return ", ".join(api_key.allowed_networks) or "anywhere"

    @admin.display(description="for")
    def client(self, api_key: ApiKey) -> str:
        """Whose program: the holder of a contract, one built on an SDK, or any other."""
        sdk = "SDK" if api_key.profile == Profile.SDK else ""
        return ", ".join(filter(None, (sdk, str(api_key.contract or "")))) or NOTHING

    @admin.display(description="expires")
    def expires(self, api_key: ApiKey) -> str:
        return when(api_key.expires_at) if api_key.expires_at else "never"

    @admin.display(description="last used")
    def last_used(self, api_key: ApiKey) -> str:
        return when(api_key.last_used_at) if api_key.last_used_at else "never"

    @admin.display(description="created")
    def created(self, api_key: ApiKey) -> str:
        return when(api_key.created_at)
