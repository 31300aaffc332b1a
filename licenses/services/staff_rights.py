"""Who may give what to whom: nobody gives more than they have, and nobody touches somebody who has more.

`by` is the account that asks; None is somebody with a shell on the server, who may do everything anyway.
"""

from collections.abc import Iterable

from django.contrib.auth.models import Group, Permission, User
from django.db.models import Q, QuerySet

from licenses.roles import RIGHTS


def rights_of(user: User) -> set[int]:
    """Ids of the permissions that an account has, or would have if it were active. A superuser's are not told so."""
    held = Permission.objects.filter(Q(group__user=user) | Q(user=user))
    return set(held.values_list("pk", flat=True))


def rights_of_groups(groups: Iterable[Group]) -> set[int]:
    held = Permission.objects.filter(group__in=[group.pk for group in groups])
    return set(held.values_list("pk", flat=True))


def may_grant(by: User | None, rights: set[int]) -> bool:
    return by is None or by.is_superuser or rights <= rights_of(by)


def may_manage(by: User | None, user: User) -> bool:
    """Whether `by` may change, delete or give a password to `user`: whoever sets a password can sign in with it."""
    if by is None or by.is_superuser:
        return True
    return not user.is_superuser and rights_of(user) <= rights_of(by)


def grantable_groups(by: User) -> QuerySet[Group]:
    """The groups that `by` may put people into, and take them out of."""
    if by.is_superuser:
        return Group.objects.order_by("name")
    beyond = Permission.objects.exclude(pk__in=rights_of(by))
    return Group.objects.exclude(permissions__in=beyond).order_by("name")


def grantable_permissions(by: User) -> QuerySet[Permission]:
    """Those that a page or an action asks for and that `by` may give."""
    asked = Q(pk__in=())
    for model, verbs in RIGHTS.items():
        app, name = model.split(".")
        asked |= Q(content_type__app_label=app, codename__in=[f"{verb}_{name}" for verb in verbs.split()])
    found = Permission.objects.filter(asked).select_related("content_type")
    return found if by.is_superuser else found.filter(pk__in=rights_of(by))


def names_of(permissions: Iterable[Permission]) -> list[str]:
    """As Django writes them: licenses.change_licensekey."""
    return sorted(f"{permission.content_type.app_label}.{permission.codename}" for permission in permissions)
