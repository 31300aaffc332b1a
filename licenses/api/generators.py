"""generate and get-all-generators."""

from typing import Any

from licenses.api.answers import answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import MOST_AT_ONCE, NumberField, PageParams, Params, ProductParams, TextField
from licenses.api.shapes import row_date
from licenses.codes import Code
from licenses.models import Generator
from licenses.models.license_keys import MAX_VALIDITY_DAYS
from licenses.reports.pages import page_of_generators
from licenses.services.generators import find_generator, generate_with


class GenerateParams(Params):
    aliases = {"generator_id": ("generator_uuid",), "validity": ("validity_days",)}
    needed: tuple[str, ...] = ("generator_id",)

    generator_id = TextField(help_text="A generator by its id.")
    quantity = NumberField(default=1, low=1, high=MOST_AT_ONCE)
    activation_limit = NumberField()
    validity = NumberField(high=MAX_VALIDITY_DAYS, source="validity_days")


@answers(Code.LICENSE_KEYS_GENERATED, Code.GENERATOR_NOT_FOUND, Code.NOT_ENOUGH_LICENSE_KEYS)
def generate(call: Call) -> Reply:
    params = dict(call.params)
    generator = find_generator(params.pop("generator_id"))
    made = generate_with(generator=generator, **params, actor=call.actor)
    texts = [found.license_key for found in made]
    return Reply(Code.LICENSE_KEYS_GENERATED, {"licenseKeys": texts}, generator.product_id)


class GetAllGeneratorsParams(PageParams, ProductParams):
    needed: tuple[str, ...] = ()

    items_per_page = NumberField(default=MOST_AT_ONCE, low=1, high=MOST_AT_ONCE)


@answers(Code.ALL_GENERATORS)
def get_all_generators(call: Call) -> Reply:
    """The list stands under "products": the protocol's word."""
    rows = [_row(found) for found in page_of_generators(**call.params)]
    return Reply(Code.ALL_GENERATORS, {"products": rows})


def _row(generator: Generator) -> dict[str, Any]:
    return {
        "id": generator.pk,
        "product_id": generator.product_id,
        "method": generator.method,
        "prefix": generator.prefix,
        "suffix": generator.suffix,
        "function_name": generator.function_name,
        "number_of_chunks": generator.number_of_chunks,
        "chunk_length": generator.chunk_length,
        "activation_limit": generator.activation_limit,
        "validity": generator.validity_days,
        "status": int(generator.is_active),
        "charset": generator.charset,
        "created_at": row_date(generator.created_at),
        "updated_at": row_date(generator.updated_at),
    }
