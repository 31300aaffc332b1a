"""Accounts of staff: nobody gives more than they have, whatever they post, and every change leaves its audit row."""

from datetime import timedelta

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth.models import Group, Permission, User
from django.contrib.sessions.models import Session
from django.core.exceptions import PermissionDenied, ValidationError
from django.test import Client
from django.utils import timezone

from licenses.models import Actor, AuditEvent, Door
from licenses.services.staff import (
    change_staff,
    create_staff,
    delete_staff,
    forget_ended_sessions,
    set_staff_password,
)
from tests.factories import ACTOR

pytestmark = pytest.mark.django_db

USERS, GROUPS = "/admin/auth/user/", "/admin/auth/group/"
PASSWORD = "a-long-password-1"


def account(name: str, *roles: str, codenames=(), **fields) -> User:
    user = User.objects.create_user(name, f"{name}@example.com", PASSWORD, is_staff=True, **fields)
    user.groups.set(Group.objects.filter(name__in=roles))
    user.user_permissions.set(Permission.objects.filter(codename__in=codenames))
    return user


def signed_in(user: User) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def chief():
    """Runs the staff, without being a superuser."""
    return account("chief", "Administrator")


@pytest.fixture
def clerk():
    """May do little but change accounts, as somebody may be given by a group of one's own."""
    return account("clerk", "Support", codenames=("add_user", "change_user", "view_user", "delete_user", "add_group"))


def form(user: User, **changes) -> dict:
    """What a browser posts for an account, with changes."""
    sent = {"username": user.username, "first_name": user.first_name, "last_name": user.last_name, "email": user.email}
    sent |= {name: "on" for name in ("is_active", "is_staff") if getattr(user, name)}
    sent["groups"] = list(user.groups.values_list("pk", flat=True))
    return {name: value for name, value in (sent | changes).items() if value is not None}


def role(name: str) -> int:
    return Group.objects.get(name=name).pk


def state(user: User) -> dict:
    row = User.objects.filter(pk=user.pk).values().get()
    row.pop("last_login")
    names = list(User.objects.get(pk=user.pk).groups.order_by("name").values_list("name", flat=True))
    return row | {"groups": names, "rights": User.objects.get(pk=user.pk).user_permissions.count()}


def page(user: User) -> str:
    return f"{USERS}{user.pk}/change/"


def audit() -> list[tuple]:
    return list(AuditEvent.objects.order_by("pk").values_list("kind", "actor", "object_label", "before", "after"))


# Through the pages


def test_an_administrator_adds_somebody_and_gives_a_role(chief):
    client = signed_in(chief)
    answer = client.post(USERS + "add/", {"username": "jo", "password1": PASSWORD, "password2": PASSWORD})
    jo = User.objects.get(username="jo")
    assert answer.headers["Location"] == page(jo)
    assert (jo.is_staff, jo.is_superuser, jo.check_password(PASSWORD)) == (True, False, True)
    sent = form(jo, groups=[role("Support")], email="jo@example.com")
    assert client.post(page(jo), sent).status_code == 302
    assert jo.has_perm("licenses.change_licensekey")
    before, after = {"email": "", "groups": []}, {"email": "jo@example.com", "groups": ["Support"]}
    assert audit() == [
        ("staff.created", "chief", "jo", {}, {"username": "jo"}),
        ("staff.updated", "chief", "jo", before, after),
    ]
    source = client.get(page(jo)).content.decode()
    assert "Staff updated" in source and f'href="{USERS}{jo.pk}/password/"' in source
    assert jo.password not in source and "pbkdf2" not in source and jo.password.split("$")[-1][:6] not in source


def test_saving_without_a_change_leaves_no_trace(chief):
    jo = account("jo", "Support")
    assert signed_in(chief).post(page(jo), form(jo)).status_code == 302
    assert audit() == []


