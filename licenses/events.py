"""What can happen, and the one way it is recorded: an audit row in the transaction of the change."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from django.db import models

from licenses.models import Actor, ApiKey, AuditEvent, Door, LicenseKey


class Kind(StrEnum):
    """The table of event kinds, `noun.past_participle`."""

    PRODUCT_CREATED = "product.created"
    PRODUCT_UPDATED = "product.updated"
    PRODUCT_DELETED = "product.deleted"
    OWNER_CREATED = "owner.created"
    OWNER_UPDATED = "owner.updated"
    OWNER_DELETED = "owner.deleted"
    LICENSE_KEY_CREATED = "license_key.created"
    LICENSE_KEY_UPDATED = "license_key.updated"
    LICENSE_KEY_DELETED = "license_key.deleted"
    LICENSE_KEY_ASSIGNED = "license_key.assigned"
    LICENSE_KEY_BLOCKED = "license_key.blocked"
    LICENSE_KEY_UNBLOCKED = "license_key.unblocked"
    LICENSE_KEY_EXTENDED = "license_key.extended"
    ACTIVATION_ACTIVATED = "activation.activated"
    ACTIVATION_DEACTIVATED = "activation.deactivated"
    METADATA_CREATED = "metadata.created"
    METADATA_UPDATED = "metadata.updated"
    METADATA_DELETED = "metadata.deleted"
    GENERATOR_CREATED = "generator.created"
    GENERATOR_UPDATED = "generator.updated"
    GENERATOR_DELETED = "generator.deleted"
    CONTRACT_CREATED = "contract.created"
    CONTRACT_UPDATED = "contract.updated"
    CONTRACT_DELETED = "contract.deleted"
    RELEASE_CREATED = "release.created"
    RELEASE_UPDATED = "release.updated"
    RELEASE_DELETED = "release.deleted"
    DOWNLOADABLE_CREATED = "downloadable.created"
    DOWNLOADABLE_UPDATED = "downloadable.updated"
    DOWNLOADABLE_DELETED = "downloadable.deleted"
    BLOCK_LIST_ENTRY_CREATED = "block_list_entry.created"
    BLOCK_LIST_ENTRY_UPDATED = "block_list_entry.updated"
    BLOCK_LIST_ENTRY_DELETED = "block_list_entry.deleted"
    ASSIGNMENT_QUEUED = "assignment.queued"
    ASSIGNMENT_DELIVERED = "assignment.delivered"
    ASSIGNMENT_UNDELIVERED = "assignment.undelivered"
    ASSIGNMENT_SENT_AGAIN = "assignment.sent_again"
    LICENSE_FILE_MADE = "license_file.made"
    SIGNING_KEY_CREATED = "signing_key.created"
    SIGNING_KEY_RETIRED = "signing_key.retired"
    API_KEY_CREATED = "api_key.created"
    API_KEY_UPDATED = "api_key.updated"
    API_KEY_REVOKED = "api_key.revoked"
    SETTING_CHANGED = "setting.changed"
    SETTING_REFUSED = "setting.refused"


def record(
    kind: Kind,
    target: models.Model,
    *,
    actor: Actor,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> None:
    """Write the audit row of one change. Call it inside the transaction that makes the change.

    `before` and `after` hold the fields that changed, as JSON values, and no secrets.
    """
    event(kind, target, actor=actor, before=before, after=after).save(force_insert=True)


def record_many(events: Iterable[AuditEvent]) -> None:
    """Write many audit rows at once; `event` makes them."""
    AuditEvent.objects.bulk_create(events, batch_size=1000)


def event(
    kind: Kind,
    target: models.Model,
    *,
    actor: Actor,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
) -> AuditEvent:
    """An audit row that is not saved yet."""
    return AuditEvent(
        kind=kind,
        door=actor.door,
        actor=actor.name[:255],
        address=actor.address,
        object_type=target._meta.model_name or "",
        object_id=target.pk,
        object_label=_label(target),
        before=dict(before or {}),
        after=dict(after or {}),
    )


def _label(target: models.Model) -> str:
    """How people recognise the object; a license key is masked because it is a secret."""
    if isinstance(target, LicenseKey):
        return target.masked
    if isinstance(target, ApiKey):
        return target.name
    return str(target)[:255]


def record_setting(kind: str, *, name: str, actor: str, address: str | None, door: str, source: str) -> None:
    """The audit row of a portal setting: who, through which door, which field, where its value comes from; no value."""
    AuditEvent.objects.create(
        kind=Kind(kind),
        door=Door(door),
        actor=actor[:255],
        address=address,
        object_type="setting",
        object_label=name,
        after={"source": source},
    )
