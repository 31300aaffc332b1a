"""What staff and shops do to one license key: create, assign, block, unblock, extend, update, delete, destroy."""

from collections.abc import Sequence
from copy import copy
from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import Model, Prefetch, prefetch_related_objects
from django.utils import timezone

from licenses.codes import Code, Refused
from licenses.events import Kind, event, record, record_many
from licenses.models import Activation, Actor, AssignmentRow, AuditEvent, LicenseKey, LicenseKeyMetadata, Owner, Product
from licenses.models.license_keys import MAX_VALIDITY_DAYS, NEVER_EXPIRES, UNLIMITED
from licenses.services.activations import activate_license, end_activations
from licenses.services.lookup import lock_license_key
from licenses.services.owners import find_or_create_owner
from licenses.services.stock import generate_text

HANDED_OVER = ("status", "owner", "assigned_at", "expires_at", "reference", "updated_at")
KEPT_ROWS = 100  # how many activations and names of metadata the audit keeps of a license key that is destroyed
KEPT: dict[str, type[Model]] = {"activations": Activation, "metadata": LicenseKeyMetadata}
REMEMBERED = ("status", "activation_limit", "validity_days", "assigned_at", "expires_at", "reference", "features")
UPDATABLE = ("activation_limit", "validity_days", "expires_at", "reference", "features")


@transaction.atomic
def create_license_key(*, product: Product, license_key: str = "", actor: Actor, **fields: Any) -> LicenseKey:
    """One new available license key, its text generated when none is given; ValidationError names a bad field."""
    created = LicenseKey(product=product, license_key=license_key or generate_text(), **fields)
    created.full_clean()
    created.save(force_insert=True)
    record(Kind.LICENSE_KEY_CREATED, created, actor=actor, after={"product": product.name})
    return created


@transaction.atomic
def assign_license_key(
    *, license_key: str, owner_name: str = "", owner_email: str = "", reference: str = "", actor: Actor
) -> LicenseKey:
    """Give an available license key to an owner; refuses 801 for any other key."""
    found = LicenseKey.objects.select_for_update().filter(license_key=license_key).first()
    if found is None or found.status != LicenseKey.Status.AVAILABLE:
        raise Refused(Code.LICENSE_KEY_NOT_AVAILABLE)
    owner = find_or_create_owner(name=owner_name, email=owner_email, actor=actor)
    hand_over(found, to=owner, at=timezone.now(), reference=reference)
    found.save(update_fields=HANDED_OVER)
    record_many([assigned_event(found, actor=actor)])
    return found


@transaction.atomic
def assign_and_activate(
    *, license_key: str, identifier: str, owner_name: str = "", owner_email: str = "", post_url: str = "", actor: Actor
) -> LicenseKey:
    """Give an available license key to an owner and let it run at `identifier`: both or nothing."""
    assign_license_key(license_key=license_key, owner_name=owner_name, owner_email=owner_email, actor=actor)
    return activate_license(license_key=license_key, identifier=identifier, post_url=post_url, actor=actor)


def hand_over(found: LicenseKey, *, to: Owner, at: datetime, reference: str = "") -> None:
    """Set on the object what an assignment sets; the caller saves it. The clock of the validity starts at `at`."""
    found.status, found.owner, found.assigned_at = LicenseKey.Status.ASSIGNED, to, at
    found.expires_at = found.expiry_from(at)
    found.reference = reference or found.reference


def store_handed_over(keys: Sequence[LicenseKey], *, actor: Actor) -> None:
    """Write many license keys after `hand_over`, and record each. They exist, and the caller has locked them."""
    _store_many(keys)
    record_many(assigned_event(found, actor=actor) for found in keys)


def _store_many(keys: Sequence[LicenseKey]) -> None:
    # All of these rows exist and are locked, so each insert meets its row and updates it: one plain statement, where
    # bulk_update compiles a CASE for every row and field and is many times slower
    created = [found.created_at for found in keys]
    LicenseKey.objects.bulk_create(keys, update_conflicts=True, unique_fields=["pk"], update_fields=HANDED_OVER)
    for found, created_at in zip(keys, created, strict=True):
        found.created_at = created_at  # the insert has stamped the object, not the row


