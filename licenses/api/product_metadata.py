"""get-product-meta, create-product-meta, update-product-meta and delete-product-meta: a name is called a key there."""

from licenses.api.answers import answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import PRODUCT_ALIASES, LongTextField, ProductParams, TextField
from licenses.api.shapes import pairs
from licenses.codes import Code
from licenses.services.lookup import find_product
from licenses.services.product_metadata import (
    create_product_metadata,
    delete_product_metadata,
    find_product_metadata,
    update_product_metadata,
)


class ProductMetadataParams(ProductParams):
    aliases = PRODUCT_ALIASES | {"key": ("meta_key",)}

    key = TextField(source="name")


class DeleteProductMetadataParams(ProductMetadataParams):
    needed: tuple[str, ...] = ("product_id", "key")


class WriteProductMetadataParams(ProductMetadataParams):
    aliases = ProductMetadataParams.aliases | {"value": ("meta_value",)}
    needed: tuple[str, ...] = ("product_id", "key", "value")

    value = LongTextField()


@answers(Code.PRODUCT_FOUND, Code.PRODUCT_NOT_FOUND, Code.UPDATE_PRODUCT_METADATA_NOT_FOUND)
def get_product_meta(call: Call) -> Reply:
    product = find_product(call.params["product_id"], or_refuse=Code.PRODUCT_NOT_FOUND)
    found = find_product_metadata(product=product, name=call.params["name"])
    return Reply(Code.PRODUCT_FOUND, {"meta_data": pairs(found)}, product.pk)


@answers(
    Code.PRODUCT_METADATA_CREATED,
    Code.CREATE_PRODUCT_METADATA_PRODUCT_NOT_FOUND,
    Code.CREATE_PRODUCT_METADATA_NAME_REQUIRED,
    Code.CREATE_PRODUCT_METADATA_VALUE_REQUIRED,
    Code.CREATE_PRODUCT_METADATA_EXISTS,
)
def create_product_meta(call: Call) -> Reply:
    product = create_product_metadata(**call.params, actor=call.actor)
    return Reply(Code.PRODUCT_METADATA_CREATED, product_id=product.pk)


@answers(
    Code.PRODUCT_METADATA_UPDATED,
    Code.UPDATE_PRODUCT_METADATA_PRODUCT_NOT_FOUND,
    Code.UPDATE_PRODUCT_METADATA_NAME_REQUIRED,
    Code.UPDATE_PRODUCT_METADATA_VALUE_REQUIRED,
    Code.UPDATE_PRODUCT_METADATA_NOT_FOUND,
)
def update_product_meta(call: Call) -> Reply:
    product = update_product_metadata(**call.params, actor=call.actor)
    return Reply(Code.PRODUCT_METADATA_UPDATED, product_id=product.pk)


@answers(
    Code.PRODUCT_METADATA_DELETED,
    Code.DELETE_PRODUCT_METADATA_PRODUCT_NOT_FOUND,
    Code.DELETE_PRODUCT_METADATA_NAME_REQUIRED,
    Code.DELETE_PRODUCT_METADATA_NOT_FOUND,
)
def delete_product_meta(call: Call) -> Reply:
    product = delete_product_metadata(**call.params, actor=call.actor)
    return Reply(Code.PRODUCT_METADATA_DELETED, product_id=product.pk)
