"""Groups of staff: the portal's own four, which `migrate` keeps as the table says, and those that people make."""

import logging
from collections.abc import Iterable
from typing import Any

from django.apps import apps as current_apps
from django.contrib.auth.models import Group, Permission, User
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import DEFAULT_DB_ALIAS, transaction

from licenses.events import Kind, record
from licenses.models import Actor
from licenses.roles import BY_NAME, ROLES, Role
from licenses.services.staff_rights import may_grant, names_of, rights_of_groups

logger = logging.getLogger(__name__)

MANAGED = "The portal's own roles stay as they are. Make a group of your own for other rights."


def is_managed(group: Group) -> bool:
    return group.name in BY_NAME


def may_change_role(by: User | None, group: Group) -> bool:
    """Nobody changes the portal's own roles, and nobody a group that may more than they do."""
    return not is_managed(group) and may_grant(by, rights_of_groups([group]))


@transaction.atomic
def create_role(*, name: str, permissions: Iterable[Permission] = (), by: User | None, actor: Actor) -> Group:
    """A group of one's own. PermissionDenied when it may more than whoever makes it, ValidationError for a bad name."""
    permissions = list(permissions)
    require_role(name=name, permissions=permissions, by=by)
    group = Group(name=name)
    group.full_clean()
    group.save(force_insert=True)
    group.permissions.set(permissions)
    record(Kind.ROLE_CREATED, group, actor=actor, after=_facts(group))
    return group


@transaction.atomic
def change_role(*, group: Group, name: str, permissions: Iterable[Permission], by: User | None, actor: Actor) -> bool:
    """Another name or other rights; False when nothing is different. Errors as of `create_role`."""
    permissions = list(permissions)
    found = _locked(group)
    _require_may_change(by, found)
    require_role(name=name, permissions=permissions, by=by)
    before = _facts(found)
    found.name = name
    found.full_clean()
    found.save(update_fields=["name"])
    found.permissions.set(permissions)
    after = _facts(found)
    different = [field for field in after if before[field] != after[field]]
    if different:
        old, new = ({field: facts[field] for field in different} for facts in (before, after))
        record(Kind.ROLE_UPDATED, found, actor=actor, before=old, after=new)
    return bool(different)


@transaction.atomic
def delete_role(*, group: Group, by: User | None, actor: Actor) -> None:
    """Its members keep their accounts and lose what it gave them."""
    found = _locked(group)
    _require_may_change(by, found)
    members = sorted(User.objects.filter(groups=found).values_list("username", flat=True))
    record(Kind.ROLE_DELETED, found, actor=actor, before=_facts(found) | {"members": members})
    found.delete()


def require_role(*, name: str, permissions: Iterable[Permission], by: User | None) -> None:
    """Whether there may be such a group; `BY_NAME` compares as people read."""
    if name.strip().casefold() in {own.casefold() for own in BY_NAME}:
        raise ValidationError({"name": "This is the name of one of the portal's own roles. Choose another one."})
    if not may_grant(by, {permission.pk for permission in permissions}):
        raise PermissionDenied("A group may not do more than whoever makes it.")


def _locked(group: Group) -> Group:
    found = Group.objects.select_for_update().filter(pk=group.pk).first()
    if found is None:
        raise ValidationError("It was deleted in the meantime.")
    return found


def _require_may_change(by: User | None, group: Group) -> None:
    if not may_change_role(by, group):
        raise PermissionDenied(MANAGED if is_managed(group) else "The group may do more than you.")


def _facts(group: Group) -> dict[str, Any]:
    return {"name": group.name, "rights": names_of(group.permissions.all())}


# The portal's own


def seed_roles(*, apps: Any = current_apps, using: str = DEFAULT_DB_ALIAS) -> None:
    """Make the groups that are missing and give all four exactly the rights of the table; the rest stays as it is.

    Called after every migrate, also one that stops half-way: `apps` are the models as far as the database has them.
    """
    try:
        groups, permissions = apps.get_model("auth", "Group"), apps.get_model("auth", "Permission")
    except LookupError:
        return
    rows = permissions.objects.using(using).values_list("pk", "content_type__app_label", "codename")
    ids = {f"{app}.{codename}": pk for pk, app, codename in rows}
    with transaction.atomic(using=using):
        known = {group.name: group for group in groups.objects.using(using).filter(name__in=BY_NAME)}
        missing = [groups(name=role.name) for role in ROLES if role.name not in known]
        groups.objects.using(using).bulk_create(missing)
        for group in missing:
            _give(group, BY_NAME[group.name], ids, using, is_new=True)
        for group in known.values():
            _give(group, BY_NAME[group.name], ids, using, is_new=False)


def _give(group: Any, role: Role, ids: dict[str, int], using: str, *, is_new: bool) -> None:
    through = type(group).permissions.through
    held = through.objects.using(using).filter(group_id=group.pk)
    wanted, has = {ids[right] for right in role.rights if right in ids}, set()
    if not is_new:
        has = set(held.values_list("permission_id", flat=True))
    if has - wanted:
        held.filter(permission_id__in=has - wanted).delete()
    rows = [through(group_id=group.pk, permission_id=pk) for pk in sorted(wanted - has)]
    through.objects.using(using).bulk_create(rows, ignore_conflicts=True)  # two nodes may migrate at the same time
    if has != wanted and not is_new:
        logger.info("The rights of the role %s differed from this version's table; they are as it says now.", role.name)
