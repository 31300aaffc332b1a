"""Parameters in the OpenAPI document: what Params and their fields say, and a line about each name."""

import re
from typing import Any

from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension

Json = dict[str, Any]

API_KEY_PARAMETER = {"type": "string", "description": "The API key, where no header carries it."}
ABOUT = {  # a parameter whose field has a `help_text` says that instead
    "license_key": "The text of a license key.",
    "identifier": "Where it runs: a domain, or the fingerprint of a device. Compared exactly.",
    "product_id": "A product by its id, its UUID or its slug.",
    "generator_id": "A generator by its id. Without it: the product's oldest active one.",
    "contract_id": "A contract by its id or its contract key.",
    "contract_key": "The contract's own key.",
    "contract_name": "What staff call the contract.",
    "contract_information": "About the contract, of any length.",
    "license_keys_quantity": "How many license keys the holder may have made.",
    "can_get_info": "1 if the holder may read the contract.",
    "can_generate": "1 if the holder may make license keys.",
    "can_destroy": "1 if the holder may delete one of them.",
    "can_destroy_all": "1 if the holder may delete all of them.",
    "owner_name": "The customer's name.",
    "owner_email": "The customer's e-mail address.",
    "post_url": "An address kept with it; nothing is posted there.",
    "quantity": "How many license keys.",
    "generate": "1: new license keys, made by a generator. 0: some of the stock. "
    "Without it: 1 where a generator is named, else 0.",
    "webhook_url": "Where the result is posted to: http or https, and a public address.",
    "activation_limit": "At how many identifiers it may be active at a time; 0: at any number.",
    "validity": "Days from the assignment to the expiry; 0: for ever.",
    "status": "Its status.",
    "assigned_at": "When it was assigned, in UTC; the days of `validity` count from then.",
    "features": "Features by name; in a form as JSON text.",
    "key": "The name of the metadata.",
    "value": "The value of the metadata.",
    "feature": "The name of a feature.",
    "grace_period_days": "For how many days the license file works without the portal.",
    "environment": "A word that the license file carries for your program, `production` for example.",
    "name": "The product's name.",
    "description": "What the product is.",
    "source": "Where it is sold.",
    "require_non_expired": "1: an expired license key is refused with 205. 0: it still works.",
    "external_reference": "Its number elsewhere, that of an Envato item for example.",
    "slug": "The product's name in addresses.",
    "changelog_enabled": "1 if everybody may read its changelog.",
    "page": "Counted from 1; one past the end is empty.",
    "items_per_page": "How many rows of a page.",
    "token": "As `access-downloadables` gave it.",
    "data_type": "`numeric-single-value`, `numeric-xy-axis` or `text`: which of the fields below carries the data.",
    "data_group": "What the data is about, a word of yours.",
    "user_identifier": "Who uses the program.",
    "activation_identifier": "The identifier at which it is active.",
    "product_version": "The version of the program.",
    "numeric_data_single_value": "The number, for `numeric-single-value`.",
    "numeric_data_x": "The first number, for `numeric-xy-axis`.",
    "numeric_data_y": "The second number, for `numeric-xy-axis`.",
    "text_data": "The text, for `text`.",
    "hwid": "Another name of `activation_identifier`.",
    "country": "Kept as it is.",
    "flags": "Kept as it is.",
    "metadata": "Kept as it is.",
    "license_key_exists": "1 or 0: only records whose license key was known, or was not.",
    "product_exists": "1 or 0: only records whose product was known, or was not.",
    "product_version_exists": "1 or 0: only records whose version was known, or was not.",
    "is_correct_format": "1 or 0: only records that were in the right form, or were not.",
    "has_red_flags": "1 or 0: only records of which something was not known, or all was.",
}


class WordSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "licenses.api.products.WordField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Json:
        return {"type": "string", "enum": [word for word in self.target.words if word]}


class FlagSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "licenses.api.fields.FlagField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Json:
        default = {} if self.target.default is None else {"default": int(self.target.default)}
        return {"type": "integer", "enum": [0, 1], **default}


class MomentSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "licenses.api.license_key_management.MomentField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Json:
        return {"type": "string", "examples": ["2026-12-31 23:59:59"]}


class AsSentSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "licenses.api.telemetry.AsSentField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Json:
        return {"type": "string"}


class FeaturesSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "licenses.api.products.FeaturesField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Json:
        return {"type": "object"}


class ParamsSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Params with what each parameter is, its other names, and the API key, which may stand among them."""

    target_class = "licenses.api.fields.Params"
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        """One name for each endpoint: names of Params repeat. What stands inside of Params keeps its own."""
        if type(self.target) is not auto_schema.row.params:
            return type(self.target).__name__
        path = auto_schema.tail if auto_schema.in_path else auto_schema.row.paths[0]
        return "".join(word.capitalize() for word in re.findall(r"\w+", path.replace("_", "-")))

    def map_serializer(self, auto_schema: Any, direction: Any) -> Json:
        """No field is required to read a call: what is marked so is what the endpoint refuses to do without."""
        schema: Json = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        schema.pop("description", None)
        about = type(self.target).__dict__.get("__doc__")  # a docstring that is inherited is about something else
        properties = {
            name: self._described(name, found)
            for name, found in schema.get("properties", {}).items()
            if name not in auto_schema.in_path
        }
        if type(self.target) is auto_schema.row.params:
            properties["api_key"] = dict(API_KEY_PARAMETER)
        needed = [name for name in properties if name in self.target.needed]
        return (
            schema
            | {"properties": properties}
            | ({"description": " ".join(about.split())} if about else {})
            | ({"required": needed} if needed else {})
        )

    def _described(self, name: str, found: Json) -> Json:
        schema = _without_null(found)
        if self.target.partial:
            schema.pop("default", None)  # what is not sent stays as it is
        others = ", ".join(f"`{other}`" for other in self.target.aliases.get(name, ()))
        about = [str(schema.get("description") or ABOUT.get(name, "")), f"Also {others}." if others else ""]
        return schema | {"description": " ".join(filter(None, about))} if any(about) else schema


def _without_null(found: Json) -> Json:
    """The schema without what `DESCRIPTION` says of all: null and an empty text are the same as nothing."""
    schema = {name: value for name, value in found.items() if (name, value) not in (("default", ""), ("default", None))}
    kinds = schema.get("type")
    if isinstance(kinds, list):
        kinds = [kind for kind in kinds if kind != "null"]
        schema["type"] = kinds[0] if len(kinds) == 1 else kinds
    if "enum" in schema:
        schema.pop("maxLength", None)
        schema["enum"] = [value for value in schema["enum"] if value is not None]
    if isinstance(schema.get("default"), bool):
        schema["default"] = int(schema["default"])
    if "items" in schema:
        schema["items"] = _without_null(schema["items"])
    return schema