@pytest.mark.statement("S12")
@pytest.mark.parametrize(
    "forged",
    [
        {"is_superuser": "on"},
        {"user_permissions": "1"},
        {"password": "md5$x$0"},
        {"last_login_0": "2020-01-01", "last_login": "2020-01-01"},
        {"date_joined": "2020-01-01"},
        {"id": "1"},
    ],
)
def test_a_field_that_is_not_offered_is_refused(chief, forged):
    jo, client = account("jo"), signed_in(chief)
    before = state(jo), state(chief)
    for user in (jo, chief):
        assert client.post(page(user), form(user, **forged)).status_code == 403
    sent = {"username": "new", "password1": PASSWORD, "password2": PASSWORD}
    assert client.post(USERS + "add/", sent | forged).status_code == 403
    assert client.post(USERS + "add/", sent | {"groups": role("Administrator"), "is_staff": "on"}).status_code == 403
    assert (state(jo), state(chief)) == before
    assert User.objects.count() == 2
    assert audit() == []


@pytest.mark.statement("S12")
@pytest.mark.parametrize("wanted", ["License manager", "Auditor", "Administrator"])
def test_nobody_puts_anybody_into_a_group_that_may_more_than_they_do(clerk, wanted):
    jo, client = account("jo"), signed_in(clerk)
    for user in (jo, clerk):
        answer = client.post(page(user), form(user, groups=[role("Support"), role(wanted)]))
        assert "not one of the available choices" in answer.content.decode()
        assert wanted not in state(user)["groups"]
    assert audit() == []
    assert client.post(page(jo), form(jo, groups=[role("Support")])).status_code == 302
    assert state(jo)["groups"] == ["Support"]


@pytest.mark.statement("S12")
@pytest.mark.parametrize(
    "target", [{"is_superuser": True}, {"roles": "Administrator"}, {"roles": "Administrator", "is_active": False}]
)
def test_who_may_more_is_out_of_reach(clerk, target):
    """Also an account that is switched off: switching it on and setting its password would be a way in."""
    options = dict(target)
    boss = account("boss", *filter(None, [options.pop("roles", "")]), **options)
    client, before = signed_in(clerk), state(boss)
    assert client.get(page(boss)).status_code == 200
    assert client.get(page(boss)).context["has_change_permission"] is False
    for path, sent in (
        (page(boss), form(boss, email="mine@example.com")),
        (f"{USERS}{boss.pk}/password/", {"password1": PASSWORD + "2", "password2": PASSWORD + "2"}),
        (f"{USERS}{boss.pk}/delete/", {"post": "yes"}),
    ):
        assert client.post(path, sent).status_code == 403, path
        if path != page(boss):
            assert client.get(path).status_code == 403
    assert state(boss) == before
    assert audit() == []


def test_superusers_may_do_it_all(staff, superuser):
    jo = account("jo")
    right = Permission.objects.get(codename="view_owner")
    sent = form(jo, is_superuser="on", user_permissions=[right.pk], groups=[role("Administrator")])
    assert staff.post(page(jo), sent).status_code == 302
    assert User.objects.get(pk=jo.pk).is_superuser
    before = {"is_superuser": False, "user_permissions": [], "groups": []}
    after = {"is_superuser": True, "user_permissions": ["licenses.view_owner"], "groups": ["Administrator"]}
    assert audit() == [("staff.updated", "root", "jo", before, after)]
    assert staff.post(f"{USERS}{jo.pk}/delete/", {"post": "yes"}).status_code == 302
    kind, _, label, gone, _ = audit()[-1]
    assert (kind, label, gone["groups"]) == ("staff.deleted", "jo", ["Administrator"])


@pytest.mark.parametrize("way", ["is_active", "is_staff", "is_superuser"])
def test_nobody_locks_themselves_out(staff, superuser, way):
    sent = form(superuser, is_superuser="on") | {way: None}
    answer = staff.post(page(superuser), {name: value for name, value in sent.items() if value is not None})
    assert "Ask a colleague." in answer.content.decode()
    assert staff.post(f"{USERS}{superuser.pk}/delete/", {"post": "yes"}).status_code == 403
    assert getattr(User.objects.get(pk=superuser.pk), way)


