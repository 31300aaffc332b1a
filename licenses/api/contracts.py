"""create-contract, update-contract, delete-contract and get-all-contracts: what the vendor does to contracts."""

from collections.abc import Mapping
from typing import Any, cast

from rest_framework.serializers import ValidationError

from licenses.api.answers import answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import (
    MOST_AT_ONCE,
    PRODUCT_ALIASES,
    FlagField,
    LicenseKeyField,
    LongTextField,
    NumberField,
    PageParams,
    Params,
    TextField,
)
from licenses.api.shapes import row_date
from licenses.codes import Code
from licenses.models import ApiKey, Contract
from licenses.reports.pages import page_of_contracts
from licenses.services.contracts import (
    RIGHTS,
    RULES,
    Terms,
    create_contract,
    delete_contract,
    update_contract,
)

ECHOED = ("product_id", "license_keys_quantity", *RIGHTS)  # answered in the type in which they came
CREATED_ORDER = (
    "contract_key",
    "name",
    "information",
    "product_id",
    "license_keys_quantity",
    "status",
    *RIGHTS,
    "updated_at",
    "created_at",
    "id",
    "license_keys_count",
)


class CreateContractParams(Params):
    aliases = PRODUCT_ALIASES
    needed = tuple(RULES)

    contract_key = TextField()
    contract_name = TextField()
    contract_information = LongTextField()
    product_id = TextField()
    license_keys_quantity = NumberField(low=1)
    status = TextField(help_text="`active` or `inactive`.")
    can_get_info = FlagField()
    can_generate = FlagField()
    can_destroy = FlagField()
    can_destroy_all = FlagField()

    def to_internal_value(self, data: Any) -> Any:
        """What cannot be counts as missing: the service names every rule that does not hold, not the first ones."""
        try:
            found = super().to_internal_value(data)
        except ValidationError as error:
            found = super().to_internal_value({**data, **dict.fromkeys(error.detail, "")})
        return found | {"submitted": {name: data[name] for name in ECHOED if name in data}}


class ContractParams(Params):
    """A contract by its id or its contract key."""

    aliases = {"contract_id": ("contract_uuid",)}
    needed: tuple[str, ...] = ("contract_id",)

    contract_id = LicenseKeyField()


class UpdateContractParams(ContractParams, CreateContractParams):
    aliases = PRODUCT_ALIASES | ContractParams.aliases
    needed: tuple[str, ...] = (*ContractParams.needed, *CreateContractParams.needed)


class ContractsParams(PageParams):
    items_per_page = NumberField(default=MOST_AT_ONCE, low=1, high=MOST_AT_ONCE)


@answers(Code.CONTRACT_CREATED, Code.CONTRACT_INCORRECT)
def create(call: Call) -> Reply:
    created = create_contract(terms=_terms(call.params), created_by=cast(ApiKey, call.api_key), actor=call.actor)
    row = _echo(created, call.params["submitted"])
    return Reply(Code.CONTRACT_CREATED, {"contract": {name: row[name] for name in CREATED_ORDER}})


@answers(Code.CONTRACT_UPDATED, Code.CONTRACT_NOT_FOUND, Code.CONTRACT_INCORRECT)
def update(call: Call) -> Reply:
    updated = update_contract(contract_id=call.params["contract_id"], terms=_terms(call.params), actor=call.actor)
    return Reply(Code.CONTRACT_UPDATED, {"contract": _echo(updated, call.params["submitted"])})


@answers(Code.CONTRACT_DELETED, Code.CONTRACT_NOT_FOUND)
def delete(call: Call) -> Reply:
    delete_contract(**call.params, actor=call.actor)
    return Reply(Code.CONTRACT_DELETED)


@answers(Code.ALL_CONTRACTS)
def get_all_contracts(call: Call) -> Reply:
    rows = [contract_row(found, count=found.license_keys_count) for found in page_of_contracts(**call.params)]  # type: ignore[attr-defined]  # annotated
    return Reply(Code.ALL_CONTRACTS, {"contracts": rows})


def contract_row(contract: Contract, *, count: int) -> dict[str, Any]:
    """A contract as the list of all carries it; no field may be added: shops store it as a row."""
    return {
        "id": contract.pk,
        "name": contract.name,
        "information": contract.information,
        "contract_key": contract.contract_key,
        "license_keys_quantity": contract.license_keys_quantity,
        "product_id": contract.product_id,
        **{right: int(getattr(contract, right)) for right in RIGHTS},
        "status": contract.status,
        "created_at": row_date(contract.created_at),
        "updated_at": row_date(contract.updated_at),
        "license_keys_count": count,
    }


def _terms(params: Mapping[str, Any]) -> Terms:
    return Terms(**{name: params[name] for name in RULES})


def _echo(contract: Contract, submitted: Mapping[str, Any]) -> dict[str, Any]:
    """The contract with numbers and flags as they were sent, texts from a form; a product by its id alone."""
    row = contract_row(contract, count=contract.license_keys.count())
    sent = {name: value.strip() if isinstance(value, str) else value for name, value in submitted.items()}
    if str(sent.get("product_id")) != str(contract.product_id):
        sent.pop("product_id", None)
    return row | {name: value for name, value in sent.items() if isinstance(value, str | int)}
