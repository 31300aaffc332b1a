"""What can happen, and the one way it is recorded: an audit row in the transaction of the change."""

from collections.abc import Iterable, Mapping
from enum import StrEnum
from typing import Any

from django.db import models

from licenses.audit_chain import link_soon
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
    LICENSE_KEY_TAKEN_BACK = "license_key.taken_back"
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
    ASSIGNMENT_UPLOADED = "assignment.uploaded"
    ASSIGNMENT_STARTED = "assignment.started"
    ASSIGNMENT_PAUSED = "assignment.paused"
    ASSIGNMENT_RESUMED = "assignment.resumed"
    ASSIGNMENT_CANCELLED = "assignment.cancelled"
    ASSIGNMENT_FINISHED = "assignment.finished"
    ASSIGNMENT_FAILED = "assignment.failed"
    ASSIGNMENT_UNDOING = "assignment.undoing"
    ASSIGNMENT_UNDONE = "assignment.undone"
    LICENSE_FILE_MADE = "license_file.made"
    SIGNING_KEY_CREATED = "signing_key.created"
    SIGNING_KEY_IMPORTED = "signing_key.imported"
    SIGNING_KEY_ACTIVATED = "signing_key.activated"
    SIGNING_KEY_RETIRED = "signing_key.retired"
    SIGNING_KEY_COMPROMISED = "signing_key.compromised"
    VAULT_REENCRYPTED = "vault.reencrypted"
    API_KEY_CREATED = "api_key.created"
    API_KEY_UPDATED = "api_key.updated"
    API_KEY_REVOKED = "api_key.revoked"
    STAFF_CREATED = "staff.created"
    STAFF_UPDATED = "staff.updated"
    STAFF_DELETED = "staff.deleted"
    STAFF_PASSWORD_SET = "staff.password_set"  # noqa: S105  on the account's page in the admin
    STAFF_PASSWORD_CHANGED = "staff.password_changed"  # noqa: S105  by whoever knew the old one
    STAFF_SIGNED_IN = "staff.signed_in"
    STAFF_SIGNED_OUT = "staff.signed_out"
    STAFF_LOCKED_OUT = "staff.locked_out"
    STAFF_UNLOCKED = "staff.unlocked"
    STAFF_SECOND_FACTOR_ADDED = "staff.second_factor_added"
    STAFF_SECOND_FACTOR_REMOVED = "staff.second_factor_removed"
    STAFF_SECOND_FACTOR_RESET = "staff.second_factor_reset"
    STAFF_RECOVERY_CODES_MADE = "staff.recovery_codes_made"
    STAFF_SESSIONS_ENDED = "staff.sessions_ended"
    STAFF_ADMITTED = "staff.admitted"
    STAFF_TURNED_AWAY = "staff.turned_away"
    ROLE_CREATED = "role.created"
    ROLE_UPDATED = "role.updated"
    ROLE_DELETED = "role.deleted"
    SETTING_CHANGED = "setting.changed"
    SETTING_REFUSED = "setting.refused"
    AUDIT_PRUNED = "audit.pruned"
    EXPORT_MADE = "export.made"
    IMPORT_MADE = "import.made"


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
    link_soon()


def record_many(events: Iterable[AuditEvent]) -> None:
    """Write many audit rows at once; `event` makes them."""
    if AuditEvent.objects.bulk_create(events, batch_size=1000):
        link_soon()


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


def record_address(kind: Kind, address: str, *, actor: Actor, after: Mapping[str, Any] | None = None) -> None:
    """The audit row of something that is about an address, and no row of a table."""
    _record_named(kind, "address", address, actor=actor, after=after)


def record_file(kind: Kind, noun: str, *, actor: Actor, after: Mapping[str, Any]) -> None:
    """The audit row of a spreadsheet that was exported or imported: of which noun, and what; none of its contents."""
    _record_named(kind, "spreadsheet", noun, actor=actor, after=after)


def record_setting(kind: str, *, name: str, actor: str, address: str | None, door: str, source: str) -> None:
    """The audit row of a portal setting: who, through which door, which field, where its value comes from; no value."""
    who = Actor(Door(door), actor, address)
    _record_named(Kind(kind), "setting", name, actor=who, after={"source": source})


def _record_named(kind: Kind, what: str, name: str, *, actor: Actor, after: Mapping[str, Any] | None) -> None:
    AuditEvent.objects.create(
        kind=kind,
        door=actor.door,
        actor=actor.name[:255],
        address=actor.address,
        object_type=what,
        object_label=name[:255],
        after=dict(after or {}),
    )
    link_soon()
