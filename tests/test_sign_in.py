"""Signing in with a password: who gets in, how often may be tried, and what is kept of it."""

import statistics
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from allauth.usersessions.models import UserSession
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.contrib.sessions.models import Session
from django.core.management import call_command
from django.test import Client
from django.urls import resolve

from licenses.models import AuditEvent
from tests.server import running_portal
from tests.staff_door import LOGIN, PASSWORD, SECURITY, Visitor, from_address, sign_in

pytestmark = pytest.mark.django_db


def kinds() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


def test_staff_get_in_and_the_audit_says_so(client, superuser):
    answer = client.post(LOGIN + "?next=/admin/licenses/product/", {"login": "root", "password": PASSWORD})
    assert (answer.status_code, answer["Location"]) == (302, "/admin/licenses/product/")
    assert client.get("/admin/").status_code == 200
    event = AuditEvent.objects.get()
    assert (event.kind, event.actor, event.address) == ("staff.signed_in", "root", "127.0.0.1")
    assert event.after == {"by": ["password"]}


def test_nobody_else_does_and_all_are_answered_alike(client, superuser):
    users = get_user_model().objects
    users.create_user("customer", password=PASSWORD)
    users.create_user("gone", password=PASSWORD, is_staff=True, is_active=False)
    users.create_user("elsewhere", is_staff=True).set_unusable_password()
    pages = []
    for number, (name, password) in enumerate(
        [("root", "wrong"), ("nobody", PASSWORD), ("customer", PASSWORD), ("gone", PASSWORD), ("elsewhere", PASSWORD)]
    ):
        answer = sign_in(client, name, password, **from_address(number))
        assert answer.status_code == 200, name
        pages.append(answer.content.decode().partition('class="errornote"')[2].partition("</p>")[0])
    assert len(set(pages)) == 1 and "wrong" in pages[0]
    assert kinds() == []


def test_the_address_to_go_on_to_is_one_of_this_host(client, superuser, settings):
    settings.ALLOWED_HOSTS = ["*"]
    for number, target in enumerate(("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:1")):
        client.logout()
        answer = sign_in(client, REMOTE_ADDR=f"203.0.113.{number}", query_params={"next": target})
        if number < 4:
            assert answer["Location"] == "/admin/", target


@pytest.mark.statement("S14")
def test_in_ipv6_a_whole_network_is_one_address(client, superuser):
    """Whoever has one address there has 2**64 of them."""
    for number in range(5):
        sign_in(client, f"guess-{number}", "wrong", REMOTE_ADDR=f"2001:db8::{number}")
    assert sign_in(client, "root", PASSWORD, REMOTE_ADDR="2001:db8::ffff:1").status_code == 429
    assert sign_in(client, "root", PASSWORD, REMOTE_ADDR="2001:db8:0:1::1").status_code == 302


@pytest.mark.statement("S14")
@pytest.mark.parametrize("where", ["account", "address"])
def test_the_sixth_try_in_a_minute_waits_with_the_right_password_too(client, superuser, where):
    def tried(number: int, password: str):
        if where == "account":
            return sign_in(client, "root", password, **from_address(number))
        return sign_in(client, "root" if password == PASSWORD else f"guess-{number}", password)

    assert [tried(number, "wrong").status_code for number in range(5)] == [200] * 5
    for number in range(5, 9):
        answer = tried(number, PASSWORD)
        assert answer.status_code == 429
        assert 0 < int(answer["Retry-After"]) <= 60
        assert f"{answer['Retry-After']} second" in answer.content.decode()
    assert client.get("/admin/").status_code == 302
    event = AuditEvent.objects.get()  # one, however many tries were refused
    assert (event.kind, event.after) == ("staff.locked_out", {})
    assert event.object_label == ("root" if where == "account" else "127.0.0.1")


@pytest.mark.statement("S14")
def test_success_counts_as_a_try_too(client, superuser):
    for _ in range(5):
        assert sign_in(client).status_code == 302
        client.logout()
    assert sign_in(client).status_code == 429