def store_taken_back(keys: Sequence[LicenseKey], *, actor: Actor) -> None:
    """Make many assigned license keys available again, and record each. The caller has locked them."""
    events = []
    for found in keys:
        before = {"status": found.status, "owner": found.owner_id}
        found.status, found.owner, found.assigned_at, found.expires_at = LicenseKey.Status.AVAILABLE, None, None, None
        after = {"status": found.status}
        events.append(event(Kind.LICENSE_KEY_TAKEN_BACK, found, actor=actor, before=before, after=after))
    _store_many(keys)
    record_many(events)


def assigned_event(found: LicenseKey, *, actor: Actor) -> AuditEvent:
    """What the audit says about an assignment."""
    after = {
        "status": found.status,
        "owner": found.owner_id,
        "expires_at": found.expires_at.isoformat() if found.expires_at else None,
        "reference": found.reference,
    }
    before = {"status": LicenseKey.Status.AVAILABLE}
    return event(Kind.LICENSE_KEY_ASSIGNED, found, actor=actor, before=before, after=after)


@transaction.atomic
def block_license_key(*, license_key: str, actor: Actor) -> bool:
    """Block the license key and end its activations (S4); False when it was blocked already."""
    found = lock_license_key(license_key)
    if found.is_blocked:
        return False
    _store(found, {"status": LicenseKey.Status.BLOCKED}, kind=Kind.LICENSE_KEY_BLOCKED, actor=actor)
    return True


@transaction.atomic
def unblock_license_key(*, license_key: str, actor: Actor) -> bool:
    """Take a block back: assigned again if it has an owner, else available. False when it was not blocked."""
    found = lock_license_key(license_key)
    if not found.is_blocked:
        return False
    status = LicenseKey.Status.ASSIGNED if found.owner_id else LicenseKey.Status.AVAILABLE
    _store(found, {"status": status}, kind=Kind.LICENSE_KEY_UNBLOCKED, actor=actor)
    return True


@transaction.atomic
def extend_license_key(*, license_key: str, days: int, actor: Actor) -> bool:
    """Move the expiry `days` further; False for a key that never expires, which stays as it is.

    An expired key counts from today, so that extending it makes it work again. A key without an owner gets a longer
    validity instead.
    """
    if not 1 <= days <= MAX_VALIDITY_DAYS:
        raise ValidationError({"days": f"Extend by 1 to {MAX_VALIDITY_DAYS} days."})
    found = lock_license_key(license_key)
    if found.expires_at is not None:
        changes: dict[str, Any] = {"expires_at": _later(max(found.expires_at, timezone.now()), days)}
    elif found.owner_id is None and found.validity_days != NEVER_EXPIRES:
        changes = {"validity_days": found.validity_days + days}
    else:
        return False
    write_changes(found, changes, kind=Kind.LICENSE_KEY_EXTENDED, actor=actor)
    return True


def _later(moment: datetime, days: int) -> datetime:
    try:
        return moment + timedelta(days=days)
    except OverflowError as error:
        raise ValidationError({"days": "The expiry would lie beyond the year 9999."}) from error


@transaction.atomic
def update_license_key(*, license_key: str, changes: dict[str, Any], actor: Actor) -> LicenseKey:
    """Set any of `UPDATABLE`. ValidationError names the field that cannot be set so; nothing is written then."""
    found = lock_license_key(license_key)
    if unknown := set(changes) - set(UPDATABLE):
        raise ValidationError(f"These fields cannot be set: {', '.join(sorted(unknown))}.")
    if changes.get("expires_at") and found.owner_id is None:
        raise ValidationError({"expires_at": "A license key expires only once it is assigned; set its validity."})
    write_changes(found, changes, kind=Kind.LICENSE_KEY_UPDATED, actor=actor)
    return found


def require_limit_fits(found: LicenseKey, limit: int) -> None:
    """The number of live activations never passes the limit, so a limit below it is no valid input."""
    live = found.activations.live().count() if limit != UNLIMITED else 0
    if live > limit:
        raise ValidationError(
            {"activation_limit": f"{live} activations are live. Deactivate {live - limit} of them first."}
        )


