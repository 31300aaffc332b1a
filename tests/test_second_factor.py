"""Second factors: asked for, set up, used once, lost."""

import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import time_machine
from allauth.mfa.models import Authenticator
from django.apps import apps
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import connection
from django.test import Client

from licenses.models import AuditEvent
from licensing_portal.staff.factors import use_code
from tests.codes import code_of
from tests.staff_door import (
    APP,
    CODES,
    LOGIN,
    PASSWORD,
    SECOND,
    SECURITY,
    from_address,
    set_up_app,
    sign_in,
    stored_secret,
)

pytestmark = pytest.mark.django_db


@pytest.fixture
def required(settings):
    settings.SECOND_FACTOR_REQUIRED = "superusers"


@pytest.fixture
def secured(client, superuser):
    """Signed out, with an authenticator app; its secret and the recovery codes."""
    sign_in(client, **from_address(250))
    found = set_up_app(client)
    client.post("/admin/logout/")
    return found


def event_kinds() -> list[str]:
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


@pytest.mark.parametrize(
    "path", ["", "licenses/licensekey/", "licenses/apikey/add/", "password_change/", "auth/user/", "security"]
)
@pytest.mark.parametrize("method", ["get", "post"])
def test_whoever_needs_one_and_has_none_sees_nothing_else(client, superuser, required, method, path):
    sign_in(client)
    answer = getattr(client, method)(f"/admin/{path}", {"name": "x"})
    assert (answer.status_code, answer["Location"]) == (302, SECURITY)
    assert "Your account needs a second factor" in client.get(SECURITY).content.decode()


def test_it_opens_when_one_is_set_up(client, superuser, required):
    sign_in(client)
    _, codes = set_up_app(client)
    assert len(set(codes)) == 10
    assert client.get("/admin/licenses/licensekey/").status_code == 200
    assert event_kinds() == ["staff.signed_in", "staff.second_factor_added"]


def test_sessions_that_were_begun_without_it_end(client, superuser):
    other = Client()
    sign_in(other)
    sign_in(client)
    set_up_app(client)
    assert (client.get("/admin/").status_code, other.get("/admin/").status_code) == (200, 302)


@pytest.mark.parametrize(("setting", "free"), [("nobody", "root ada"), ("superusers", "ada"), ("staff", "")])
def test_the_setting_says_who_needs_one(client, superuser, settings, setting, free):
    settings.SECOND_FACTOR_REQUIRED = setting
    get_user_model().objects.create_user("ada", password=PASSWORD, is_staff=True)
    for name in ("root", "ada"):
        sign_in(client, name)
        assert client.get("/admin/").status_code == (200 if name in free.split() else 302), name
        client.post("/admin/logout/")


def test_the_password_alone_is_not_enough_any_more(client, secured):
    assert sign_in(client)["Location"] == SECOND
    assert client.get("/admin/").status_code == 302
    assert client.post(SECOND, {"code": "000000"}).status_code == 200
    assert client.get("/admin/").status_code == 302
    assert client.post(SECOND, {"code": code_of(secured[0], steps=1)})["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200


def test_a_code_works_once(superuser, client, secured):
    """Not again in another browser, nor one that is older; the one that set the app up neither."""
    first, second = Client(), Client()
    for browser in (first, second):
        sign_in(browser, **from_address(1))
    assert first.post(SECOND, {"code": code_of(secured[0])}).status_code == 200, "shown to set it up"
    fresh = code_of(secured[0], steps=1)
    assert first.post(SECOND, {"code": fresh}).status_code == 302
    assert second.post(SECOND, {"code": fresh}).status_code == 200
    assert second.post(SECOND, {"code": code_of(secured[0])}).status_code == 200


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("kind", ["totp", "recovery_codes"])
def test_a_code_that_is_used_eight_times_at_once_works_once(client, superuser, kind):
    sign_in(client)
    secret, codes = set_up_app(client)
    code = code_of(secret, steps=1) if kind == "totp" else codes[0]

    def use(_: int) -> bool:
        try:
            return use_code(superuser, code) is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(use, range(8))) == 1


def test_codes_of_another_time_are_wrong(client, secured):
    sign_in(client)
    for steps in (-3, 4):
        assert client.post(SECOND, {"code": code_of(secured[0], steps=steps)}).status_code == 200


def test_a_clock_half_a_minute_behind_is_no_reason_to_stay_outside(client, secured):
    with time_machine.travel(time.time() + 120, tick=False):
        sign_in(client)
        assert client.post(SECOND, {"code": code_of(secured[0], steps=-1)}).status_code == 302


def test_each_recovery_code_works_once(client, secured):
    _, codes = secured
    sign_in(client)
    assert client.post(SECOND, {"code": codes[0]}).status_code == 302
    client.post("/admin/logout/")
    sign_in(client)
    assert client.post(SECOND, {"code": codes[0]}).status_code == 200
    assert client.post(SECOND, {"code": codes[1].replace("-", "")}).status_code == 302
    assert "8 left" in client.get(SECURITY).content.decode()
    assert AuditEvent.objects.filter(kind="staff.signed_in").latest("pk").after == {
        "by": ["password", "recovery_codes"]
    }