def test_a_password_set_by_somebody_else_is_recorded_and_ends_the_sessions(chief):
    jo = account("jo", "Support")
    theirs, client = signed_in(jo), signed_in(chief)
    url, new = f"{USERS}{jo.pk}/password/", "another-long-password-2"
    assert client.get(url).status_code == 200
    assert "match." in client.post(url, {"password1": new, "password2": "x"}).content.decode()
    assert client.post(url, {"password1": new, "password2": new, "set-password": "1"}).status_code == 302
    assert User.objects.get(pk=jo.pk).check_password(new)
    assert audit() == [("staff.password_set", "chief", "jo", {}, {"password": "set"})]
    assert theirs.get("/admin/").status_code == 302
    assert client.post(url, {"usable_password": "false", "unset-password": "1"}).status_code == 302
    assert not User.objects.get(pk=jo.pk).has_usable_password()
    own = f"{USERS}{chief.pk}/password/"
    for answer in (client.get(own), client.post(own, {"password1": new, "password2": new, "set-password": "1"})):
        assert answer.headers["Location"] == "/admin/password_change/", "where the old one is asked for"
    assert not User.objects.get(pk=chief.pk).check_password(new)
    User.objects.filter(pk=chief.pk).update(password="!none")
    client.force_login(User.objects.get(pk=chief.pk))
    assert client.post(own, {"password1": new, "password2": new}).headers["Location"] == f"{USERS}{chief.pk}/change/"
    assert not User.objects.get(pk=chief.pk).has_usable_password()
    assert client.get(f"{USERS}999999/password/").status_code == 404


def test_the_list_shows_what_matters_and_costs_the_same_for_many(chief, django_assert_max_num_queries):
    client = signed_in(chief)
    account("jo", "Support", "Auditor", is_superuser=True)
    source = client.get(USERS).content.decode()
    for text in ("Superuser", "Support", "Auditor", "Active", "never"):
        assert text in source
    assert client.get(USERS, {"groups__id__exact": role("Support")}).context["cl"].result_count == 1
    for number in range(20):
        account(f"more{number}", "Support")
    with django_assert_max_num_queries(10):
        client.get(USERS)


# Groups


@pytest.mark.parametrize("who", ["chief", "root"])
def test_the_four_are_the_portals_own(chief, superuser, who):
    client = signed_in({"chief": chief, "root": superuser}[who])
    pk = role("Support")
    source = client.get(f"{GROUPS}{pk}/change/").content.decode()
    assert "own roles stay as they are" in source
    assert "License keys: view, change" in source
    assert client.post(f"{GROUPS}{pk}/change/", {"name": "Mine", "permissions": []}).status_code == 403
    assert client.post(f"{GROUPS}{pk}/delete/", {"post": "yes"}).status_code == 403
    client.post(GROUPS, {"action": "delete_selected", "_selected_action": pk, "post": "yes"})
    answer = client.post(GROUPS + "add/", {"name": "support ", "permissions": []})
    assert "name of one of the portal" in answer.content.decode()
    assert Group.objects.get(pk=pk).permissions.count() == 14
    assert audit() == []


def test_a_group_of_ones_own_comes_and_goes_with_its_traces(chief):
    client = signed_in(chief)
    owners = Permission.objects.filter(codename__in=("view_owner", "change_owner"))
    assert client.post(GROUPS + "add/", {"name": "Post", "permissions": [p.pk for p in owners]}).status_code == 302
    group = Group.objects.get(name="Post")
    account("jo", "Post")
    url = f"{GROUPS}{group.pk}/"
    assert client.post(url + "change/", {"name": "Mail", "permissions": [owners[0].pk]}).status_code == 302
    assert client.post(url + "change/", {"name": "Mail", "permissions": [owners[0].pk]}).status_code == 302
    assert client.post(url + "delete/", {"post": "yes"}).status_code == 302
    rights = ["licenses.change_owner", "licenses.view_owner"]
    one = f"licenses.{owners[0].codename}"
    assert [(kind, before, after) for kind, _, _, before, after in audit()] == [
        ("role.created", {}, {"name": "Post", "rights": rights}),
        ("role.updated", {"name": "Post", "rights": rights}, {"name": "Mail", "rights": [one]}),
        ("role.deleted", {"name": "Mail", "rights": [one], "members": ["jo"]}, {}),
    ]