@pytest.mark.statement("S14")
def test_what_looks_like_the_name_counts_as_the_name(client, superuser):
    names = ("root", " root ", "\uff52oot", "root\u3000", "root")
    answers = [sign_in(client, name, "wrong", **from_address(number)) for number, name in enumerate(names)]
    assert [answer.status_code for answer in answers] == [200] * 5
    assert sign_in(client, **from_address(9)).status_code == 429


@pytest.mark.statement("S14")
def test_asking_who_it_is_and_changing_the_password_count_with_it(staff):
    sent = {"old_password": "wrong", "new_password1": "x", "new_password2": "x"}
    for number in range(3):
        assert staff.post("/admin/password_change/", sent, **from_address(number)).status_code == 200
    for number in range(3, 5):
        assert staff.post(SECURITY + "confirm/", {"password": "wrong"}, **from_address(number)).status_code == 200
    answer = staff.post(SECURITY + "confirm/", {"password": PASSWORD}, **from_address(6))
    assert (answer.status_code, staff.post("/admin/password_change/", sent).status_code) == (429, 429)


def test_a_name_that_nobody_has_is_not_in_the_audit(client, superuser):
    """It may be a password in the wrong field."""
    for number in range(7):
        sign_in(client, "my-secret-password", "x", **from_address(number))
    event = AuditEvent.objects.get()
    assert (event.kind, event.object_label, event.after) == (
        "staff.locked_out",
        "203.0.113.5",
        {"account": "unknown"},
    )


def test_a_name_with_a_nul_is_no_crash(client, superuser):
    assert sign_in(client, "ro\0ot").status_code == 200
    assert client.get("/admin/").status_code == 302


def test_an_operator_lets_somebody_try_again(client, superuser, capsys):
    for number in range(6):
        last = sign_in(client, password="wrong", **from_address(number))
    assert last.status_code == 429
    call_command("unlock_sign_in", "root")
    assert "root: 5 tries are free again" in capsys.readouterr().out
    assert sign_in(client, **from_address(7)).status_code == 302
    assert kinds() == ["staff.locked_out", "staff.unlocked", "staff.signed_in"]


@pytest.mark.parametrize("command", ["unlock_sign_in", "reset_second_factor"])
def test_a_name_that_is_not_there_is_said(command):
    with pytest.raises(Exception, match="no account with the username “ghost”"):
        call_command(command, "ghost")


def test_django_s_own_log_in_is_out_of_reach():
    """It counts no tries and asks for no second factor."""
    assert resolve(LOGIN).url_name == "account_login"


def test_somebody_who_is_staff_no_more_is_told_and_not_sent_round(client, superuser):
    sign_in(client)
    get_user_model().objects.update(is_staff=False)
    assert client.get("/admin/")["Location"] == "/admin/login/?next=/admin/"
    assert client.get(LOGIN + "?next=/admin/").status_code == 403
    assert client.get(SECURITY).status_code == 403


def test_a_session_gets_a_new_name_at_sign_in_and_ends_elsewhere_with_the_password(client, superuser, settings):
    other = Client()
    sign_in(other, **from_address(1))
    client.get(LOGIN)
    client.session["kept"] = 1
    before = client.session.session_key
    sign_in(client)
    assert client.session.session_key != before
    cookie = client.cookies["sessionid"]
    assert (cookie["httponly"], cookie["samesite"], cookie["max-age"]) == (True, "Lax", 12 * 3600)
    new = "another-long-password-2"
    client.post("/admin/password_change/", {"old_password": PASSWORD, "new_password1": new, "new_password2": new})
    assert (client.get("/admin/").status_code, other.get("/admin/").status_code) == (200, 302)
    assert [row.session_key for row in client.get(SECURITY).context["sessions"]] == [client.session.session_key]
    assert kinds() == ["staff.signed_in", "staff.signed_in", "staff.password_changed"]


