"""The spreadsheets of license keys and those who have them: how a row finds its record, and its service."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from licenses.admin.porting.cells import (
    ChoiceCell,
    FlagCell,
    JsonCell,
    LongTextCell,
    MomentCell,
    NumberCell,
    ReferenceCell,
)
from licenses.admin.porting.columns import FEATURES, LIMIT, PRODUCT, VALIDITY, product_cell
from licenses.admin.porting.resources import Column, PortableResource
from licenses.models import BlockListEntry, Contract, LicenseKey, LicenseKeyMetadata, Owner, Product
from licenses.services.contracts import save_contract
from licenses.services.license_keys import UPDATABLE, create_license_key, update_license_key
from licenses.services.owners import find_or_create_owners
from licenses.services.rows import text_problem
from licenses.services.stock import IMPORTABLE, ImportOutcome, StockRow, import_batch

BATCH = 500  # records that one query looks up
STOCK_FIELDS = ("license_key", "activation_limit", "validity_days", "status", "reference")


def find_license_key(text: str) -> LicenseKey:
    found = LicenseKey.objects.filter(license_key=text).first()
    if found is None:
        raise ValueError("There is no such license key.")
    return found


def batched(texts: Iterable[str]) -> Iterator[list[str]]:
    waiting = sorted(texts)
    for start in range(0, len(waiting), BATCH):
        yield waiting[start : start + BATCH]


class OwnerResource(PortableResource):
    email = Column("email", "Names the owner, whatever its case.", identity=True)
    name = Column("name", "The owner's name.")
    created_at = Column("created_at", "Known since.", MomentCell(), fixed=True)

    needs = identity = ("email",)
    most_rows = 20_000
    larger = "Split it."
    note = "An owner whose e-mail address is known gets the name of the row; any other address makes a new owner."

    class Meta:
        model = Owner

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """All owners that are known, in few queries: only ASCII is folded alike by Python and every database."""
        self.known: dict[str, Owner] = {}
        self.new: list[tuple[str, str]] = []
        for emails in batched({text.strip().lower() for text in dataset["email"] if text.isascii()}):
            self.known |= {owner.email.lower(): owner for owner in Owner.objects.with_emails(emails)}

    def find(self, row: dict[str, str]) -> Owner | None:
        email = self.cleaned("email", row)
        return self.known.get(email.lower()) if email.isascii() else Owner.objects.with_email(email).first()

    def save(self, instance: Any, changed: list[str], *, dry_run: bool) -> None:
        if not instance._state.adding:
            self.count_alone()
            return super().save(instance, changed, dry_run=dry_run)
        _require_email(instance.email)
        if problem := text_problem("owner_name", instance.name):
            raise ValidationError({"name": problem})
        self.new.append((instance.name, instance.email))
        return None

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        find_or_create_owners(self.new, actor=self._actor)
        super().after_import(dataset, result, **kwargs)


def _require_email(text: str) -> None:
    try:
        validate_email(text)
    except ValidationError as error:
        raise ValidationError({"email": error.messages}) from error


class LicenseKeyResource(PortableResource):
    license_key = Column("license_key", "The text itself. It names the license key.", identity=True)
    product = Column("product", PRODUCT, product_cell())
    status = Column(
        "status", "Of a new license key: available or reserved. Of any other it is not changed here.", ChoiceCell()
    )
    activation_limit = Column("activation_limit", LIMIT, NumberCell())
    validity_days = Column("validity_days", VALIDITY, NumberCell())
    expires_at = Column("expires_at", "Of an assigned license key: 2027-01-31 18:30, in UTC.", MomentCell())
    reference = Column("reference", "Your own note, an order number for example.")
    features = Column("features", FEATURES + " What differs from its product's.", JsonCell())
    owner_email = Column("owner__email", "Whose it is. Assign with bulk assignment.", fixed=True)
    owner_name = Column("owner__name", "The owner's name.", fixed=True)
    contract = Column("contract__name", "The contract it was generated under.", name="contract", fixed=True)
    assigned_at = Column("assigned_at", "When it was assigned.", MomentCell(), fixed=True)
    created_at = Column("created_at", "When it was made.", MomentCell(), fixed=True)

    needs = identity = ("license_key",)
    most_rows = 20_000
    related = ("product", "owner", "contract")
    larger = "Bring it in with manage.py import_license_keys."
    note = "A text that is no license key yet becomes a new one in the product's stock; a known one is changed."

    class Meta:
        model = LicenseKey

    def before_import(self, dataset: Any, **kwargs: Any) -> None:
        """All license keys that are known, in few queries."""
        self.known: dict[str, LicenseKey] = {}
        self.new: dict[Product, list[StockRow]] = defaultdict(list)
        for texts in batched({text.strip() for text in dataset["license_key"]}):
            found = LicenseKey.objects.select_related("product").filter(license_key__in=texts)
            self.known |= {known.license_key: known for known in found}

    def find(self, row: dict[str, str]) -> LicenseKey | None:
        text: str = self.cleaned("license_key", row)
        if problem := text_problem("license_key", text):
            raise ValidationError({"license_key": problem})
        return self.known.get(text)

    def save(self, instance: Any, changed: list[str], *, dry_run: bool) -> None:
        if instance._state.adding:
            return self._create(instance)
        if fixed := [name for name in ("product", "status") if name in changed]:
            raise ValidationError(dict.fromkeys(fixed, "An import does not change this: use the actions of its page."))
        self.count_alone()
        changes = {name: getattr(instance, name) for name in changed}
        update_license_key(license_key=instance.license_key, changes=changes, actor=self._actor)
        return None

    def _create(self, new: Any) -> None:
        if new.product_id is None:
            raise ValidationError({"product": "A new license key needs a product."})
        if new.status not in IMPORTABLE:
            raise ValidationError({"status": "A new license key is available or reserved. Assign it afterwards."})
        if new.features or new.expires_at:
            self.count_alone()
            values = {name: getattr(new, name) for name in (*UPDATABLE, "status", "license_key", "product")}
            create_license_key(**values, actor=self._actor)
            return
        values = {name: getattr(new, name) for name in STOCK_FIELDS}
        self.new[new.product].append(StockRow(self.row_number, **values))

    def after_import(self, dataset: Any, result: Any, **kwargs: Any) -> None:
        """The new ones without features of their own, at once: what the stock refuses is said of its row."""
        for product, rows in self.new.items():
            for outcome in import_batch(rows=rows, product=product, actor=self._actor):
                if outcome.outcome != ImportOutcome.IMPORTED:
                    problem = outcome.problem or "Somebody else has just stored this license key."
                    result.append_invalid_row(outcome.row.line, {}, ValidationError(problem))
        super().after_import(dataset, result, **kwargs)


class LicenseKeyMetadataResource(PortableResource):
    license_key = Column(
        "license_key",
        "The license key's text.",
        ReferenceCell(find_license_key, lambda found: found.license_key),
        identity=True,
    )
    name = Column("name", "The name of the value.", identity=True)
    value = Column("value", "The value.", LongTextCell())

    needs = ("license_key", "name", "value")
    identity = ("license_key", "name")
    related = ("license_key",)
    larger = "Split it."

    class Meta:
        model = LicenseKeyMetadata

    def find(self, row: dict[str, str]) -> LicenseKeyMetadata | None:
        name = self.cleaned("name", row)
        found = LicenseKeyMetadata.objects.select_related("license_key")
        return found.filter(license_key=self.cleaned("license_key", row), name=name).first()


class ContractResource(PortableResource):
    contract_key = Column("contract_key", "Names it, and is a secret.", identity=True, right="licenses.change_contract")
    name = Column("name", "Who holds it.")
    information = Column("information", "With whom, about what, until when.", LongTextCell())
    product = Column("product", PRODUCT, product_cell())
    license_keys_quantity = Column("license_keys_quantity", "How many license keys may exist under it.", NumberCell())
    status = Column("status", "active or inactive. Default active.", ChoiceCell())
    can_get_info = Column("can_get_info", "yes: its holder may read it. Default yes.", FlagCell())
    can_generate = Column("can_generate", "yes: its holder may generate license keys. Default yes.", FlagCell())
    can_destroy = Column("can_destroy", "yes: its holder may destroy one. Default no.", FlagCell())
    can_destroy_all = Column("can_destroy_all", "yes: its holder may destroy all. Default no.", FlagCell())
    created_at = Column("created_at", "When it was made.", MomentCell(), fixed=True)

    needs = identity = ("contract_key",)
    related = ("product",)
    larger = "Split it."
    note = "A contract key that is known changes that contract; any other makes a new one."

    class Meta:
        model = Contract

    def find(self, row: dict[str, str]) -> Contract | None:
        text = self.cleaned("contract_key", row)
        return Contract.objects.select_related("product").filter(contract_key=text).first()

    def save(self, instance: Any, changed: list[str], *, dry_run: bool) -> None:
        if instance.product_id is None:
            raise ValidationError({"product": "A contract needs a product."})
        save_contract(contract=instance, changed_fields=changed, actor=self._actor)


class BlockListResource(PortableResource):
    kind = Column("kind", "address or identifier.", ChoiceCell(), identity=True)
    value = Column("value", "203.0.113.7, 203.0.113.0/24, or an identifier as it is sent.", identity=True)
    reason = Column("reason", "For your colleagues.")
    created_at = Column("created_at", "Since when.", MomentCell(), fixed=True)

    needs = identity = ("kind", "value")
    larger = "Split it, and block networks instead of single addresses."
    note = "What is on the block list already gets the reason of the row."

    class Meta:
        model = BlockListEntry

    def find(self, row: dict[str, str]) -> BlockListEntry | None:
        probe = BlockListEntry(kind=self.cleaned("kind", row), value=self.cleaned("value", row))
        probe.clean()
        return BlockListEntry.objects.filter(kind=probe.kind, value=probe.value).first()
