import uuid
from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextInputWidget
from django.core.exceptions import ValidationError
from django.db.models import QuerySet
from django.http import HttpRequest

from licenses.admin.base import PortalModelAdmin
from licenses.admin.display import badge, link, list_link, mono, row_count, when
from licenses.admin.filters import ProductFilter
from licenses.admin.verbs import Verb, actor_of
from licenses.models import ApiKey, Contract, LicenseKey
from licenses.models.license_keys import masked
from licenses.reports.counting import count_up_to
from licenses.reports.fragments import Matches, union
from licenses.reports.lists import with_license_key_counts
from licenses.reports.search import Search
from licenses.services.contract_holders import MOST_AT_ONCE, generate_for_holder
from licenses.services.contracts import block_license_keys, delete_contract, problems_with, save_contract

RIGHTS = {  # field: what the list calls it
    "can_get_info": "read",
    "can_generate": "generate",
    "can_destroy": "destroy one",
    "can_destroy_all": "destroy all",
}


class GenerateForm(forms.Form):
    quantity = forms.IntegerField(
        min_value=1,
        max_value=MOST_AT_ONCE,
        initial=1,
        help_text="The product's generator makes them, on its own terms. They count towards the quota.",
    )


class ContractForm(forms.ModelForm):
    contract_key = forms.CharField(
        max_length=255,
        initial=lambda: str(uuid.uuid4()),
        widget=AdminTextInputWidget,
        help_text="Its holder's programs name it by this text, so give it to nobody else.",
    )

    def clean(self) -> dict[str, Any] | None:
        """What the license keys that exist do not allow; the service looks again, with the contract locked."""
        cleaned = super().clean() or {}
        product = cleaned.get("product") or (self.instance.product if self.instance.pk else None)
        if self.instance.pk and product and cleaned.get("license_keys_quantity") is not None:
            before = Contract.objects.get(pk=self.instance.pk)
            problems = problems_with(before, product=product, license_keys_quantity=cleaned["license_keys_quantity"])
            for name, problem in problems.items():
                self.add_error(name, ValidationError(problem))
        return cleaned


def _keys_end(contracts: Sequence[Contract]) -> str:
    keys = LicenseKey.objects.filter(contract__in=[contract.pk for contract in contracts])
    count = count_up_to(keys.exclude(status=LicenseKey.Status.BLOCKED))
    if count.number == 0:
        return "No license key under it is open."
    return f"{count} license {'key is' if count.number == 1 else 'keys are'} blocked, and their activations end now."


def _what_it_got(fields: dict[str, Any]) -> str:
    count = fields["quantity"]
    return "got 1 new license key" if count == 1 else f"got {count:,} new license keys"


VERBS = (
    Verb(
        name="generate",
        label="Generate license keys",
        service=generate_for_holder,
        done=_what_it_got,
        unchanged="without new ones",
        explanation="Makes new license keys under the contract. They are its holder's to give, not your shop's.",
        form=GenerateForm,
        permission="generate",
        previewed=False,
        applies=lambda contract: contract.is_active,
    ),
    Verb(
        name="block_license_keys",
        label="Revoke its license keys",
        service=block_license_keys,
        done="was revoked: all license keys under it are blocked",
        unchanged="without an open license key",
        explanation="Blocks every license key under the contract, also those that customers use. The contract itself "
        "stays as it is: make it inactive too, or its holder generates new ones.",
        permission="revoke",
        dangerous=True,
        consequence=_keys_end,
    ),
)


@admin.register(Contract)
class ContractAdmin(PortalModelAdmin):
    form = ContractForm
    verbs = VERBS
    list_display = ("name", "product_name", "used", "state", "rights")
    list_filter = ("status", ProductFilter)
    list_select_related = ("product",)
    search_fields = ("name",)
    search_help_text = "Any part of the name, or the contract key."
    ordering = ("name", "pk")
    sortable_by = ("name",)
    empty_text = (
        "A contract lets somebody else, a reseller for example, generate license keys of a product up to a quota."
    )
    autocomplete_fields = ("product",)
    readonly_fields = ("used", "api_keys_link", "created", "masked_key", "product_link")
    terms = ("name", "information", "product", "license_keys_quantity", "status")

    def arguments_for(self, row: Contract) -> dict[str, Any]:
        return {"contract": row}

    def found_by(self, request: HttpRequest, search: Search) -> Matches:
        """By a piece of the contract key for those alone who may see it: others could guess it piece by piece."""
        may_see = self.has_change_permission(request)
        return union(search.contracts, search.contracts_by_key) if may_see else search.contracts

    def get_queryset(self, request: HttpRequest) -> QuerySet[Contract]:
        return with_license_key_counts(super().get_queryset(request), "contract")

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        """The contract key is for those who may change it, and the product stays once there are license keys."""
        may_change = obj is None or self.has_change_permission(request, obj)
        terms = [name if name != "product" or not _has_keys(obj) else "product_link" for name in self.terms]
        holder = ("Its holder", {"fields": ("contract_key" if may_change else "masked_key", *RIGHTS)})
        if obj is None:
            return ((None, {"fields": terms}), holder)
        facts = ("used", *(("api_keys_link",) if request.user.has_perm("licenses.view_apikey") else ()), "created")
        return ((None, {"fields": facts, "classes": ("facts",)}), ("What it says", {"fields": terms}), holder)

    def has_generate_permission(self, request: HttpRequest) -> bool:
        """It makes license keys."""
        return bool(request.user.has_perms(("licenses.change_contract", "licenses.add_licensekey")))

    def has_revoke_permission(self, request: HttpRequest) -> bool:
        """It changes license keys."""
        return bool(request.user.has_perms(("licenses.change_contract", "licenses.change_licensekey")))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        """Also with license keys: deleting lets go of them."""
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def save_model(self, request: HttpRequest, obj: Contract, form: Any, change: bool) -> None:
        save_contract(contract=obj, changed_fields=form.changed_data, actor=actor_of(request))

    def delete_model(self, request: HttpRequest, obj: Contract) -> None:
        delete_contract(contract_id=str(obj.pk), actor=actor_of(request))

    @admin.display(description="product")
    def product_name(self, contract: Contract) -> str:
        return contract.product.name

    @admin.display(description="product")
    def product_link(self, contract: Contract) -> str:
        return link(contract.product)

    @admin.display(description="license keys")
    def used(self, contract: Any) -> str:
        text = f"{row_count(contract.license_key_count)} of {contract.license_keys_quantity:,}"
        return list_link(text, LicenseKey, contract__id__exact=contract.pk)

    @admin.display(description="status")
    def state(self, contract: Contract) -> str:
        return badge(contract.get_status_display(), "good" if contract.is_active else "quiet")

    @admin.display(description="its holder may")
    def rights(self, contract: Contract) -> str:
        return ", ".join(words for right, words in RIGHTS.items() if getattr(contract, right)) or "nothing"

    @admin.display(description="contract key")
    def masked_key(self, contract: Contract) -> str:
        return mono(masked(contract.contract_key))

    @admin.display(description="API keys")
    def api_keys_link(self, contract: Contract) -> str:
        return list_link("Show its API keys", ApiKey, contract__id__exact=contract.pk)

    @admin.display(description="created")
    def created(self, contract: Contract) -> str:
        return when(contract.created_at)


def _has_keys(contract: Any) -> bool:
    return contract is not None and contract.license_key_count > 0