def test_staff_see_where_they_are_signed_in_and_end_it(client, superuser):
    others = [Client(headers={"User-Agent": f"Browser {number}"}) for number in range(3)]
    for number, other in enumerate(others):
        sign_in(other, **from_address(number))
    sign_in(client)
    text = client.get(SECURITY).content.decode()
    assert "Browser 1" in text and "203.0.113.2" in text and "This one" in text
    rows = {row.ip: row for row in UserSession.objects.all()}
    client.post(SECURITY + "sessions/", {"session": rows["203.0.113.1"].pk})
    assert [other.get("/admin/").status_code for other in others] == [200, 302, 200]
    client.post(SECURITY + "sessions/", {"session": rows["127.0.0.1"].pk})  # not the one that asks
    client.post(SECURITY + "sessions/")
    assert [other.get("/admin/").status_code for other in (*others, client)] == [302, 302, 302, 200]
    ended = AuditEvent.objects.filter(kind="staff.sessions_ended").order_by("pk")
    assert [event.after for event in ended] == [{"ended": 1}, {"ended": 2}]


@pytest.mark.parametrize("session", ["x", "-1", "9" * 30, "\u0663"])
def test_nobody_ends_the_session_of_somebody_else(client, staff, superuser, session):
    stranger = Client()
    get_user_model().objects.create_user("ada", password=PASSWORD, is_staff=True)
    sign_in(stranger, "ada")
    staff.post(SECURITY + "sessions/", {"session": UserSession.objects.get().pk})
    assert staff.post(SECURITY + "sessions/", {"session": session}).status_code == 403
    assert stranger.get("/admin/").status_code == 200


def test_the_worker_forgets_sessions_that_are_over(client, superuser):
    sign_in(client)
    other = Client()
    sign_in(other)
    Session.objects.filter(session_key=other.session.session_key).update(expire_date="2020-01-01T00:00:00Z")
    call_command("run_worker", "--once")
    assert Session.objects.get().session_key == client.session.session_key


@pytest.mark.server
@pytest.mark.statement("S14")
@pytest.mark.django_db(transaction=True)
def test_it_counts_exactly_in_four_processes(superuser, global_key):
    """Eight at once on one account, from everywhere and with the right password: five get in. One address: five too."""
    superuser.password = PBKDF2PasswordHasher().encode(PASSWORD, "some-salt")  # which the real server can read
    superuser.save()

    def tried(url: str, name: str, password: str, address: str) -> tuple[int, str | None]:
        visitor = Visitor(url, address)
        visitor.get(LOGIN)
        answer = visitor.post(LOGIN, login=name, password=password)
        return answer.status, answer.headers.get("Retry-After")

    tries = [("root", PASSWORD, f"203.0.113.{number}") for number in range(8)]
    tries += [(f"name-{number}", "", "198.51.100.7") for number in range(8)]
    # DEBUG: nobody has collected the pages' static files here
    variables = {"TRUSTED_PROXY_COUNT": "1", "DEBUG": "true", "ALLOWED_HOSTS": "localhost,127.0.0.1"}
    with running_portal(workers=4, threads=2, **variables) as server, ThreadPoolExecutor(16) as pool:
        answers = list(pool.map(lambda each: tried(server.url, *each), tries))
    statuses = [status for status, _ in answers]
    assert (statuses[:8].count(302), statuses[:8].count(429)) == (5, 3)
    assert (statuses[8:].count(200), statuses[8:].count(429)) == (5, 3)
    assert all(1 <= int(wait) <= 60 for status, wait in answers if status == 429)


def test_a_name_that_nobody_has_takes_as_long_as_a_wrong_password(client, superuser, settings):
    """With slow hashing, as in production: a quick answer would say that there is no such account."""
    settings.PASSWORD_HASHERS = ["tests.staff_door.SlowHasher"]
    superuser.set_password(PASSWORD)
    superuser.save()
    took = {"root": [], "nobody": []}
    for number in range(6):
        name = ("root", "nobody")[number % 2]
        begun = time.process_time()
        assert sign_in(client, name, "wrong", **from_address(number)).status_code == 200
        took[name].append(time.process_time() - begun)
    known, unknown = statistics.median(took["root"]), statistics.median(took["nobody"])
    assert 0.7 < known / unknown < 1.4
