"""Contracts: the right of a third party to make license keys of a product, and how many of them may exist."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.utils import timezone

from licenses.codes import Code, Refused
from licenses.events import Kind, event, record, record_many
from licenses.models import Activation, Actor, ApiKey, AuditEvent, Contract, LicenseKey, Product
from licenses.services.activations import end_activations
from licenses.services.records import delete_record, save_record

RULES = {  # the protocol's words, in its order
    "contract_key": "Contract key is required and must be unique.",
    "contract_name": "Contract name is required.",
    "contract_information": "Contract information is required.",
    "product_id": "Product Id must be a valid product Id.",
    "license_keys_quantity": "License keys quantity must be 1 or more.",
    "status": "Status must be active or inactive",
    "can_get_info": "Can get info must be 1 for true or 0 for false",
    "can_generate": "Can generate must be 1 for true or 0 for false",
    "can_destroy": "Can destroy must be 1 for true or 0 for false",
    "can_destroy_all": "Can destroy all must be 1 for true or 0 for false",
}
RIGHTS = ("can_get_info", "can_generate", "can_destroy", "can_destroy_all")
TAKEN_MEANWHILE = (IntegrityError, ValidationError)  # by the insert, or by the last look before it
MAX_ID_DIGITS = 18  # what a bigint surely holds
BATCH = 1000  # license keys that are read, changed and recorded at once


@dataclass(frozen=True, slots=True)
class Terms:
    """What a contract shall say, under the protocol's names: empty or None where nothing was said that can be."""

    contract_key: str
    contract_name: str
    contract_information: str
    product_id: str  # id, UUID or slug
    license_keys_quantity: int | None
    status: str
    can_get_info: bool | None
    can_generate: bool | None
    can_destroy: bool | None
    can_destroy_all: bool | None


NAMES = {"product": "product_id"}  # fields that the protocol calls otherwise


def create_contract(*, terms: Terms, created_by: ApiKey, actor: Actor) -> Contract:
    """A new contract, or the one that this API key created with the same terms (D13). Refuses 825, naming each rule."""
    try:
        return _create(terms, created_by, actor)
    except TAKEN_MEANWHILE:  # another transaction has stored this contract key just now; this time we see it
        return _create(terms, created_by, actor)


@transaction.atomic
def _create(terms: Terms, created_by: ApiKey, actor: Actor) -> Contract:
    product = Product.objects.named(terms.product_id)
    broken = _broken_rules(terms, product)
    known = Contract.objects.filter(contract_key=terms.contract_key).first()
    if known and not broken and known.created_by_id == created_by.pk and not _changes(known, terms, product):
        return known
    _require(broken | ({"contract_key"} if known else set()))
    created = Contract(**_values(terms, product), created_by=created_by)
    save_record(created, actor=actor)
    return created


def update_contract(*, contract_id: str, terms: Terms, actor: Actor) -> Contract:
    """Give the contract with this id or contract key these terms; refuses 844, then 825, naming each broken rule."""
    try:
        return _update(contract_id, terms, actor)
    except TAKEN_MEANWHILE:
        return _update(contract_id, terms, actor)


@transaction.atomic
def _update(contract_id: str, terms: Terms, actor: Actor) -> Contract:
    found = lock_contract(contract_id)
    product = Product.objects.named(terms.product_id)
    broken = _broken_rules(terms, product)
    if Contract.objects.filter(contract_key=terms.contract_key).exclude(pk=found.pk).exists():
        broken.add("contract_key")
    quantity = terms.license_keys_quantity or 0
    problems = problems_with(found, product=product or found.product, license_keys_quantity=quantity)
    broken |= {NAMES.get(name, name) for name in problems}
    _require(broken)
    changes = _changes(found, terms, product)
    for name, value in changes.items():
        setattr(found, name, value)
    save_record(found, changed_fields=list(changes), actor=actor)
    return found


@transaction.atomic
def save_contract(*, contract: Contract, changed_fields: Sequence[str] = (), actor: Actor) -> None:
    """Write a contract as staff filled it in; ValidationError names the field that cannot be so."""
    before = Contract.objects.select_for_update().filter(pk=contract.pk).first()
    quantity = contract.license_keys_quantity
    if before and (problems := problems_with(before, product=contract.product, license_keys_quantity=quantity)):
        raise ValidationError(problems)
    save_record(contract, changed_fields=changed_fields, actor=actor)


def problems_with(contract: Contract, *, product: Product, license_keys_quantity: int) -> dict[str, str]:
    """What the license keys that exist under the contract do not allow, by field."""
    used, problems = contract.license_keys.count(), {}
    if used and product.pk != contract.product_id:
        problems["product"] = "License keys exist under this contract, so its product stays as it is."
    if license_keys_quantity < used:
        problems["license_keys_quantity"] = f"{used} license keys exist under this contract; the quota holds them all."
    return problems


