"""For each kind of event about staff and their groups, a change that is recorded so."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.models import Group, Permission, User
from django.test import Client, RequestFactory

from licenses.events import Kind
from licenses.services.roles import change_role, create_role, delete_role
from licenses.services.staff import change_staff, create_staff, delete_staff, set_staff_password
from licensing_portal.staff.factors import reset_second_factor
from licensing_portal.staff.limits import BURST, unlock
from licensing_portal.staff.single_sign_on import keep_rights
from tests.audit import ADDRESS, BY, NAME, SECRET
from tests.staff_door import APP, CODES, SECURITY, from_address, set_up_app, sign_in

OWN_PASSWORD = "/admin/password_change/"


def account(name: str = NAME, **fields: Any) -> User:
    return User.objects.create_user(name, password=SECRET, is_staff=True, **fields)


def asked() -> dict[str, Any]:
    """Whoever runs the staff asks for something that is done to somebody else."""
    return {"by": account(is_superuser=True), **BY}


def role() -> Group:
    return create_role(name="Post", by=None, **BY)


def changed_role() -> None:
    rights = Permission.objects.filter(codename="view_owner")
    change_role(group=role(), name="Mail", permissions=rights, **asked())


# By what somebody does in a browser


def browser() -> Client:
    """Signed in with the password, from where all changes come."""
    client = Client(REMOTE_ADDR=ADDRESS)
    assert sign_in(client, NAME, SECRET).status_code == 302
    return client


def signed_in() -> Client:
    account()
    return browser()


def locked_out() -> None:
    """By a password in the wrong field, which is tried from all over the place."""
    for number in range(10, 10 + BURST):
        sign_in(Client(), SECRET, SECRET, **from_address(number))
    assert sign_in(Client(), SECRET, SECRET, REMOTE_ADDR=ADDRESS).status_code == 429


def changed_password() -> None:
    new = f"{SECRET}-2"
    signed_in().post(OWN_PASSWORD, {"old_password": SECRET, "new_password1": new, "new_password2": new})


def with_app() -> Client:
    client = signed_in()
    set_up_app(client)
    return client


def ended_sessions() -> None:
    signed_in()
    browser().post(SECURITY + "sessions/")


def came_by_single_sign_on(*, is_staff: bool) -> None:
    """What the provider's groups say is not what the account may."""
    request = RequestFactory(REMOTE_ADDR=ADDRESS).get("/")
    user = User.objects.create_user(NAME, is_staff=not is_staff)
    keep_rights(request, user, {"is_staff": is_staff, "is_superuser": False})


STAFF_CHANGES: dict[Kind, Callable[[], object]] = {
    Kind.STAFF_CREATED: lambda: create_staff(username="ada", password=SECRET, **asked()),
    Kind.STAFF_UPDATED: lambda: change_staff(user=account("ada"), changes={"email": "ada@example.com"}, **asked()),
    Kind.STAFF_DELETED: lambda: delete_staff(user=account("ada"), **asked()),
    Kind.STAFF_PASSWORD_SET: lambda: set_staff_password(user=account("ada"), password=f"{SECRET}-2", **asked()),
    Kind.ROLE_CREATED: lambda: create_role(name="Post", **asked()),
    Kind.ROLE_UPDATED: changed_role,
    Kind.ROLE_DELETED: lambda: delete_role(group=role(), **asked()),
    Kind.STAFF_SIGNED_IN: signed_in,
    Kind.STAFF_SIGNED_OUT: lambda: signed_in().post("/admin/logout/"),
    Kind.STAFF_LOCKED_OUT: locked_out,
    Kind.STAFF_UNLOCKED: lambda: unlock(account=account("ada"), **BY),
    Kind.STAFF_PASSWORD_CHANGED: changed_password,
    Kind.STAFF_SECOND_FACTOR_ADDED: with_app,
    Kind.STAFF_SECOND_FACTOR_REMOVED: lambda: with_app().post(APP + "remove/"),
    Kind.STAFF_SECOND_FACTOR_RESET: lambda: reset_second_factor(account=account("ada"), **BY),
    Kind.STAFF_RECOVERY_CODES_MADE: lambda: with_app().post(CODES + "new/"),
    Kind.STAFF_SESSIONS_ENDED: ended_sessions,
    Kind.STAFF_ADMITTED: lambda: came_by_single_sign_on(is_staff=True),
    Kind.STAFF_TURNED_AWAY: lambda: came_by_single_sign_on(is_staff=False),
}
# Who the event names, where it cannot be jane: nobody has signed in
WHO = {Kind.STAFF_LOCKED_OUT: "somebody"}