@pytest.mark.statement("S12")
def test_nobody_makes_a_group_that_may_more_than_they_do(clerk):
    clerk.user_permissions.add(*Permission.objects.filter(codename__in=("change_group", "view_group", "delete_group")))
    client = signed_in(clerk)
    beyond = Permission.objects.get(codename="add_apikey")
    answer = client.post(GROUPS + "add/", {"name": "Keys", "permissions": [beyond.pk]})
    assert "not one of the available choices" in answer.content.decode()
    strong = Group.objects.create(name="Strong")
    strong.permissions.add(beyond)
    for path, sent in (("change", {"name": "Weak", "permissions": []}), ("delete", {"post": "yes"})):
        assert client.post(f"{GROUPS}{strong.pk}/{path}/", sent).status_code == 403
    assert Group.objects.get(pk=strong.pk).permissions.count() == 1
    assert audit() == []


# The rules themselves, whatever door


@pytest.mark.statement("S12")
def test_the_service_refuses_what_no_form_would_send(clerk, superuser):
    jo, by = account("jo"), {"by": clerk, "actor": Actor(Door.ADMIN, "clerk")}
    admins = [Group.objects.get(name="Administrator")]
    with pytest.raises(PermissionDenied):
        change_staff(user=jo, changes={"is_superuser": True}, **by)
    with pytest.raises(PermissionDenied):
        change_staff(user=clerk, changes={"user_permissions": Permission.objects.all()[:3]}, **by)
    with pytest.raises(PermissionDenied):
        change_staff(user=jo, changes={"groups": admins}, **by)
    with pytest.raises(PermissionDenied):
        create_staff(username="new", password=PASSWORD, groups=admins, **by)
    for refused in (set_staff_password, delete_staff):
        with pytest.raises(PermissionDenied):
            refused(user=superuser, **({"password": PASSWORD} if refused is set_staff_password else {}), **by)
    with pytest.raises(ValidationError, match="Ask a colleague"):
        delete_staff(user=clerk, **by)
    assert audit() == []
    User.objects.filter(pk=clerk.pk).update(is_active=False)
    with pytest.raises(PermissionDenied, match="no longer sign in"):
        change_staff(user=jo, changes={"email": "x@example.com"}, **by)


def test_of_two_superusers_who_demote_each_other_one_stays(superuser):
    """The account that asks is read again, under a lock: what the request knew of it is not enough."""
    other = account("other", is_superuser=True)
    change_staff(user=other, changes={"is_superuser": False}, by=superuser, actor=ACTOR)
    assert other.is_superuser, "as the other request still has it"
    with pytest.raises(PermissionDenied):
        change_staff(user=superuser, changes={"is_superuser": False}, by=other, actor=ACTOR)
    assert list(User.objects.filter(is_superuser=True)) == [superuser]


def test_names_that_differ_in_case_are_one(chief):
    account("Jo")
    with pytest.raises(ValidationError, match="already"):
        create_staff(username="jO", password=PASSWORD, by=None, actor=ACTOR)
    with pytest.raises(ValidationError, match="already"):
        change_staff(user=chief, changes={"username": "JO"}, by=None, actor=ACTOR)
    with pytest.raises(ValidationError, match="too common"):
        create_staff(username="new", password="password", by=None, actor=ACTOR)
    with pytest.raises(ValidationError, match="deleted in the meantime"):
        change_staff(user=User(pk=999, username="x"), changes={"email": "a@example.com"}, by=None, actor=ACTOR)
    assert audit() == []


def test_sessions_that_are_over_leave_no_lines(chief):
    """The worker tidies; whoever is signed in stays so, and one that has just begun may not have its session yet."""
    now = timezone.now()
    for key, ends_in, age in (("over", -1, 13), ("running", 5, 13), ("beginning", None, 0)):
        UserSession.objects.create(
            user=chief, session_key=key, ip="203.0.113.7", user_agent="", created_at=now - timedelta(hours=age)
        )
        if ends_in is not None:
            Session.objects.create(session_key=key, session_data="", expire_date=now + timedelta(hours=ends_in))
    assert forget_ended_sessions() == 1
    assert set(UserSession.objects.values_list("session_key", flat=True)) == {"running", "beginning"}
    assert list(Session.objects.values_list("session_key", flat=True)) == ["running"]