@transaction.atomic
def delete_license_key(*, license_key: str, actor: Actor) -> None:
    """Delete a license key nobody has had yet; ValidationError for any other, which is blocked instead."""
    found = lock_license_key(license_key)
    if not is_deletable(found):
        raise ValidationError("Only an available license key without a history can be deleted. Block this one.")
    destroy(found, actor=actor)


@transaction.atomic
def destroy_license_key(*, license_key: str, actor: Actor) -> LicenseKey:
    """Delete a license key in any state, with its activations and metadata; refuses 851 when there is none."""
    found = lock_license_key(license_key, or_refuse=Code.DELETE_LICENSE_KEY_NOT_FOUND)
    destroy(found, actor=actor)
    return found


def destroy(found: LicenseKey, *, actor: Actor) -> None:
    """Delete a license key that the caller's transaction has locked; the audit keeps what it was."""
    destroy_many([found], actor=actor)


@transaction.atomic
def destroy_many(keys: Sequence[LicenseKey], *, actor: Actor) -> None:
    """Delete license keys that the caller's transaction has locked, in few statements."""
    kept = [Prefetch(name, model._default_manager.all()[:KEPT_ROWS], f"kept_{name}") for name, model in KEPT.items()]
    prefetch_related_objects(keys, "product", "owner", *kept)
    record_many(event(Kind.LICENSE_KEY_DELETED, found, actor=actor, before=_all_about(found)) for found in keys)
    LicenseKey.objects.filter(pk__in=[found.pk for found in keys]).delete()


def _all_about(found: Any) -> dict[str, Any]:
    """What is left of a license key after it: all but its text, which is a secret."""
    facts = {field: getattr(found, field) for field in REMEMBERED if getattr(found, field) is not None}
    return {
        "product": found.product.name,
        **_as_json(facts),
        "owner": found.owner_id,
        "owner_email": found.owner.email if found.owner else "",
        "contract": found.contract_id,
        "activations": [activation.identifier for activation in found.kept_activations],
        "metadata": {metadata.name: metadata.value for metadata in found.kept_metadata},
    }


def is_deletable(found: LicenseKey) -> bool:
    """Whether the license key has never been anybody's: no activation, no row of a bulk assignment."""
    if found.status != LicenseKey.Status.AVAILABLE:
        return False
    return not (found.activations.exists() or AssignmentRow.objects.filter(license_key=found).exists())


def write_changes(found: LicenseKey, changes: dict[str, Any], *, kind: Kind, actor: Actor) -> None:
    """Set, validate, save and record the fields of a locked key that differ; nothing at all when none does.

    ValidationError names the field that cannot be set so; let it undo the transaction.
    """
    changes = {field: value for field, value in changes.items() if getattr(found, field) != value}
    if not changes:
        return
    changed = copy(found)
    _set(changed, changes)
    changed.clean_fields(exclude={field.name for field in found._meta.fields} - set(changes))
    try:
        with transaction.atomic():
            _store(found, {field: getattr(changed, field) for field in changes}, kind=kind, actor=actor)
    except IntegrityError:
        changed.validate_constraints()  # in words; asked only now, because each is a query of its own
        raise
    if "activation_limit" in changes:
        require_limit_fits(found, found.activation_limit)


def _store(found: LicenseKey, changes: dict[str, Any], *, kind: Kind, actor: Actor) -> None:
    """Save and record these fields. A license key runs nowhere once it is not assigned: its activations end (S4)."""
    before = {field: getattr(found, field) for field in changes}
    _set(found, changes)
    found.save(update_fields=[*changes, "updated_at"])
    record(kind, found, actor=actor, before=_as_json(before), after=_as_json(changes))
    if "status" in changes and not found.is_assigned:
        end_activations(found.activations.live(), actor=actor)


def _set(found: LicenseKey, changes: dict[str, Any]) -> None:
    for field, value in changes.items():
        setattr(found, field, value)


def _as_json(values: dict[str, Any]) -> dict[str, Any]:
    return {field: _plain(value) for field, value in values.items()}


def _plain(value: Any) -> Any:
    """An owner by number, as the history shows names for it; everything else as people read it."""
    if isinstance(value, Owner):
        return value.pk
    if isinstance(value, Product):
        return value.name
    return value.isoformat() if isinstance(value, datetime) else value
