"""What staff and shops do to one license key: create, assign, block, unblock, extend, update, delete."""

from datetime import datetime, timedelta
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from licenses.codes import Code, Refused
from licenses.events import Kind, event, record, record_many
from licenses.models import Actor, AssignmentRow, AuditEvent, LicenseKey, Owner, Product
from licenses.models.license_keys import MAX_VALIDITY_DAYS, NEVER_EXPIRES, UNLIMITED
from licenses.services.activations import end_activations
from licenses.services.lookup import lock_license_key
from licenses.services.owners import find_or_create_owner
from licenses.services.stock import generate_text

HANDED_OVER = ("status", "owner", "assigned_at", "expires_at", "reference", "updated_at")
UPDATABLE = ("activation_limit", "validity_days", "expires_at", "reference")


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


def hand_over(found: LicenseKey, *, to: Owner, at: datetime, reference: str = "") -> None:
    """Set on the object what an assignment sets; the caller saves it. The clock of the validity starts at `at`."""
    found.status, found.owner, found.assigned_at = LicenseKey.Status.ASSIGNED, to, at
    found.expires_at = found.expiry_from(at)
    found.reference = reference or found.reference


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
    before = found.status
    found.status = LicenseKey.Status.BLOCKED
    found.save(update_fields=["status", "updated_at"])
    record(
        Kind.LICENSE_KEY_BLOCKED,
        found,
        actor=actor,
        before={"status": before},
        after={"status": found.status},
    )
    end_activations(list(found.activations.live()), of=found, actor=actor)
    return True


@transaction.atomic
def unblock_license_key(*, license_key: str, actor: Actor) -> bool:
    """Take a block back: assigned again if it has an owner, else available. False when it was not blocked."""
    found = lock_license_key(license_key)
    if not found.is_blocked:
        return False
    found.status = LicenseKey.Status.ASSIGNED if found.owner_id else LicenseKey.Status.AVAILABLE
    found.save(update_fields=["status", "updated_at"])
    record(
        Kind.LICENSE_KEY_UNBLOCKED,
        found,
        actor=actor,
        before={"status": LicenseKey.Status.BLOCKED},
        after={"status": found.status},
    )
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
    _write(found, changes, kind=Kind.LICENSE_KEY_EXTENDED, actor=actor)
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
    changes = {field: value for field, value in changes.items() if getattr(found, field) != value}
    if changes.get("expires_at") and found.owner_id is None:
        raise ValidationError({"expires_at": "A license key expires only once it is assigned; set its validity."})
    _write(found, changes, kind=Kind.LICENSE_KEY_UPDATED, actor=actor)
    if "activation_limit" in changes:
        require_limit_fits(found, found.activation_limit)
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
    record(Kind.LICENSE_KEY_DELETED, found, actor=actor, before={"product": found.product.name})
    found.delete()


def is_deletable(found: LicenseKey) -> bool:
    """Whether the license key has never been anybody's: no activation, no row of a bulk assignment."""
    if found.status != LicenseKey.Status.AVAILABLE:
        return False
    return not (found.activations.exists() or AssignmentRow.objects.filter(license_key=found).exists())


def _write(found: LicenseKey, changes: dict[str, Any], *, kind: Kind, actor: Actor) -> None:
    """Set, validate, save and record the changed fields; nothing at all when there are none."""
    if not changes:
        return
    before = {field: getattr(found, field) for field in changes}
    for field, value in changes.items():
        setattr(found, field, value)
    found.full_clean(validate_unique=False)
    found.save(update_fields=[*changes, "updated_at"])
    record(kind, found, actor=actor, before=_as_json(before), after=_as_json(changes))


def _as_json(values: dict[str, Any]) -> dict[str, Any]:
    return {field: value.isoformat() if isinstance(value, datetime) else value for field, value in values.items()}
