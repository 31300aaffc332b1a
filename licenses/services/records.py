"""Saving and deleting simple records, each with its audit row, and the single license key that staff add or delete."""

import secrets
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction

from licenses.events import Kind, record
from licenses.models import (
    Actor,
    ApiKey,
    AssignmentRow,
    LicenseKey,
    LicenseKeyMetadata,
    Owner,
    Product,
    ProductMetadata,
)
from licenses.services.lookup import lock_license_key

NOUNS: dict[type[models.Model], str] = {
    ApiKey: "api_key",
    LicenseKeyMetadata: "metadata",
    Owner: "owner",
    Product: "product",
    ProductMetadata: "metadata",
}
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # 32 letters that nobody confuses: 5 bits each
GROUPS, GROUP_LENGTH = 5, 5  # 25 letters are 125 random bits (S19)


@transaction.atomic
def save_record(instance: models.Model, *, created: bool, changed_fields: Sequence[str], actor: Actor) -> None:
    """Write a record of `NOUNS`: all of it when it is new, else the changed fields alone.

    ValidationError names a field that cannot be so, or says that the record was deleted meanwhile.
    """
    instance.full_clean()
    if created:
        instance.save(force_insert=True)
        _record("created", instance, actor=actor, after=_facts(instance))
        return
    if not changed_fields:
        return
    before = type(instance)._default_manager.select_for_update(of=("self",)).filter(pk=instance.pk).first()
    if before is None:
        raise ValidationError("It was deleted in the meantime.")
    instance.save(update_fields=[*changed_fields, *_stamps(instance)])
    _record(
        "updated", instance, actor=actor, before=_facts(before, changed_fields), after=_facts(instance, changed_fields)
    )


@transaction.atomic
def delete_record(instance: models.Model, *, actor: Actor) -> None:
    """Delete a record of `NOUNS`; ValidationError when others need it."""
    if is_used(instance):
        raise ValidationError(f"{instance} has license keys or signing keys, so it stays.")
    before = _facts(instance)
    _record("deleted", instance, actor=actor, before=before)
    instance.delete()


def is_used(instance: models.Model) -> bool:
    """Whether rows that must stay refer to it. Asks for one row each: collecting them all could be a million."""
    return any(
        relation.related_model._base_manager.filter(**{relation.field.name: instance}).exists()
        for relation in instance._meta.related_objects
        if relation.on_delete is models.PROTECT
    )


@transaction.atomic
def set_product_status(*, product: Product, status: str, actor: Actor) -> bool:
    """Make a product active or inactive; False when it is so already."""
    locked = Product.objects.select_for_update().get(pk=product.pk)
    if locked.status == status:
        return False
    locked.status = status
    save_record(locked, created=False, changed_fields=["status"], actor=actor)
    return True


@transaction.atomic
def create_license_key(*, product: Product, license_key: str = "", actor: Actor, **fields: Any) -> LicenseKey:
    """One new available license key, its text generated when none is given; ValidationError names a bad field."""
    created = LicenseKey(product=product, license_key=license_key or generate_text(), **fields)
    created.full_clean()
    created.save(force_insert=True)
    record(Kind.LICENSE_KEY_CREATED, created, actor=actor, after={"product": product.name})
    return created


def generate_text() -> str:
    """A license key's text of 125 random bits, in groups that can be read out."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


@transaction.atomic
def delete_license_key(*, license_key: str, actor: Actor) -> None:
    """Delete a license key nobody has had yet; ValidationError for any other, which is blocked instead."""
    found = lock_license_key(license_key)
    if not is_deletable(found):
        raise ValidationError("Only an available license key without a history can be deleted. Block this one.")
    record(Kind.LICENSE_KEY_DELETED, found, actor=actor, before={"product": found.product.name})
    found.delete()


def is_deletable(found: LicenseKey) -> bool:
    """Whether the license key has never been anybody's: no activation, no row of a bulk assignment."""
    if found.status != LicenseKey.Status.AVAILABLE:
        return False
    return not (found.activations.exists() or AssignmentRow.objects.filter(license_key=found).exists())


def _record(verb: str, instance: models.Model, *, actor: Actor, **facts: dict[str, Any]) -> None:
    """The audit row of a record; metadata is recorded at what it belongs to, where people look for it."""
    target = getattr(instance, "license_key", None) or getattr(instance, "product", None) or instance
    record(Kind(f"{NOUNS[type(instance)]}.{verb}"), target, actor=actor, **facts)


def _facts(instance: models.Model, fields: Iterable[str] | None = None) -> dict[str, Any]:
    """The named fields as JSON values; by default those that people fill in."""
    if isinstance(instance, LicenseKeyMetadata | ProductMetadata):
        return {instance.name: instance.value}
    fields = fields or [field.name for field in instance._meta.concrete_fields if _is_filled_in(instance, field)]
    values = {name: getattr(instance, name) for name in fields}
    return {name: value.isoformat() if isinstance(value, datetime) else value for name, value in values.items()}


def _is_filled_in(instance: models.Model, field: "models.Field[Any, Any]") -> bool:
    return field.editable and not field.primary_key and field.value_from_object(instance) not in field.empty_values


def _stamps(instance: models.Model) -> list[str]:
    return ["updated_at"] if hasattr(instance, "updated_at") else []
