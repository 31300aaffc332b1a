"""What the vendor sells."""

import json
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from licenses.codes import Code, Refused
from licenses.events import Kind, record
from licenses.models import Actor, Product, SigningKey
from licenses.services.records import save_record
from licenses.services.signing_keys import create_signing_key

UNKNOWN = {"product_id": ["The selected product id is invalid."]}


@transaction.atomic
def create_product(*, own_signing_key: bool | None = None, actor: Actor, **fields: Any) -> Product:
    """A new product with a signing key of its own (D3), unless `own_signing_key` or PRODUCT_SIGNING_KEYS is false.

    `fields` are the model's; ValidationError names a bad one.
    """
    product = Product(**fields)
    product.full_clean()
    try:
        with transaction.atomic():
            product.save(force_insert=True)
    except IntegrityError:
        product.validate_constraints()  # says which: another product took the slug since it was checked
        raise
    record(Kind.PRODUCT_CREATED, product, actor=actor, after={"name": product.name})
    if settings.PRODUCT_SIGNING_KEYS if own_signing_key is None else own_signing_key:
        create_signing_key(product=product, actor=actor)
    return product


@transaction.atomic
def update_product(*, product_id: str, changes: dict[str, Any], actor: Actor) -> Product:
    """Set these fields of the product with this id, UUID or slug; refuses 651 when there is none.

    ValidationError names a field that cannot be so; nothing is written then. What is equal already is no change.
    """
    product = lock_product(product_id, or_refuse=Code.UPDATE_PRODUCT_INCORRECT, errors=UNKNOWN)
    changes = {name: value for name, value in changes.items() if _differ(getattr(product, name), value)}
    for name, value in changes.items():
        setattr(product, name, value)
    try:
        with transaction.atomic():
            save_record(product, changed_fields=list(changes), actor=actor)
    except IntegrityError:
        product.validate_constraints()
        raise
    return product


@transaction.atomic
def set_product_status(*, product: Product, status: str, actor: Actor) -> bool:
    """Make a product active or inactive; False when it is so already. A deleted one only becomes active again."""
    locked = Product.objects.select_for_update().get(pk=product.pk)
    if locked.status == status or (locked.is_deleted and status == Product.Status.INACTIVE):
        return False
    locked.status = status
    save_record(locked, changed_fields=["status"], actor=actor)
    return True


@transaction.atomic
def delete_product(*, product: Product, actor: Actor) -> bool:
    """Hide the product from programs; False when it is deleted already. Every row stays, and keys are answered 203."""
    locked = Product.objects.select_for_update().get(pk=product.pk)
    if locked.is_deleted:
        return False
    before, locked.status = locked.status, Product.Status.DELETED
    locked.save(update_fields=["status", "updated_at"])
    record(Kind.PRODUCT_DELETED, locked, actor=actor, before={"status": before}, after={"status": locked.status})
    return True


def lock_product(text: str, *, or_refuse: Code, **fields: Any) -> Product:
    """As `find_product`, with the row locked until the transaction ends."""
    found = Product.objects.select_for_update().named(text)
    if found is None:
        raise Refused(or_refuse, **fields)
    return found


def _differ(before: Any, after: Any) -> bool:
    """As JSON: to Python a feature that changes from true to 1 is the same."""
    return json.dumps(before, sort_keys=True) != json.dumps(after, sort_keys=True)


def find_public_key(*, product: Product) -> str:
    """The PEM that verifies answers signed as this product; refuses 633 when only the global key signs for it."""
    signing_key = SigningKey.objects.defer("private_key_locked").active_of(product)
    if signing_key is None:
        raise Refused(Code.PUBLIC_KEY_NOT_FOUND, product_id=product.pk)
    return signing_key.public_key
