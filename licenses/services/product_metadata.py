"""What is known about a product: named values, sent to customers' software with license key details."""

from django.db import transaction

from licenses.codes import Code, Refused
from licenses.events import Kind, record
from licenses.models import Actor, Product, ProductMetadata
from licenses.services.products import lock_product


@transaction.atomic
def create_product_metadata(*, product_id: str, name: str, value: str, actor: Actor) -> Product:
    """Store a new name with its value; refuses 274 without the product, 272 when the name is taken."""
    product = lock_product(product_id, or_refuse=Code.CREATE_PRODUCT_METADATA_PRODUCT_NOT_FOUND)
    if not name:
        raise Refused(Code.CREATE_PRODUCT_METADATA_NAME_REQUIRED, product_id=product.pk)
    if not value:
        raise Refused(Code.CREATE_PRODUCT_METADATA_VALUE_REQUIRED, product_id=product.pk)
    if product.metadata.filter(name=name).exists():
        raise Refused(Code.CREATE_PRODUCT_METADATA_EXISTS, product_id=product.pk)
    ProductMetadata.objects.create(product=product, name=name, value=value)
    record(Kind.METADATA_CREATED, product, actor=actor, after={name: value})
    return product


@transaction.atomic
def update_product_metadata(*, product_id: str, name: str, value: str, actor: Actor) -> Product:
    """Give a name that exists another value; refuses 374 without the product, 372 without the name."""
    product = lock_product(product_id, or_refuse=Code.UPDATE_PRODUCT_METADATA_PRODUCT_NOT_FOUND)
    if not name:
        raise Refused(Code.UPDATE_PRODUCT_METADATA_NAME_REQUIRED, product_id=product.pk)
    if not value:
        raise Refused(Code.UPDATE_PRODUCT_METADATA_VALUE_REQUIRED, product_id=product.pk)
    metadata = product.metadata.filter(name=name).first()
    if metadata is None:
        raise Refused(Code.UPDATE_PRODUCT_METADATA_NOT_FOUND, product_id=product.pk)
    before, metadata.value = metadata.value, value
    metadata.save(update_fields=["value", "updated_at"])
    record(Kind.METADATA_UPDATED, product, actor=actor, before={name: before}, after={name: value})
    return product


@transaction.atomic
def delete_product_metadata(*, product_id: str, name: str, actor: Actor) -> Product:
    """Remove a name; refuses 483 without the product, 481 without the name. The audit keeps the value."""
    product = lock_product(product_id, or_refuse=Code.DELETE_PRODUCT_METADATA_PRODUCT_NOT_FOUND)
    if not name:
        raise Refused(Code.DELETE_PRODUCT_METADATA_NAME_REQUIRED, product_id=product.pk)
    metadata = product.metadata.filter(name=name).first()
    if metadata is None:
        raise Refused(Code.DELETE_PRODUCT_METADATA_NOT_FOUND, product_id=product.pk)
    metadata.delete()
    record(Kind.METADATA_DELETED, product, actor=actor, before={name: metadata.value})
    return product


def find_product_metadata(*, product: Product, name: str = "") -> list[ProductMetadata]:
    """The metadata with this name, or all of it; refuses 372 when no metadata has the name."""
    found = list(product.metadata.filter(name=name) if name else product.metadata.all())
    if name and not found:
        raise Refused(Code.UPDATE_PRODUCT_METADATA_NOT_FOUND, product_id=product.pk)
    return found
