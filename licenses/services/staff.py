"""Accounts of staff: making, changing and deleting them, and setting somebody else's password.

Django's own rule is that whoever may change accounts may make themselves superuser; here nobody gives more than they
have (services/staff_rights.py). PermissionDenied when somebody may not, ValidationError when something cannot be.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group, User
from django.contrib.auth.password_validation import validate_password
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.db import transaction
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from licenses.events import Kind, record
from licenses.models import Actor
from licenses.services.staff_rights import may_grant, may_manage, names_of, rights_of_groups

SUPERUSER_ONLY = ("is_superuser", "user_permissions")
WAYS_IN = ("is_active", "is_staff", "is_superuser")  # what nobody takes from themselves
CHANGEABLE = ("username", "first_name", "last_name", "email", *WAYS_IN, "groups", "user_permissions")


@sensitive_variables("password")
@transaction.atomic
def create_staff(
    *,
    username: str,
    password: str | None,
    email: str = "",
    groups: Sequence[Group] = (),
    by: User | None,
    actor: Actor,
) -> User:
    """An account that may sign in to the admin. Without a password it needs another way to sign in."""
    user = User(username=User.normalize_username(username), email=email, is_staff=True)
    _require_may_grant(by, groups)
    if password is None:
        user.set_unusable_password()
    else:
        _require_good(password, user)
        user.set_password(password)
    _require_free(user)
    user.full_clean()
    user.save(force_insert=True)
    user.groups.set(groups)
    facts = {"username": user.username, "email": user.email, "groups": _names(groups)}
    record(Kind.STAFF_CREATED, user, actor=actor, after={name: value for name, value in facts.items() if value})
    return user


@transaction.atomic
def change_staff(*, user: User, changes: Mapping[str, Any], by: User | None, actor: Actor) -> bool:
    """Write those of `CHANGEABLE` that are different; False when none is. Groups and rights come as a whole."""
    found, by = _locked(user, by)
    different = _different(found, changes)
    require_change(user=found, changes=different, by=by)
    if not different:
        return False
    before = {name: _fact(found, name) for name in different}
    _write(found, different)
    after = {name: _fact(found, name) for name in different}
    record(Kind.STAFF_UPDATED, found, actor=actor, before=before, after=after)
    return True


@transaction.atomic
def delete_staff(*, user: User, by: User | None, actor: Actor) -> None:
    """The audit keeps the name. Nobody deletes themselves."""
    found, by = _locked(user, by)
    _require_may_manage(by, found)
    if by is not None and by.pk == found.pk:
        raise ValidationError("Nobody deletes their own account. Ask a colleague.")
    facts = {name: _fact(found, name) for name in CHANGEABLE}
    record(Kind.STAFF_DELETED, found, actor=actor, before={name: value for name, value in facts.items() if value})
    found.delete()


@sensitive_variables("password")
@transaction.atomic
def set_staff_password(*, user: User, password: str | None, by: User | None, actor: Actor) -> User:
    """A new password, or with None no way in by password. It ends the account's sessions: they carry a digest of it."""
    found, by = _locked(user, by)
    _require_may_manage(by, found)
    if password is None:
        found.set_unusable_password()
    else:
        _require_good(password, found)
        found.set_password(password)
    found.save(update_fields=["password"])
    record(Kind.STAFF_PASSWORD_SET, found, actor=actor, after={"password": "set" if password else "none"})
    return found


def require_change(*, user: User, changes: Mapping[str, Any], by: User | None) -> None:
    """Whether `by` may make these changes; forms ask before they save. `changes` holds what is different alone."""
    _require_may_manage(by, user)
    if by is not None and not by.is_superuser and (own := set(SUPERUSER_ONLY) & set(changes)):
        raise PermissionDenied(f"Only superusers change {', '.join(sorted(own))}.")
    if "groups" in changes:
        _require_may_grant(by, set(changes["groups"]) ^ set(user.groups.all()))
    if by is not None and by.pk == user.pk:
        for name in WAYS_IN:
            if name in changes and not changes[name]:
                raise ValidationError({name: "Nobody takes this from their own account. Ask a colleague."})


def _require_may_manage(by: User | None, user: User) -> None:
    if not may_manage(by, user):
        raise PermissionDenied(f"{user} may do more than you.")


def _require_may_grant(by: User | None, groups: Iterable[Group]) -> None:
    """Also to take somebody out of a group one must hold all that it may."""
    groups = list(groups)
    if groups and not may_grant(by, rights_of_groups(groups)):
        raise PermissionDenied("Nobody puts people into groups that may do more than they do, or takes them out.")


def _require_good(password: str, user: User) -> None:
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise ValidationError({"password": error.messages}) from error


def _require_free(user: User) -> None:
    """Two names that differ in case alone are one to whoever reads the audit."""
    if User.objects.filter(username__iexact=user.username).exclude(pk=user.pk).exists():
        raise ValidationError({"username": "There is an account with this name already."})


def _locked(user: User, by: User | None) -> tuple[User, User | None]:
    """Both as they are now: of two superusers who demote each other at the same time one is refused."""
    wanted = {one.pk for one in (user, by) if one is not None}
    rows = {row.pk: row for row in User.objects.select_for_update().filter(pk__in=wanted).order_by("pk")}
    if user.pk not in rows:
        raise ValidationError("It was deleted in the meantime.")
    if by is not None and not (by.pk in rows and rows[by.pk].is_active and rows[by.pk].is_staff):
        raise PermissionDenied("The account that asks may no longer sign in.")
    return rows[user.pk], rows[by.pk] if by is not None else None


def _different(user: User, changes: Mapping[str, Any]) -> dict[str, Any]:
    different = {}
    for name, value in changes.items():
        if name not in CHANGEABLE:
            raise ValueError(f"{name} is not changed here.")
        is_set = name in ("groups", "user_permissions")
        if (set(value) != set(getattr(user, name).all())) if is_set else (value != getattr(user, name)):
            different[name] = list(value) if is_set else value
    return different


def _write(user: User, changes: Mapping[str, Any]) -> None:
    columns = [name for name in changes if name not in ("groups", "user_permissions")]
    for name in columns:
        setattr(user, name, changes[name])
    _require_free(user)
    user.full_clean(exclude={field.name for field in User._meta.concrete_fields} - set(columns))
    if columns:
        user.save(update_fields=columns)
    for name in set(changes) - set(columns):
        getattr(user, name).set(changes[name])


def _fact(user: User, name: str) -> Any:
    if name == "groups":
        return _names(user.groups.all())
    if name == "user_permissions":
        return names_of(user.user_permissions.select_related("content_type"))
    return getattr(user, name)


def _names(groups: Iterable[Group]) -> list[str]:
    return sorted(group.name for group in groups)


def forget_ended_sessions() -> int:
    """Delete the sessions that are over, and the lines about them that staff see; returns how many lines."""
    now = timezone.now()
    Session.objects.filter(expire_date__lt=now).delete()
    # Not of the last hour: one that is beginning is written line first
    lines = UserSession.objects.filter(created_at__lt=now - timedelta(hours=1))
    deleted, _ = lines.exclude(session_key__in=Session.objects.values("session_key")).delete()
    return int(deleted)
