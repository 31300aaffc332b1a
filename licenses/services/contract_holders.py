"""What the holder of a contract may do: read it, generate license keys up to the quota, destroy them again."""

from typing import NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import QuerySet

from licenses.codes import Code, Refused
from licenses.models import Actor, ApiKey, Contract, LicenseKey, Product
from licenses.services.generators import generate_with, generator_of
from licenses.services.license_keys import destroy, destroy_many
from licenses.services.stock import NotGenerated

MOST_AT_ONCE = 1000  # license keys of one call
DESTROYED_AT_ONCE = 100  # each goes into the audit with its metadata
INSTEAD = {  # how the calls of a contract's holder say what the generator says
    Code.NOT_ENOUGH_LICENSE_KEYS: Code.CONTRACT_QUANTITY_TOO_LARGE,
    Code.GENERATOR_NOT_FOUND: Code.HOLDER_GENERATOR_NOT_FOUND,
}


class Generated(NamedTuple):
    """The license keys that were made, all those there are now, and how many more there may be."""

    license_keys: list[LicenseKey]
    used: int
    remaining: int


def read_contract(*, api_key: ApiKey, contract_key: str) -> Contract:
    """The contract that the API key, or else the contract key, stands for.

    Refuses 1200 when there is none or an inactive one, 102 without the right, 1202 when its product was deleted.
    """
    found = _held(Contract.objects.all(), api_key, contract_key, right="can_get_info")
    if found.product.status == Product.Status.DELETED:
        raise Refused(Code.HOLDER_PRODUCT_NOT_FOUND)
    return found


@transaction.atomic
def generate_license_keys(*, api_key: ApiKey, contract_key: str, quantity: int, actor: Actor) -> Generated:
    """New available license keys under the contract: all of them, or a refusal.

    Refuses 1200, 102, then 1202 while the product is not active, 1203 without a generator that works, 1206 for a
    quantity that is not 1 to `MOST_AT_ONCE`, 1205 for one that passes the quota, with what remains of it.
    """
    return _generate(_held(_locked(), api_key, contract_key, right="can_generate"), quantity, actor)


@transaction.atomic
def generate_for_holder(*, contract: Contract, quantity: int, actor: Actor) -> Generated:
    """As the holder does it, whatever the holder's rights; ValidationError says what stands in the way."""
    found = _locked().get(pk=contract.pk)
    if not found.is_active:
        raise ValidationError("The contract is inactive.")
    try:
        return _generate(found, quantity, actor)
    except Refused as refused:
        raise ValidationError(_in_words(refused, found)) from refused


@transaction.atomic
def destroy_license_key(*, api_key: ApiKey, contract_key: str, license_key: str, actor: Actor) -> int:
    """Delete a license key of the contract, in any state; the quota has room for it again. Refuses 1200, 102, 1401.

    Returns the number of its product.
    """
    contract = _held(_locked(), api_key, contract_key, right="can_destroy")
    found = _locked_keys(contract).filter(license_key=license_key).first()
    if found is None:
        raise Refused(Code.CONTRACT_LICENSE_KEY_NOT_FOUND)
    destroy(found, actor=actor)
    return found.product_id


@transaction.atomic
def destroy_all_license_keys(*, api_key: ApiKey, contract_key: str, actor: Actor) -> tuple[Contract, int]:
    """Delete every license key of the contract; refuses 1200, 102, 1501. Returns how many there were."""
    contract = _held(_locked(), api_key, contract_key, right="can_destroy_all")
    count = 0
    while batch := list(_locked_keys(contract)[:DESTROYED_AT_ONCE]):
        destroy_many(batch, actor=actor)
        count += len(batch)
    if count == 0:
        raise Refused(Code.CONTRACT_HAS_NO_LICENSE_KEYS)
    return contract, count


def _held(contracts: QuerySet[Contract], api_key: ApiKey, contract_key: str, *, right: str) -> Contract:
    """The API key's own contract, which it cannot leave by naming another; else the one with this contract key."""
    if api_key.contract_id is not None:
        contracts = contracts.filter(pk=api_key.contract_id)
    if api_key.contract_id is None or contract_key:
        contracts = contracts.filter(contract_key=contract_key)
    found = contracts.first()
    if found is None or not found.is_active:
        raise Refused(Code.HOLDER_CONTRACT_NOT_FOUND)
    if not getattr(found, right):
        raise Refused(Code.INSUFFICIENT_PERMISSIONS)
    return found


def _locked() -> QuerySet[Contract]:
    """Whoever generates or destroys locks the contract first: its row owns the quota (S8). No joins: see lookup."""
    return Contract.objects.select_for_update()


def _locked_keys(contract: Contract) -> QuerySet[LicenseKey]:
    return contract.license_keys.select_for_update().order_by("pk")


def _generate(contract: Contract, quantity: int, actor: Actor) -> Generated:
    """Under a locked contract, so that nobody else counts its license keys at the same time."""
    if not contract.product.is_active:
        raise Refused(Code.HOLDER_PRODUCT_NOT_FOUND)
    generator = generator_of(contract.product)
    if generator is None:
        raise Refused(Code.HOLDER_GENERATOR_NOT_FOUND)
    if not 1 <= quantity <= MOST_AT_ONCE:
        raise Refused(Code.CONTRACT_QUANTITY_TOO_LARGE)
    used = contract.license_keys.count()
    remaining = contract.license_keys_quantity - used
    if quantity > remaining:
        raise Refused(Code.CONTRACT_QUOTA_REACHED, remaining=remaining)
    try:
        made = generate_with(generator=generator, quantity=quantity, contract=contract, actor=actor)
    except NotGenerated as failed:
        raise Refused(INSTEAD.get(failed.code, failed.code)) from failed
    return Generated(made, used + quantity, remaining - quantity)


def _in_words(refused: Refused, contract: Contract) -> str:
    """What staff read: why, and what they can do about it."""
    words = {
        Code.HOLDER_PRODUCT_NOT_FOUND: f"{contract.product} is not active.",
        Code.HOLDER_GENERATOR_NOT_FOUND: f"{contract.product} has no active generator that works.",
        Code.CONTRACT_QUANTITY_TOO_LARGE: f"Generate 1 to {MOST_AT_ONCE} license keys at a time.",
        Code.CONTRACT_QUOTA_REACHED: f"The quota leaves room for {refused.fields.get('remaining')}.",
    }
    return words.get(refused.code, refused.code.value.message)
