"""What customers' software reports of itself. Every report is stored; what is wrong with it is told and flagged."""

import json
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

from django.db import transaction

from licenses.models import Actor, LicenseKey, Product, Release, TelemetryRecord

MAX_TEXT, MAX_DATA, MAX_EXTRA = 255, 4096, 4096  # characters; the first is the size of the columns
MAX_PRODUCT_ID = 2**63 - 1
NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]+)?")
UNREADABLE = "\ufffd"  # stands for what a database cannot hold and a page should not show

DataType = TelemetryRecord.DataType
REQUIRED = ("user_identifier", "license_key", "activation_identifier", "product_version", "data_type", "data_group")
VALUES = {
    DataType.SINGLE_VALUE: ("numeric_data_single_value",),
    DataType.XY_AXIS: ("numeric_data_x", "numeric_data_y"),
    DataType.TEXT: ("text_data",),
}
WITH_LINES = ("text_data",)  # kept as it was sent; the others are of one line, and trimmed
EXTRAS = ("hwid", "country", "flags", "metadata")

Errors = dict[str, list[str]]


@transaction.atomic
def store_telemetry(*, sent: Mapping[str, Any], actor: Actor) -> TelemetryRecord:
    """Keep a report, malformed or not; `sent` holds JSON values, None for what was not sent.

    The record's `errors` are `{parameter: [text, …]}` in the order of the documents. It is its own audit row.
    """
    texts = {name: as_text(sent.get(name), MAX_TEXT) for name in REQUIRED}
    product = _product(sent.get("product_id"))
    errors = _errors(sent, texts, product)
    flags = {
        "is_correct_format": not errors,
        "license_key_exists": LicenseKey.objects.filter(license_key=texts["license_key"]).exists(),
        "product_exists": product is not None,
        "product_version_exists": _version_exists(product, texts["product_version"]),
    }
    return TelemetryRecord.objects.create(
        **texts,
        **flags,
        has_red_flags=not all(flags.values()),
        product_id=product.pk if product else _number(sent.get("product_id")),
        data=_data(sent, texts["data_type"]),
        extras=_extras(sent, product),
        errors=errors,
        address=actor.address,
    )


def as_text(value: Any, limit: int, *, lines: bool = False) -> str:
    """Whatever was sent as a text that a column holds, at most `limit` characters; lists and objects as their JSON."""
    if value is None:
        return ""
    text = _trimmed(value if isinstance(value, str) else _written(value), lines=lines)
    allowed = "\t\r\n" if lines else ""
    return "".join(one if one in allowed or not _is_unreadable(one) else UNREADABLE for one in text[:limit])


def _trimmed(value: Any, *, lines: bool) -> str:
    return str(value) if lines else str(value).strip()


def _written(value: Any) -> str:
    try:
        return json.dumps(value, ensure_ascii=False, default=str)
    except (RecursionError, ValueError):
        return UNREADABLE


def _is_unreadable(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs")


def _errors(sent: Mapping[str, Any], texts: Mapping[str, str], product: Product | None) -> Errors:
    values = VALUES.get(DataType(texts["data_type"]), ()) if texts["data_type"] in DataType.values else ()
    found = {name: _text_problem(name, sent.get(name), MAX_TEXT) for name in REQUIRED}
    if not found["data_type"] and not values:
        found["data_type"] = "The selected data type is invalid."
    found |= {name: _value_problem(name, sent.get(name)) for name in values}
    wrong_product = {} if product else {"product_id": ["The selected product id is invalid."]}
    return wrong_product | {name: [problem] for name, problem in found.items() if problem}


def _text_problem(name: str, value: Any, limit: int, *, lines: bool = False) -> str:
    """What is wrong with a required text, in the words that existing clients know; empty for nothing."""
    label = name.replace("_", " ")
    if value is None or (isinstance(value, str) and not value.strip()):
        return f"The {label} field is required."
    if not isinstance(value, str | int | float) or isinstance(value, bool):
        return f"The {label} must be a string."
    text = _trimmed(value, lines=lines)
    if len(text) > limit:
        return f"The {label} must not be greater than {limit} characters."
    if as_text(value, limit, lines=lines) != text:
        return f"The {label} format is invalid."
    return ""


def _value_problem(name: str, value: Any) -> str:
    problem = _text_problem(name, value, MAX_DATA, lines=name in WITH_LINES)
    if name in WITH_LINES or problem.endswith("required."):
        return problem
    is_number = not problem and NUMBER.fullmatch(str(value).strip())
    return "" if is_number else f"The {name.replace('_', ' ')} must be a number."


def _data(sent: Mapping[str, Any], data_type: str) -> str:
    """The value of this type, a point as `x,y`; of an unknown type, the first value that was sent at all."""
    wanted = [VALUES[DataType(data_type)]] if data_type in DataType.values else list(VALUES.values())
    for names in wanted:
        texts = [as_text(sent.get(name), MAX_DATA, lines=name in WITH_LINES) for name in names]
        if any(texts):
            return ",".join(texts)[:MAX_DATA]
    return ""


def _extras(sent: Mapping[str, Any], product: Product | None) -> dict[str, str]:
    """What the SDKs send beside the documented parameters, and a product that no column can hold."""
    extras = {name: as_text(sent.get(name), MAX_EXTRA, lines=True) for name in EXTRAS}
    if product is None and _number(sent.get("product_id")) is None:
        extras["product_id"] = as_text(sent.get("product_id"), MAX_TEXT)
    return {name: text for name, text in extras.items() if text}


def _product(value: Any) -> Product | None:
    text = as_text(value, MAX_TEXT)
    return Product.objects.named(text) if text else None


def _number(value: Any) -> int | None:
    """A product's id as it was sent, if the column can hold it."""
    text = as_text(value, MAX_TEXT)
    is_number = text.isascii() and text.isdecimal()
    return int(text) if is_number and int(text) <= MAX_PRODUCT_ID else None


def _version_exists(product: Product | None, version: str) -> bool:
    return product is not None and bool(version) and Release.objects.filter(product=product, version=version).exists()
