"""create_staff: an account with a role, its password asked for or printed alone."""

import os
import pty
import subprocess
import sys

import pytest
from django.conf.global_settings import PASSWORD_HASHERS
from django.contrib.auth.models import Group, User

from licenses.models import AuditEvent
from tests.commands import run
from tests.server import ROOT, database_url

pytestmark = pytest.mark.django_db


def test_it_prints_the_password_alone_and_gives_the_roles():
    ran = run("create_staff", "jo", "--role", "support", "--role", "auditor", "--email", "jo@example.com", "--generate")
    assert ran.code == 0
    jo = User.objects.get()
    assert jo.check_password(ran.out.strip()) and ran.out.count("\n") == 1
    assert (jo.is_staff, jo.is_superuser, jo.email) == (True, False, "jo@example.com")
    assert set(jo.groups.values_list("name", flat=True)) == {"Support", "Auditor"}
    assert "Account “jo” created. Role: Support, Auditor." in ran.err and ran.out.strip() not in ran.err
    event = AuditEvent.objects.get()
    assert (event.kind, event.door, event.object_label) == ("staff.created", "command", "jo")
    assert event.after == {"username": "jo", "email": "jo@example.com", "groups": ["Auditor", "Support"]}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("JO", "--role", "support"), "username: There is an account with this name already."),
        (("a b", "--role", "support"), "username: Enter a valid username"),
        (("new", "--role", "support", "--email", "x"), "email: Enter a valid email address."),
        (("new", "--role", "boss"), "invalid choice: 'boss'"),
        (("new",), "--role"),
    ],
)
def test_it_says_what_is_wrong_and_does_nothing(arguments, said):
    User.objects.create_user("jo")
    ran = run("create_staff", *arguments, "--generate")
    assert ran.code != 0 and said in ran.err
    assert User.objects.count() == 1
    assert not AuditEvent.objects.exists()


def test_it_says_what_to_do_when_the_roles_are_missing():
    Group.objects.all().delete()
    ran = run("create_staff", "jo", "--role", "support", "--generate")
    assert ran.code == 2 and "manage.py migrate" in ran.err
    assert not User.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_it_asks_on_a_terminal(settings):
    """A real one: the password is typed twice, again when the two differ, and is nowhere on the screen."""
    settings.PASSWORD_HASHERS = PASSWORD_HASHERS  # those of the process below
    leader, follower = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, ROOT / "manage.py", "create_staff", "jo", "--role", "support"],
        env={**os.environ, "DATABASE_URL": database_url()},
        stdin=follower,
        stdout=follower,
        stderr=follower,
        start_new_session=True,
    )
    os.close(follower)
    screen, password = "", "a-long-password-1"
    for prompt, typed in (("word: ", password), ("(again): ", "other"), ("word: ", password), ("(again): ", password)):
        while not screen.endswith(prompt):
            screen += os.read(leader, 1000).decode()
        os.write(leader, typed.encode() + b"\n")
    assert process.wait(60) == 0
    screen += os.read(leader, 10_000).decode()
    assert password not in screen and "The two passwords differ." in screen
    assert User.objects.get(username="jo").check_password(password)
