"""create-license-keys: from texts that exist elsewhere, or one drawn for each of `licenses`, as SDKs ask."""

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from rest_framework import serializers

from licenses.api.answers import answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import MOST_AT_ONCE, TextField
from licenses.api.license_key_management import NO_SUCH_PRODUCT, TermsParams
from licenses.codes import Code, Refused
from licenses.models import Product
from licenses.services.generators import generator_for
from licenses.services.license_key_batches import NewLicenseKey
from licenses.services.license_key_batches import create_license_keys as create
from licenses.services.stock import NotGenerated

TEXTS = '["AAAA-1111", "BBBB-2222"]'  # what `license_keys` looks like
NAMED = 10  # bad items that an answer names


class ItemsField(serializers.ListField):
    """A JSON array, also as its text; None when missing, null or empty text. Errors name the items, counted from 1."""

    default_error_messages = {
        "not_a_list": "This must be a JSON array, in a form as one text: {example}.",
        "empty": "This must hold at least one item.",
        "max_length": f"This must hold at most {MOST_AT_ONCE:,} items.",
    }

    def __init__(self, child: "serializers.Field[Any, Any, Any, Any]", *, example: str, help_text: str = "") -> None:
        super().__init__(
            child=child,
            required=False,
            allow_null=True,
            default=None,
            allow_empty=False,
            max_length=MOST_AT_ONCE,
            help_text=f"{help_text} A JSON array, in a form as one text: `{example}`.".strip(),
        )
        self.example = example

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(serializers.empty if data is None or data == "" else data)

    def to_internal_value(self, data: Any) -> list[Any]:
        try:
            found = json.loads(data) if isinstance(data, str) else data
        except (ValueError, RecursionError):
            self.fail("not_a_list", example=self.example)
        if not isinstance(found, list):
            self.fail("not_a_list", example=self.example)
        if len(found) > MOST_AT_ONCE:
            self.fail("max_length")
        items: list[Any] = super().to_internal_value(found)
        return items

    def run_child_validation(self, data: Any) -> list[Any]:
        items, problems = [], []
        for number, item in enumerate(data, start=1):
            try:
                items.append(self.child.run_validation(item))
            except serializers.ValidationError as error:
                problems.append(f"Item {number}: {_in_words(error.detail)}")
        if problems:
            raise serializers.ValidationError(problems[:NAMED])
        return items


def _in_words(detail: Any) -> str:
    """The errors of one item as a sentence, whether it is a text or an object."""
    if isinstance(detail, Mapping):
        return " ".join(f"{name}: {_in_words(texts)}" for name, texts in detail.items())
    return " ".join(map(str, detail))


class NewTextField(TextField):
    """The text of a license key that is to be created."""

    default_error_messages = {"empty": "A license key is not empty."}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(data) or self.fail("empty")


class NewLicenseParams(TermsParams):
    """One of `licenses`: usually without the text of a license key, which is drawn then."""

    aliases = TermsParams.aliases | {"generator_id": ("generator_uuid",), "license_key": ("entitlement_key",)}

    generator_id = TextField()
    license_key = TextField()

    def to_internal_value(self, data: Any) -> Any:
        if not isinstance(data, Mapping):
            raise serializers.ValidationError(["This must be a JSON object."])
        return super().to_internal_value(data)


class CreateLicenseKeysParams(TermsParams):
    """What is said beside `licenses` holds for all of them that do not say it themselves.

    Without a `status` those whose owner is named are assigned, all others available.
    """

    aliases = TermsParams.aliases | {"generator_id": ("generator_uuid",)}
    invalid = Code.CREATE_LICENSE_KEYS_INCORRECT

    license_keys = ItemsField(
        NewTextField(), example=TEXTS, help_text="Their texts, all of the product that `product_id` names."
    )
    licenses = ItemsField(
        NewLicenseParams(),
        example='[{"product_id": 1}]',
        help_text="Instead of `license_keys`: new ones, each as it says.",
    )
    generator_id = TextField()


@answers(Code.LICENSE_KEYS_CREATED, Code.NO_LICENSE_KEYS_CREATED, Code.CREATE_LICENSE_KEYS_INCORRECT)
def create_license_keys(call: Call) -> Reply:
    said = dict(call.params)
    texts, licenses = said.pop("license_keys"), said.pop("licenses")
    if not (texts or licenses):
        raise _incorrect("license_keys", f"This field is required: a JSON array, in a form as one text: {TEXTS}.")
    rows = _from_texts(texts, said) if texts else _from_licenses(licenses, said)
    try:
        created = create(rows=rows, actor=call.actor)
    except NotGenerated as error:
        raise _incorrect("licenses", error.reason) from error
    products = {row.product.pk for row in rows}
    return Reply(Code.LICENSE_KEYS_CREATED, created._asdict(), products.pop() if len(products) == 1 else None)


def _from_texts(texts: list[str], said: dict[str, Any]) -> list[NewLicenseKey]:
    product = Product.objects.named(said.pop("product_id"))
    if product is None:
        raise _incorrect("product_id", NO_SUCH_PRODUCT)
    del said["generator_id"]  # these exist: nothing is generated
    return [NewLicenseKey(product=product, license_key=text, **said) for text in texts]


def _from_licenses(licenses: list[dict[str, Any]], said: dict[str, Any]) -> list[NewLicenseKey]:
    find, find_generator = cache(Product.objects.named), cache(generator_for)
    rows = []
    for number, item in enumerate(licenses, start=1):
        terms = said | {name: value for name, value in item.items() if value not in (None, "")}
        product = find(terms.pop("product_id"))
        if product is None:
            raise _incorrect("licenses", f"Item {number}: {NO_SUCH_PRODUCT}")
        try:
            generator = find_generator(product, terms.pop("generator_id"))
        except Refused as refused:
            raise _incorrect(
                "licenses", f"Item {number}: There is no such active generator of the product."
            ) from refused
        rows.append(NewLicenseKey(product=product, generator=generator, buyer=number, **terms))
    return rows


def _incorrect(name: str, problem: str) -> Refused:
    return Refused(Code.CREATE_LICENSE_KEYS_INCORRECT, errors={name: [problem]})
