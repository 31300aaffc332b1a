"""contracts/…: what the holder of a contract does, a reseller's program for example."""

from typing import Any, cast

from rest_framework.serializers import ValidationError

from licenses.api.answers import answers
from licenses.api.contracts import contract_row
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import LicenseKeyField, NumberField, Params, TextField
from licenses.codes import Code
from licenses.models import ApiKey
from licenses.services.contract_holders import (
    destroy_all_license_keys,
    destroy_license_key,
    generate_license_keys,
    read_contract,
)


class QuantityField(NumberField):
    """What is no quantity becomes 0, which is answered as one that cannot be generated."""

    def run_validation(self, data: Any = None) -> Any:
        try:
            return super().run_validation(data)
        except ValidationError:
            return self.default


class HolderParams(Params):
    """The contract, where the API key is not bound to one. By its key alone: ids could be counted through."""

    aliases = {"contract_key": ("contract_uuid",)}

    contract_key = TextField()


class GenerateParams(HolderParams):
    aliases = HolderParams.aliases | {"quantity": ("count",)}
    needed: tuple[str, ...] = ("quantity",)

    quantity = QuantityField(default=0)


class DestroyParams(HolderParams):
    aliases = HolderParams.aliases | {"license_key": ("entitlement_key",)}
    needed: tuple[str, ...] = ("license_key",)

    license_key = LicenseKeyField()


@answers(Code.CONTRACT_FOUND, Code.HOLDER_CONTRACT_NOT_FOUND, Code.HOLDER_PRODUCT_NOT_FOUND)
def get_info(call: Call) -> Reply:
    found = read_contract(**call.params, api_key=_api_key(call))
    return Reply(Code.CONTRACT_FOUND, {"contract": contract_row(found, count=found.license_keys.count())})


@answers(
    Code.CONTRACT_LICENSE_KEYS_GENERATED,
    Code.HOLDER_CONTRACT_NOT_FOUND,
    Code.HOLDER_PRODUCT_NOT_FOUND,
    Code.HOLDER_GENERATOR_NOT_FOUND,
    Code.CONTRACT_QUOTA_REACHED,
    Code.CONTRACT_QUANTITY_TOO_LARGE,
)
def generate(call: Call) -> Reply:
    made = generate_license_keys(**call.params, api_key=_api_key(call), actor=call.actor)
    fields = {
        "license_keys": [found.license_key for found in made.license_keys],
        "license_keys_count": made.used,
        "remaining": made.remaining,
    }
    return Reply(Code.CONTRACT_LICENSE_KEYS_GENERATED, fields, made.license_keys[0].product_id)


@answers(Code.CONTRACT_LICENSE_KEY_DELETED, Code.HOLDER_CONTRACT_NOT_FOUND, Code.CONTRACT_LICENSE_KEY_NOT_FOUND)
def destroy(call: Call) -> Reply:
    product_id = destroy_license_key(**call.params, api_key=_api_key(call), actor=call.actor)
    return Reply(Code.CONTRACT_LICENSE_KEY_DELETED, product_id=product_id)


@answers(Code.CONTRACT_LICENSE_KEYS_DELETED, Code.HOLDER_CONTRACT_NOT_FOUND, Code.CONTRACT_HAS_NO_LICENSE_KEYS)
def destroy_all(call: Call) -> Reply:
    contract, count = destroy_all_license_keys(**call.params, api_key=_api_key(call), actor=call.actor)
    return Reply(Code.CONTRACT_LICENSE_KEYS_DELETED, {"deleted": count}, contract.product_id)


def _api_key(call: Call) -> ApiKey:
    return cast(ApiKey, call.api_key)  # no row of these is public