def test_recovery_codes_are_shown_once_and_new_ones_end_the_old(client, superuser):
    sign_in(client)
    _, codes = set_up_app(client)
    assert codes[0] not in client.get(CODES).content.decode()
    fresh = client.post(CODES + "new/", follow=True).content.decode()
    assert codes[0] not in fresh and "shown this once" in fresh
    client.post("/admin/logout/")
    sign_in(client)
    assert client.post(SECOND, {"code": codes[0]}).status_code == 200
    assert event_kinds().count("staff.recovery_codes_made") == 1


@pytest.mark.statement("S14")
def test_codes_are_guessed_no_faster_than_passwords(client, secured):
    sign_in(client)
    answers = [client.post(SECOND, {"code": f"{n:06}"}, **from_address(n)).status_code for n in range(4)]
    answer = client.post(SECOND, {"code": code_of(secured[0], steps=1)}, **from_address(9))
    assert (answers, answer.status_code) == ([200] * 4, 429)  # one more was the code that set the app up
    assert int(answer["Retry-After"]) <= 60
    assert client.get("/admin/").status_code == 302
    assert AuditEvent.objects.filter(kind="staff.locked_out").count() == 1


@pytest.mark.statement("S14")
def test_confirming_by_code_counts_with_it(client, secured):
    sign_in(client)
    client.post(SECOND, {"code": code_of(secured[0], steps=1)})
    answers = [client.post(SECURITY + "confirm/code/", {"code": "1"}, **from_address(n)).status_code for n in range(4)]
    assert answers == [200, 200, 200, 429]


def test_the_last_one_stays_while_it_is_needed(client, superuser, required, settings):
    sign_in(client)
    set_up_app(client)
    page = client.get(APP + "remove/").content.decode()
    assert "Add another one before you remove it" in page and 'value="Remove the app"' not in page
    client.post(APP + "remove/")
    assert Authenticator.objects.filter(type="totp").exists()
    settings.SECOND_FACTOR_REQUIRED = "nobody"
    client.post(APP + "remove/")
    assert not Authenticator.objects.exists()
    assert event_kinds()[-1] == "staff.second_factor_removed"


@pytest.mark.parametrize("path", [APP, APP + "remove/", CODES + "new/", SECURITY + "passkeys/add/"])
def test_changes_ask_again_who_it_is(client, superuser, path):
    """An open browser is not enough: ten minutes after signing in the password is wanted once more."""
    sign_in(client)
    set_up_app(client)
    Authenticator.objects.filter(type="totp").delete() if path == APP else None
    with time_machine.travel(time.time() + 600, tick=False):
        assert client.get(path)["Location"].startswith(SECURITY + "confirm/")
        client.post(SECURITY + "confirm/", {"password": PASSWORD})
        assert client.get(path).status_code == 200


def test_secrets_are_stored_encrypted_and_shown_nowhere(client, superuser):
    sign_in(client)
    secret, codes = set_up_app(client)
    rows = list(Authenticator.objects.values_list("type", "data"))
    for kind, data in rows:
        assert data["secret" if kind == "totp" else "seed"].startswith("gAAAA")
    assert stored_secret(superuser) == secret
    everything = f"{rows} {list(AuditEvent.objects.values())} {dict(client.session)} {client.get(SECURITY).content}"
    assert not [
        text for text in (secret, *codes, PASSWORD) if text in everything or text.replace("-", "") in everything
    ]


def test_the_admin_has_no_pages_for_how_somebody_else_signs_in():
    models = [model for model in apps.get_models() if model.__module__.startswith("allauth.")]
    assert len(models) >= 7
    assert [model for model in models if admin.site.is_registered(model)] == []


def test_who_has_lost_phone_and_codes_is_helped_by_an_operator(client, secured, superuser, capsys, settings):
    settings.SECOND_FACTOR_REQUIRED = "superusers"
    call_command("reset_second_factor", "root")
    said = capsys.readouterr().out
    assert "root: 2 removed" in said and "next sign-in" in said
    assert sign_in(client)["Location"] == "/admin/"
    assert client.get("/admin/")["Location"] == SECURITY
    event = AuditEvent.objects.get(kind="staff.second_factor_reset")
    assert (event.door, event.object_label, event.after) == ("command", "root", {"removed": 2})


def test_somebody_else_may_sign_in_instead(client, secured):
    sign_in(client)
    assert client.get(LOGIN)["Location"] == SECOND
    assert client.post(LOGIN + "start-again/")["Location"] == LOGIN
    assert client.get(LOGIN).status_code == 200


@pytest.mark.parametrize(
    ("host", "secure", "works"),
    [
        ("127.0.0.1", False, False),
        ("localhost", False, True),
        ("licenses.example.com", False, False),
        ("licenses.example.com", True, True),
        ("203.0.113.7", True, False),
        ("[::1]", False, False),
    ],
)
def test_passkeys_are_offered_where_browsers_have_them(client, settings, host, secure, works):
    settings.ALLOWED_HOSTS = ["*"]
    page = client.get(LOGIN, headers={"host": f"{host}:8000"}, secure=secure).content.decode()
    assert ("Sign in with a passkey" in page) == works


@pytest.mark.parametrize(
    "credential", ["{}", "[]", "1", "null", '{"id": "x", "rawId": "x", "response": {"userHandle": "AA"}}', "{"]
)
def test_what_is_no_passkey_is_refused(client, superuser, credential):
    client.get(LOGIN + "passkey/", headers={"accept": "application/json"})
    answer = client.post(LOGIN + "passkey/", {"credential": credential})
    assert (answer.status_code, client.get("/admin/").status_code) == (302, 302)
