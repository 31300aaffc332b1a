"""What a shop's program changes of one license key in one call: its status, owner, product and terms."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from licenses.codes import Code
from licenses.events import Kind
from licenses.models import Actor, LicenseKey, Owner, Product
from licenses.services.license_keys import write_changes
from licenses.services.lookup import lock_license_key
from licenses.services.owners import find_or_create_owner
from licenses.services.records import save_record

Status = LicenseKey.Status
FREE = (Status.AVAILABLE, Status.RESERVED)  # these have no owner, and no dates that begin with one
NOBODY = {"owner": None, "assigned_at": None, "expires_at": None}
TERMS = ("product", "activation_limit", "validity_days", "features")  # what a license key has in any status


@dataclass(frozen=True, slots=True)
class Revision:
    """What to change; None or an empty text leaves it as it is."""

    product: Product | None = None
    owner_name: str = ""
    owner_email: str = ""
    activation_limit: int | None = None
    validity_days: int | None = None
    status: str = ""
    assigned_at: datetime | None = None
    features: dict[str, Any] | None = None

    @property
    def names_owner(self) -> bool:
        return bool(self.owner_name or self.owner_email)


@transaction.atomic
def revise_license_key(*, license_key: str, revision: Revision, actor: Actor) -> LicenseKey:
    """Change what the revision says, all of it or nothing. Refuses 952 for an unknown license key.

    A key that becomes available or reserved loses its owner and its dates, and one that is no longer assigned runs
    nowhere. The expiry is computed anew when the assignment or the validity changes, else it stays: staff may have
    moved it. ValidationError names what cannot be so, an activation limit below the live activations for example.
    """
    found = lock_license_key(license_key, or_refuse=Code.UPDATE_LICENSE_KEY_NOT_FOUND)
    before, status = found.status, revision.status or found.status
    _require_sense(found, revision)
    terms = {name: getattr(revision, name) for name in TERMS if getattr(revision, name) is not None}
    holder = NOBODY if status in FREE else _holder(found, revision, status=status, actor=actor)
    write_changes(found, {**terms, "status": status, **holder}, kind=_kind(before, status), actor=actor)
    return found


def _require_sense(found: LicenseKey, revision: Revision) -> None:
    if revision.product and found.contract_id and revision.product.pk != found.product_id:
        raise ValidationError({"product": "It belongs to a contract about another product."})
    if revision.status or found.status not in FREE:
        return
    problem = f"This license key is {found.status}: nobody owns it. Send the status assigned, too."
    if revision.names_owner:
        raise ValidationError({"owner_email" if revision.owner_email else "owner_name": problem})
    if revision.assigned_at:
        raise ValidationError({"assigned_at": problem})


def _holder(found: LicenseKey, revision: Revision, *, status: str, actor: Actor) -> dict[str, Any]:
    """Owner and dates of a license key that is assigned or blocked; a blocked one needs neither."""
    asked = revision.names_owner or revision.assigned_at
    if found.owner is None and status == Status.BLOCKED and not asked:
        return {}
    assigned_at = _assigned_at(found, revision.assigned_at)
    days = found.validity_days if revision.validity_days is None else revision.validity_days
    holder = {"owner": _owner(found, revision, actor=actor), "assigned_at": assigned_at}
    if (assigned_at, days) == (found.assigned_at, found.validity_days):
        return holder
    return holder | {"expires_at": LicenseKey(validity_days=days).expiry_from(assigned_at)}


def _assigned_at(found: LicenseKey, wanted: datetime | None) -> datetime:
    """When it was or is assigned. The protocol's dates end at the second: such a one may be the stored one again."""
    stored = found.assigned_at
    if wanted is None or (stored and wanted == stored.replace(microsecond=0)):
        return stored or timezone.now()
    return wanted


def _owner(found: LicenseKey, revision: Revision, *, actor: Actor) -> Owner:
    """The owner with the e-mail address, else the one it has, else a new one; by the name that the revision gives."""
    name, email = revision.owner_name, revision.owner_email
    owner = None if "@" in email else found.owner
    owner = owner or find_or_create_owner(name=name, email=email, actor=actor)
    if name and owner.name != name:
        owner.name = name
        save_record(owner, changed_fields=("name",), actor=actor)
    return owner


def _kind(before: str, after: str) -> Kind:
    """What the change is called: by what it does to the status, if it does."""
    if before == after:
        return Kind.LICENSE_KEY_UPDATED
    if after == Status.BLOCKED:
        return Kind.LICENSE_KEY_BLOCKED
    if before == Status.BLOCKED:
        return Kind.LICENSE_KEY_UNBLOCKED
    return Kind.LICENSE_KEY_ASSIGNED if after == Status.ASSIGNED else Kind.LICENSE_KEY_UPDATED
