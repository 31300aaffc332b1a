"""Taking back what a bulk assignment did, where nobody has touched it since."""

from collections.abc import Iterable

from django.db.models import Count, Max

from licenses.events import Kind, event, record_many
from licenses.models import Activation, Actor, Assignment, AssignmentRow, AuditEvent, LicenseKey, Owner
from licenses.services.license_keys import store_taken_back

DELETED = "Not undone: the license key was deleted since."
CHANGED_HANDS = "Not undone: the license key is no longer assigned as this run did it."
BLOCKED = "Not undone: the license key was blocked since."
ACTIVATED = "Not undone: the license key was activated since."
CHANGED = "Not undone: the license key was changed since."


def undo_rows(rows: list[AssignmentRow], *, assignment: Assignment, actor: Actor) -> int:
    """Take back these rows, in the caller's transaction: how many. The others say in `problem` why they stay.

    Owners that the run has made, and that nobody has touched since, go with their last license key.
    """
    numbers = [row.license_key_id for row in rows if row.license_key_id]
    keys = {found.pk: found for found in LicenseKey.objects.select_for_update().filter(pk__in=numbers).order_by("pk")}
    activated, latest = _activated(keys), _latest_kinds(keys)
    taken: list[LicenseKey] = []
    for row in rows:
        found = keys.get(row.license_key_id or 0)
        row.problem = _reason(row, found, activated, latest)
        row.outcome = AssignmentRow.Outcome.ASSIGNED if row.problem else AssignmentRow.Outcome.UNDONE
        if found and not row.problem:
            found.reference = row.reference_before
            taken.append(found)
    owners = {found.owner_id for found in taken if found.owner_id}
    store_taken_back(taken, actor=actor)
    # The rows exist and are held, so each insert meets its row: bulk_update is many times slower
    AssignmentRow.objects.bulk_create(
        rows, update_conflicts=True, unique_fields=["pk"], update_fields=["outcome", "problem"]
    )
    _delete_owners(owners, assignment=assignment, actor=actor)
    return len(taken)


def _reason(row: AssignmentRow, found: LicenseKey | None, activated: set[int], latest: dict[int | None, str]) -> str:
    """Why this row stays; empty when it is untouched."""
    if found is None:
        return DELETED
    if found.is_blocked:
        return BLOCKED
    if not found.is_assigned or found.assigned_at != row.assigned_at:
        return CHANGED_HANDS
    if found.pk in activated:
        return ACTIVATED
    return "" if latest.get(found.pk) == Kind.LICENSE_KEY_ASSIGNED else CHANGED


def _activated(keys: dict[int, LicenseKey]) -> set[int]:
    """Those that have run somewhere since they were assigned."""
    last = Activation.objects.filter(license_key__in=keys).values("license_key").annotate(at=Max("activated_at"))
    return {
        number
        for number, at in last.order_by().values_list("license_key", "at")
        if (assigned_at := keys[number].assigned_at) and at >= assigned_at
    }


def _latest_kinds(keys: Iterable[int]) -> dict[int | None, str]:
    """The last audit event of each license key: whatever came after the assignment has touched it."""
    events = AuditEvent.objects.filter(object_type="licensekey", object_id__in=list(keys)).order_by()
    latest = events.values("object_id").annotate(latest=Max("pk")).values("latest")
    return dict(AuditEvent.objects.filter(pk__in=latest).values_list("object_id", "kind"))


def _delete_owners(numbers: set[int], *, assignment: Assignment, actor: Actor) -> None:
    """Locked first: who refers to an owner shares its lock, so nobody does between the question and the deletion."""
    fresh = Owner.objects.filter(pk__in=numbers, created_at__gte=assignment.started_at)
    owners = list(fresh.select_for_update().order_by("pk"))
    needed = set(LicenseKey.objects.filter(owner__in=owners).values_list("owner", flat=True))
    events = AuditEvent.objects.filter(object_type="owner", object_id__in=[owner.pk for owner in owners]).order_by()
    touched = set(
        events.values("object_id").annotate(n=Count("pk")).filter(n__gt=1).values_list("object_id", flat=True)
    )
    own = set(events.filter(kind=Kind.OWNER_CREATED, actor=assignment.started_by).values_list("object_id", flat=True))
    gone = [owner for owner in owners if owner.pk in own - touched - needed]
    record_many(
        event(Kind.OWNER_DELETED, owner, actor=actor, before={"name": owner.name, "email": owner.email})
        for owner in gone
    )
    Owner.objects.filter(pk__in=[owner.pk for owner in gone]).delete()
