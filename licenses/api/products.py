"""create-product, update-product, delete-product, get-all-products, get-product and get-product-public-key."""

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from rest_framework import serializers

from licenses.api.answers import answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import PRODUCT_ALIASES, FlagField, LongTextField, Params, TextField
from licenses.api.shapes import pairs, row_date
from licenses.codes import Code, Refused
from licenses.models import Product
from licenses.models.products import validate_features
from licenses.services import products
from licenses.services.lookup import find_product


class RequiredField(TextField):
    default_error_messages = {"required": "The {name} field is required."}

    def run_validation(self, data: Any = serializers.empty) -> Any:
        text = super().run_validation(data)
        return text if text.strip() else self.fail("required", name=self.field_name)


class RequiredLongField(RequiredField, LongTextField):
    pass


class WordField(TextField):
    """One of these words in any case; `default` when missing, null or empty."""

    default_error_messages = {"word": "The selected {name} is invalid."}

    def __init__(self, *words: str, default: str) -> None:
        super().__init__()
        self.words, self.default = words, default

    def run_validation(self, data: Any = serializers.empty) -> Any:
        word = super().run_validation(serializers.empty if data is None or data == "" else data).lower()
        return word if word in self.words else self.fail("word", name=self.field_name)


class FeaturesField(serializers.Field[Any, Any, Any, Any]):
    """Features as a JSON object or as its text; none when missing, null, empty, or PHP's idea of an empty object."""

    default_error_messages = {"invalid": "The features field must be a JSON object of names and values."}

    def __init__(self) -> None:
        super().__init__(required=False, default=dict)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(serializers.empty if data is None or data == "" else data)

    def to_internal_value(self, data: Any) -> Any:
        try:
            found = json.loads(data) if isinstance(data, str) else data
        except (ValueError, RecursionError):
            self.fail("invalid")
        if found == []:
            return {}
        if not isinstance(found, Mapping):
            self.fail("invalid")
        try:
            validate_features(found)
        except ValidationError as error:
            raise serializers.ValidationError(error.messages) from error
        return found


class CreateProductParams(Params):
    invalid = Code.CREATE_PRODUCT_INCORRECT
    needed: tuple[str, ...] = ("name", "description")

    name = RequiredField()
    description = RequiredLongField()
    source = WordField(*Product.Source.values, default=Product.Source.INTERNAL)  # type: ignore[assignment]  # a field
    status = WordField(Product.Status.ACTIVE, Product.Status.INACTIVE, default=Product.Status.ACTIVE)
    require_non_expired = FlagField(default=True)
    external_reference = TextField()
    post_url = TextField(max_length=2000)
    slug = TextField(max_length=100)
    changelog_enabled = FlagField(default=False)
    features = FeaturesField()


@answers(Code.PRODUCT_CREATED, Code.CREATE_PRODUCT_INCORRECT)
def create_product(call: Call) -> Reply:
    with _answered_by(Code.CREATE_PRODUCT_INCORRECT):
        product = products.create_product(**call.params, actor=call.actor)
    return Reply(Code.PRODUCT_CREATED, {"product_id": product.pk})


class UpdateProductParams(CreateProductParams):
    """Only what is sent is there. A `slug` is the new one, unless nothing else says which product is meant."""

    aliases = PRODUCT_ALIASES
    invalid = Code.UPDATE_PRODUCT_INCORRECT
    needed: tuple[str, ...] = ("product_id",)

    product_id = TextField()

    def __init__(self, **options: Any) -> None:
        super().__init__(partial=True, **options)

    def to_internal_value(self, data: Any) -> Any:
        sent = {name: value for name, value in data.items() if value is not None}
        if not sent.keys() & {"product_id", "product_uuid", "product_slug"}:
            sent["product_id"] = sent.pop("slug", "")
        return super().to_internal_value(sent)


@answers(Code.PRODUCT_UPDATED, Code.UPDATE_PRODUCT_INCORRECT)
def update_product(call: Call) -> Reply:
    changes = dict(call.params)
    with _answered_by(Code.UPDATE_PRODUCT_INCORRECT):
        product = products.update_product(product_id=changes.pop("product_id"), changes=changes, actor=call.actor)
    return Reply(Code.PRODUCT_UPDATED, product_id=product.pk)


@answers(Code.PRODUCT_DELETED, Code.PRODUCT_NOT_FOUND)
def delete_product(call: Call) -> Reply:
    product = find_product(call.params["product_id"], or_refuse=Code.PRODUCT_NOT_FOUND)
    if not products.delete_product(product=product, actor=call.actor):
        raise Refused(Code.PRODUCT_NOT_FOUND)
    return Reply(Code.PRODUCT_DELETED, product_id=product.pk)


@answers(Code.ALL_PRODUCTS)
def get_all_products(call: Call) -> Reply:
    found = Product.objects.offered().order_by("pk").prefetch_related("metadata")
    return Reply(Code.ALL_PRODUCTS, {"products": [{"id": product.pk, **_details(product)} for product in found]})


@answers(Code.PRODUCT_FOUND, Code.PRODUCT_NOT_FOUND)
def get_product(call: Call) -> Reply:
    product = find_product(call.params["product_id"], or_refuse=Code.PRODUCT_NOT_FOUND)
    names = {"id": product.pk, "uuid": str(product.uuid), "slug": product.slug}
    return Reply(Code.PRODUCT_FOUND, {"product": names | _details(product)}, product.pk)


@answers(Code.PUBLIC_KEY_FOUND, Code.PUBLIC_KEY_NOT_FOUND)
def get_product_public_key(call: Call) -> Reply:
    product = find_product(call.params["product_id"], or_refuse=Code.PUBLIC_KEY_NOT_FOUND)
    names = {"uuid": str(product.uuid), "id": product.pk, "name": product.name}
    fields = {"public_key": products.find_public_key(product=product), "product": names}
    return Reply(Code.PUBLIC_KEY_FOUND, fields, product.pk)


def _details(product: Product) -> dict[str, Any]:
    return {
        "external_reference": product.external_reference,
        "source": product.source,
        "name": product.name,
        "post_url": product.post_url,
        "description": product.description,
        "status": product.status,
        "require_non_expired": int(product.require_non_expired),
        "created_at": row_date(product.created_at),
        "updated_at": row_date(product.updated_at),
        "meta_data": pairs(product.metadata.all()),
    }


@contextmanager
def _answered_by(code: Code) -> Iterator[None]:
    """A field that the product cannot have is named in the answer. Of its constraints only the slug's can fail here."""
    try:
        yield
    except ValidationError as error:
        errors = {"slug" if name == NON_FIELD_ERRORS else name: texts for name, texts in error.message_dict.items()}
        raise Refused(code, errors=errors) from error
