"""What the vendor sells."""

from typing import Any

from django.conf import settings
from django.db import transaction

from licenses.events import Kind, record
from licenses.models import Actor, Product
from licenses.services.records import save_record
from licenses.services.signing_keys import create_signing_key


@transaction.atomic
def create_product(*, own_signing_key: bool | None = None, actor: Actor, **fields: Any) -> Product:
    """A new product with a signing key of its own (D3), unless `own_signing_key` or PRODUCT_SIGNING_KEYS is false.

    `fields` are the model's; ValidationError names a bad one.
    """
    product = Product(**fields)
    product.full_clean()
    product.save(force_insert=True)
    record(Kind.PRODUCT_CREATED, product, actor=actor, after={"name": product.name})
    if settings.PRODUCT_SIGNING_KEYS if own_signing_key is None else own_signing_key:
        create_signing_key(product=product, actor=actor)
    return product


@transaction.atomic
def set_product_status(*, product: Product, status: str, actor: Actor) -> bool:
    """Make a product active or inactive; False when it is so already."""
    locked = Product.objects.select_for_update().get(pk=product.pk)
    if locked.status == status:
        return False
    locked.status = status
    save_record(locked, changed_fields=["status"], actor=actor)
    return True
