"""Saving and deleting simple records, each with its audit row."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import models, transaction

from licenses.events import Kind, record
from licenses.models import (
    Actor,
    ApiKey,
    BlockListEntry,
    Contract,
    Downloadable,
    Generator,
    LicenseKeyMetadata,
    Owner,
    Product,
    ProductMetadata,
    Release,
)

NOUNS: dict[type[models.Model], str] = {
    ApiKey: "api_key",
    BlockListEntry: "block_list_entry",
    Contract: "contract",
    Downloadable: "downloadable",
    Generator: "generator",
    LicenseKeyMetadata: "metadata",
    Owner: "owner",
    Product: "product",
    ProductMetadata: "metadata",
    Release: "release",
}

SECRETS = ("contract_key",)  # fields that name a right; the audit does without them


@transaction.atomic
def save_record(instance: models.Model, *, changed_fields: Sequence[str] = (), actor: Actor) -> None:
    """Write a record of `NOUNS`: all of it when it is new, else the changed fields alone.

    ValidationError names a field that cannot be so, or says that the record was deleted meanwhile.
    """
    instance.full_clean()
    if instance._state.adding:
        instance.save(force_insert=True)
        _record("created", instance, actor=actor, after=_facts(instance))
        return
    if not changed_fields:
        return
    before = _locked(instance)
    instance.save(update_fields=[*changed_fields, *_stamps(instance)])
    _record(
        "updated", instance, actor=actor, before=_facts(before, changed_fields), after=_facts(instance, changed_fields)
    )


@transaction.atomic
def delete_record(instance: models.Model, *, actor: Actor) -> None:
    """Delete a record of `NOUNS`; ValidationError when others need it, or somebody else has deleted it.

    Who refers to it shares its lock when that is committed, so nobody does between the question and the deletion.
    """
    _locked(instance)
    if is_used(instance):
        raise ValidationError(f"{instance} is needed by other records, so it stays.")
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


def _locked(instance: models.Model) -> models.Model:
    """The row as it is stored now, and as it stays until the transaction ends."""
    found = type(instance)._default_manager.select_for_update(of=("self",)).filter(pk=instance.pk).first()
    if found is None:
        raise ValidationError("It was deleted in the meantime.")
    return found


def _record(verb: str, instance: models.Model, *, actor: Actor, **facts: dict[str, Any]) -> None:
    """The audit row of a record; metadata is recorded at what it belongs to, where people look for it."""
    target = instance
    if isinstance(instance, LicenseKeyMetadata):
        target = instance.license_key
    elif isinstance(instance, ProductMetadata):
        target = instance.product
    record(Kind(f"{NOUNS[type(instance)]}.{verb}"), target, actor=actor, **facts)


def _facts(instance: models.Model, fields: Iterable[str] | None = None) -> dict[str, Any]:
    """The named fields as JSON values; by default those that people fill in."""
    if isinstance(instance, LicenseKeyMetadata | ProductMetadata):
        return {instance.name: instance.value}
    fields = fields or [field.name for field in instance._meta.concrete_fields if _is_filled_in(instance, field)]
    values = {name: instance._meta.get_field(name).value_from_object(instance) for name in fields}  # type: ignore[union-attr]
    return {name: _as_json(value) for name, value in values.items() if name not in SECRETS}


def _as_json(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, str | int | float | list | dict) else str(value)


def _is_filled_in(instance: models.Model, field: "models.Field[Any, Any]") -> bool:
    return field.editable and not field.primary_key and field.value_from_object(instance) not in field.empty_values


def _stamps(instance: models.Model) -> list[str]:
    return ["updated_at"] if hasattr(instance, "updated_at") else []