@transaction.atomic
def delete_contract(*, contract_id: str, actor: Actor) -> None:
    """Delete the contract; refuses 844 when there is none.

    Its license keys stay: those that nobody has yet become reserved, so that they are not given to strangers. The API
    keys of its holder are revoked.
    """
    found = lock_contract(contract_id)
    _let_go_of_license_keys(found, actor=actor)
    _revoke_api_keys(found, actor=actor)
    delete_record(found, actor=actor)


@transaction.atomic
def block_license_keys(*, contract: Contract, actor: Actor) -> int:
    """Block every license key of the contract and end its activations; returns how many were not blocked before."""
    Contract.objects.select_for_update().get(pk=contract.pk)
    open_keys = contract.license_keys.exclude(status=LicenseKey.Status.BLOCKED)
    rows, count = open_keys.select_for_update().order_by("pk"), 0
    while batch := list(rows[:BATCH]):
        LicenseKey.objects.filter(pk__in=[found.pk for found in batch]).update(
            status=LicenseKey.Status.BLOCKED, updated_at=timezone.now()
        )
        after = {"status": LicenseKey.Status.BLOCKED}
        record_many(
            event(Kind.LICENSE_KEY_BLOCKED, found, actor=actor, before={"status": found.status}, after=after)
            for found in batch
        )
        live = Activation.objects.live().filter(license_key__in=batch).select_related("license_key")
        end_activations(live.order_by("pk"), actor=actor)
        count += len(batch)
    if count:
        record(Kind.CONTRACT_UPDATED, contract, actor=actor, after={"license_keys_blocked": count})
    return count


def lock_contract(contract_id: str) -> Contract:
    """The contract with this id or contract key, locked until the transaction ends; refuses 844 when there is none.

    A number is an id and nothing else: the contract key of another contract must not be taken for it.
    """
    rows = Contract.objects.select_for_update()  # without joins, as in lookup
    if contract_id.isascii() and contract_id.isdecimal():
        found = rows.filter(pk=int(contract_id)).first() if len(contract_id) <= MAX_ID_DIGITS else None
    else:
        found = rows.filter(contract_key=contract_id).first()
    if found is None:
        raise Refused(Code.CONTRACT_NOT_FOUND)
    return found


def _broken_rules(terms: Terms, product: Product | None) -> set[str]:
    kept = {
        "contract_key": bool(terms.contract_key),
        "contract_name": bool(terms.contract_name),
        "contract_information": bool(terms.contract_information.strip()),
        "product_id": product is not None,
        "license_keys_quantity": (terms.license_keys_quantity or 0) >= 1,
        "status": terms.status in Contract.Status.values,
        **{right: getattr(terms, right) is not None for right in RIGHTS},
    }
    return {name for name, is_kept in kept.items() if not is_kept}


def _require(broken: set[str]) -> None:
    if broken:
        raise Refused(Code.CONTRACT_INCORRECT, errors={name: RULES[name] for name in RULES if name in broken})


def _values(terms: Terms, product: Product | None) -> dict[str, Any]:
    """The terms as fields of a contract."""
    return {
        "contract_key": terms.contract_key,
        "name": terms.contract_name,
        "information": terms.contract_information,
        "product": product,
        "license_keys_quantity": terms.license_keys_quantity,
        "status": terms.status,
        **{right: getattr(terms, right) for right in RIGHTS},
    }


def _changes(contract: Contract, terms: Terms, product: Product | None) -> dict[str, Any]:
    return {name: value for name, value in _values(terms, product).items() if getattr(contract, name) != value}


def _let_go_of_license_keys(contract: Contract, *, actor: Actor) -> None:
    rows = contract.license_keys.select_for_update().order_by("pk")
    while batch := list(rows[:BATCH]):
        same = LicenseKey.objects.filter(pk__in=[found.pk for found in batch])
        same.filter(status=LicenseKey.Status.AVAILABLE).update(status=LicenseKey.Status.RESERVED)
        same.update(contract=None, updated_at=timezone.now())
        record_many(_let_go_event(found, actor=actor) for found in batch)


def _let_go_event(found: LicenseKey, *, actor: Actor) -> AuditEvent:
    before: dict[str, Any] = {"contract": found.contract_id}
    after: dict[str, Any] = {"contract": None}
    if found.status == LicenseKey.Status.AVAILABLE:
        before["status"], after["status"] = found.status, LicenseKey.Status.RESERVED
    return event(Kind.LICENSE_KEY_UPDATED, found, actor=actor, before=before, after=after)


def _revoke_api_keys(contract: Contract, *, actor: Actor) -> None:
    bound = list(contract.api_keys.select_for_update().order_by("pk"))
    ApiKey.objects.filter(pk__in=[api_key.pk for api_key in bound]).update(is_active=False, contract=None)
    after = {"is_active": False, "contract": None}
    record_many(
        event(
            Kind.API_KEY_REVOKED,
            api_key,
            actor=actor,
            before={"is_active": api_key.is_active, "contract": contract.pk},
            after=after,
        )
        for api_key in bound
    )
