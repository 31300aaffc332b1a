"""random-assign-license-keys."""

from collections.abc import Mapping
from typing import Any

from licenses.api.answers import answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import (
    MOST_AT_ONCE,
    OWNER_ALIASES,
    PRODUCT_ALIASES,
    FlagField,
    NumberField,
    ProductParams,
    TextField,
)
from licenses.codes import Code
from licenses.services.generators import find_generator
from licenses.services.lookup import find_product
from licenses.services.random_assignment import assign_from_stock_or_generate
from licenses.services.shapes import assigned_rows


class RandomAssignParams(ProductParams):
    """`generate` missing means yes when a generator is named, as one family of SDKs asks; else no."""

    aliases = PRODUCT_ALIASES | OWNER_ALIASES | {"generator_id": ("generator_uuid",)}

    owner_name = TextField()
    owner_email = TextField(max_length=254)
    quantity = NumberField(default=1, low=1, high=MOST_AT_ONCE)
    generate = FlagField()
    generator_id = TextField()


@answers(
    Code.LICENSE_KEYS_ASSIGNED, Code.ASSIGN_PRODUCT_NOT_FOUND, Code.GENERATOR_NOT_FOUND, Code.NOT_ENOUGH_LICENSE_KEYS
)
def random_assign_license_keys(call: Call) -> Reply:
    params = call.params
    product = find_product(params["product_id"], or_refuse=Code.ASSIGN_PRODUCT_NOT_FOUND)
    generate = wants_new(params)
    named = generate and params["generator_id"]
    owner = {"owner_name": params["owner_name"], "owner_email": params["owner_email"]}
    keys = assign_from_stock_or_generate(
        product=product,
        quantity=params["quantity"],
        generate=generate,
        generator=find_generator(params["generator_id"], product=product) if named else None,
        **owner,
        actor=call.actor,
    )
    return Reply(Code.LICENSE_KEYS_ASSIGNED, {"license_keys": assigned_rows(keys, **owner)}, product.pk)


def wants_new(params: Mapping[str, Any]) -> bool:
    """Whether the caller asks for new license keys instead of some from stock."""
    generate: bool | None = params["generate"]
    return bool(params["generator_id"]) if generate is None else generate
