"""GET, PUT and PATCH /api/license/settings: the wire contract and the eleven rules of protocol/settings.md."""

import io
import json
import logging
import threading
import time
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import OperationalError, connection
from django.test import Client
from django.utils import timezone
from hypothesis import given
from hypothesis import strategies as st

from licenses.events import record_setting
from licenses.models import ApiKey, AuditEvent
from settings_api import parameters
from settings_api.models import Setting
from settings_api.resolve import resolve
from tests.factories import api_key_text
from tests.settings_door import LICENSE_KEY, NEW_VALUES, TABLE, SettingsApi, new_value, pinned_text

pytestmark = pytest.mark.django_db

KEY = "XXXX-XXXX-XXXX-XXXX"
MASK = "************XXXX"
OTHER_KEY = "YYYY-YYYY-YYYY-YYYY"
REAL_TABLE = parameters.TABLE


@pytest.fixture(autouse=True)
def nothing_pinned(monkeypatch):
    for parameter in (*REAL_TABLE, *TABLE):
        monkeypatch.delenv(parameter.variable, raising=False)
        monkeypatch.delenv(parameter.file_variable, raising=False)


@pytest.fixture
def table(monkeypatch):
    monkeypatch.setattr(parameters, "TABLE", TABLE)


@pytest.fixture
def api(client) -> SettingsApi:
    return SettingsApi(client, api_key_text("read-settings", "change-settings"))


def audit() -> list[tuple[str, str, str]]:
    rows = AuditEvent.objects.filter(kind__startswith="setting.").order_by("pk")
    return [(row.kind, row.object_label, row.after["source"]) for row in rows]


def stored() -> dict:
    return dict(Setting.objects.values_list("name", "encrypted_value"))


# The wire contract


def test_it_updates_the_license_key(api):
    before = time.time_ns() // 1_000_000
    body = api.put({"licenseKey": KEY})
    assert api.status == 200
    assert list(body) == ["data", "meta", "message"]
    assert body["data"] == {"attributes": {"licenseKey": {"value": MASK, "editable": True, "masked": True}}}
    assert list(body["data"]["attributes"]["licenseKey"]) == ["value", "editable", "masked"]
    assert body["message"] == "License settings updated successfully"
    assert before <= body["meta"]["generatedAt"] <= time.time_ns() // 1_000_000
    assert body["meta"]["executionTime"] < 60_000
    assert resolve("licenseKey").value == KEY


def test_it_shows_the_settings(api):
    body = api.get()
    assert api.status == 200
    assert list(body) == ["data", "meta"]
    assert body["data"] == {"attributes": {"licenseKey": {"value": "", "editable": True, "masked": False}}}


def test_it_shows_what_locks_a_setting(api, monkeypatch):
    monkeypatch.setenv("LICENSE_KEY", KEY)
    field = api.get()["data"]["attributes"]["licenseKey"]
    assert field == {"value": MASK, "editable": False, "masked": True, "lockedBy": "LICENSE_KEY"}
    assert list(field) == ["value", "editable", "masked", "lockedBy"]


def test_it_answers_head_without_a_body(api):
    http = api.client.head("/api/license/settings", headers=api.headers)
    assert (http.status_code, http.content) == (200, b"")


@pytest.mark.parametrize("path", ["settings", "settings/", "status", "status/"])
def test_it_takes_a_slash_at_the_end_without_a_redirect(api, path):
    api.get(path)
    assert api.status == 200


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "image/png"])
def test_it_answers_json_whatever_is_accepted(api, accept):
    api.headers["Accept"] = accept
    api.get()
    assert api.status == 200
    api.get("settings?format=api")
    assert api.status == 200


@pytest.mark.parametrize("path", ["", "setting", "settings/licenseKey", "status/x", "../license/none", "settings//"])
@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE", "OPTIONS"])
def test_it_answers_unknown_paths_in_its_own_shape(api, path, method):
    assert api.send(method, "{}", path=path) == {"message": "Unknown endpoint"}
    assert api.status == 404


@pytest.mark.parametrize(
    ("path", "method", "allowed"),
    [
        ("settings", "POST", "GET, HEAD, PUT, PATCH"),
        ("settings", "DELETE", "GET, HEAD, PUT, PATCH"),
        ("settings", "OPTIONS", "GET, HEAD, PUT, PATCH"),
        ("settings", "NONSENSE", "GET, HEAD, PUT, PATCH"),
        ("status", "PUT", "GET, HEAD"),
        ("status", "POST", "GET, HEAD"),
    ],
)
def test_it_refuses_other_methods_before_it_asks_who_calls(client, path, method, allowed):
    for api in (SettingsApi(client, None), SettingsApi(client, api_key_text())):
        body = api.send(method, "{", path=path)
        assert (api.status, body) == (405, {"message": f'Method "{method}" not allowed.'})
        assert api.http.headers["Allow"] == allowed


def test_it_answers_a_host_it_does_not_serve_in_its_own_shape(api):
    http = api.client.get("/api/license/settings", headers=api.headers, HTTP_HOST="evil.example")
    assert (http.status_code, json.loads(http.content)) == (400, {"message": "Malformed request"})


def crash(*args, **kwargs):
    raise RuntimeError("postgres://inside:secret@db")


def lose_the_database(*args, **kwargs):
    raise OperationalError("the server closed the connection")


def test_it_says_nothing_about_the_inside_when_it_crashes(api, settings):
    settings.SETTINGS_API = {**settings.SETTINGS_API, "LICENSE_STATUS": f"{__name__}.crash"}
    assert api.get("status") == {"message": "Internal error"}
    assert api.status == 500


def test_it_says_nothing_about_the_inside_when_a_change_crashes(api, settings):
    settings.SETTINGS_API = {**settings.SETTINGS_API, "RECORD": f"{__name__}.crash"}
    assert api.put({"licenseKey": KEY}) == {"message": "Internal error"}
    assert api.status == 500
    assert stored() == {}, "a change without its audit row"


def test_it_asks_to_come_back_when_the_database_is_away(api, settings):
    settings.SETTINGS_API = {**settings.SETTINGS_API, "LICENSE_STATUS": f"{__name__}.lose_the_database"}
    assert api.get("status") == {"message": "Service unavailable"}
    assert (api.status, api.http.headers["Retry-After"]) == (503, "5")


def test_a_crash_before_the_view_is_answered_in_the_same_shape(client, settings):
    settings.MIDDLEWARE = [*settings.MIDDLEWARE, f"{__name__}.crashing_middleware"]
    http = Client(raise_request_exception=False).get("/api/license/settings")
    assert (http.status_code, json.loads(http.content)) == (500, {"message": "Internal error"})


def crashing_middleware(get_response):
    return crash


# Who may


@pytest.mark.statement("S13")
@pytest.mark.parametrize("path", ["settings", "status"])
def test_it_asks_for_a_token(client, path):
    past = timezone.now() - timedelta(seconds=1)
    inactive = api_key_text()
    ApiKey.objects.update(is_active=False)
    for text in (None, "lp_unknown", "nonsense \u2028 ünicode", inactive, api_key_text(expires_at=past)):
        api = SettingsApi(client, text)
        assert list(api.get(path)) == ["message"]
        assert (api.status, api.http.headers["WWW-Authenticate"]) == (401, "Bearer")


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_it_asks_for_a_token_to_change_anything(client, method):
    api = SettingsApi(client, None)
    assert list(api.send(method, json.dumps({"data": {"attributes": {"licenseKey": KEY}}}))) == ["message"]
    assert (api.status, stored(), audit()) == (401, {}, [])


@pytest.mark.statement("S13")
def test_a_token_does_what_its_capabilities_say_and_nothing_else(client):
    reader = SettingsApi(client, api_key_text("read-settings"))
    writer = SettingsApi(client, api_key_text("change-settings"))
    neither = SettingsApi(client, api_key_text("verify", "activate"))
    assert [reader.get() and reader.status, reader.get("status") and reader.status] == [200, 200]
    assert reader.put({"licenseKey": KEY}) == {"message": "This API key lacks the capability change-settings."}
    assert (reader.status, stored()) == (403, {})
    assert writer.get() == {"message": "This API key lacks the capability read-settings."}
    assert (writer.status, writer.get("status") and writer.status) == (403, 403)
    assert writer.put({"licenseKey": KEY}) and writer.status == 200
    for call in (neither.get, lambda: neither.get("status"), lambda: neither.put({}), lambda: neither.patch({})):
        assert (list(call()), neither.status) == (["message"], 403)


@pytest.mark.statement("S13")
def test_a_token_from_a_wrong_network_is_forbidden(client):
    api = SettingsApi(client, api_key_text(allowed_networks=["203.0.113.0/24"]))
    assert api.get() == {"message": "API key can't be used from this IP address"}
    assert api.status == 403
    assert api.put({"licenseKey": KEY}) == {"message": "API key can't be used from this IP address"}
    assert (api.status, stored()) == (403, {})
    assert audit() == [("setting.refused", "licenseKey", "default")]


def test_editable_is_false_for_a_caller_who_may_not_change(client):
    reader = SettingsApi(client, api_key_text("read-settings"))
    assert reader.get()["data"]["attributes"]["licenseKey"]["editable"] is False


def test_too_many_requests_are_told_when_to_come_back(client, settings):
    settings.SETTINGS_REQUESTS_PER_MINUTE = 3
    api, other = SettingsApi(client, api_key_text()), SettingsApi(client, api_key_text())
    assert [api.put({"licenseKey": KEY}) and api.status for _ in range(5)] == [200, 200, 200, 429, 429]
    assert list(api.get()) == ["message"]
    assert api.status == 429
    assert 1 <= int(api.http.headers["Retry-After"]) <= 60
    assert other.get() and other.status == 200, "each API key has its own count"


def test_guessing_tokens_is_throttled_by_address(client, settings):
    settings.SETTINGS_REQUESTS_PER_MINUTE = 3
    guesser, known = SettingsApi(client, "lp_guess"), SettingsApi(client, api_key_text())
    assert [guesser.get() and guesser.status for _ in range(4)] == [401, 401, 401, 429]
    guesser.headers["X-Forwarded-For"] = "203.0.113.7"
    assert guesser.get() and guesser.status == 429, "what the caller says of its address does not count"
    assert known.get() and known.status == 200


# Rule 2: secrets


@pytest.mark.parametrize(
    ("license_key", "shown"),
    [
        ("short", "****************"),
        ("fifteen-letters", "****************"),
        ("sixteen--letters", "************ters"),
        ("x" * 200 + "1234", "************1234"),
    ],
)
def test_a_mask_has_a_fixed_width_and_four_characters_only_of_a_long_value(api, license_key, shown):
    field = api.put({"licenseKey": license_key})["data"]["attributes"]["licenseKey"]
    assert (field["value"], field["masked"]) == (shown, True)
    assert len(shown) == 16


def test_what_is_no_secret_is_not_masked(api, table):
    attributes = api.get()["data"]["attributes"]
    assert [(name, field["value"], field["masked"]) for name, field in attributes.items()] == [
        ("licenseKey", "", False),
        ("greeting", "Hello", False),
        ("strict", True, False),
        ("retries", 3, False),
    ]


@pytest.mark.statement("S38")
def test_a_secret_is_in_no_log_export_audit_row_answer_or_page(api, staff, caplog, capsys, monkeypatch, settings):
    settings.DEBUG = True  # Django's own pages of errors would show the most
    caplog.set_level(logging.DEBUG)
    secret, second, pinned = "S3CRET-LICENSE-KEY-0001", "S3CRET-LICENSE-KEY-0002", "S3CRET-LICENSE-KEY-0003"
    page = "/admin/settings_api/setting/"
    seen = [
        api.put({"licenseKey": secret}),
        api.get(),
        api.put({"licenseKey": second, "unknown": 1}),
        api.put({"licenseKey": second + "\n" + second}),
        api.put({"licenseKey": "****" + secret}),
        staff.get(page).content.decode(),
        staff.post(page, {"licenseKey": second + "\x00"}).content.decode(),
        staff.post(page, {"licenseKey": second}, follow=True).content.decode(),
    ]
    monkeypatch.setenv("LICENSE_KEY", pinned)
    seen += [
        api.get(),
        api.put({"licenseKey": secret}),
        staff.get(page).content.decode(),
        staff.post(page, {"licenseKey": secret}).content.decode(),
    ]
    settings.SETTINGS_API = {**settings.SETTINGS_API, "RECORD": f"{__name__}.crash"}
    monkeypatch.delenv("LICENSE_KEY")
    seen.append(api.put({"licenseKey": secret}))
    assert api.status == 500
    call_command("dumpdata")
    seen += [caplog.text, capsys.readouterr().out, list(AuditEvent.objects.values())]
    assert AuditEvent.objects.filter(kind="setting.changed").count() == 2
    assert "S3CRET" not in repr(seen)


@pytest.mark.statement("S28")
def test_the_database_alone_gives_no_value_away(api):
    api.put({"licenseKey": KEY})
    raw = bytes(Setting.objects.get().encrypted_value)
    assert KEY.encode() not in raw


# Rule 3: the order of checks


def test_the_token_comes_first_then_the_right_then_the_body(client):
    nobody = SettingsApi(client, None)
    reader = SettingsApi(client, api_key_text("read-settings"))
    for body, media_type in (("{", "application/json"), ("a=b", "text/plain"), ("x" * 1_100_000, "application/json")):
        assert nobody.send("PUT", body, media_type) and nobody.status == 401
        assert reader.send("PUT", body, media_type) and reader.status == 403


def test_an_invalid_value_comes_before_a_lock(api, table, monkeypatch):
    monkeypatch.setenv("RETRIES", "5")
    body = api.patch({"retries": 6, "strict": "yes"})
    assert api.status == 400
    assert list(body["errors"]["attributes"]) == ["strict"]
    assert api.patch({"retries": "six"}) and api.status == 400


def test_one_locked_field_changes_nothing_and_each_is_listed(api, table, monkeypatch):
    api.put({"licenseKey": KEY, "greeting": "Ahoy"})
    before = stored()
    monkeypatch.setenv("RETRIES", "5")
    monkeypatch.setenv("STRICT", "off")
    body = api.put({**NEW_VALUES, "strict": True})
    assert api.status == 409
    assert body == {
        "message": "Fields strict, retries cannot be overridden because they are defined by environment variables.",
        "errors": {
            "attributes": {"strict": ["Field is not overridable"], "retries": ["Field is not overridable"]},
        },
    }
    assert stored() == before


def test_a_locked_field_is_a_conflict_as_documented(api, monkeypatch):
    monkeypatch.setenv("LICENSE_KEY", KEY)
    for send in (api.put, api.patch):
        assert send({"licenseKey": OTHER_KEY}) == {
            "message": "Field licenseKey cannot be overridden because it is defined by an environment variable.",
            "errors": {"attributes": {"licenseKey": ["Field is not overridable"]}},
        }
        assert (api.status, stored()) == (409, {})


def test_a_secret_file_locks_too(api, monkeypatch, tmp_path):
    (tmp_path / "key").write_text(f"{KEY}\n")
    monkeypatch.setenv("LICENSE_KEY_FILE", str(tmp_path / "key"))
    assert api.put({"licenseKey": OTHER_KEY}) and api.status == 409
    assert api.get()["data"]["attributes"]["licenseKey"] == {
        "value": MASK,
        "editable": False,
        "masked": True,
        "lockedBy": "LICENSE_KEY_FILE",
    }


# Rule 4: no change


@pytest.mark.parametrize("again", [KEY, f"  {KEY} ", MASK])
def test_the_current_value_or_its_mask_is_no_change(api, again):
    api.put({"licenseKey": KEY})
    before, rows = stored(), audit()
    for send in (api.put, api.patch):
        body = send({"licenseKey": again})
        assert (api.status, body["message"]) == (200, "License settings updated successfully")
    assert (stored(), audit()) == (before, rows)
    assert rows == [("setting.changed", "licenseKey", "database")]


def test_what_was_read_can_be_sent_back_although_a_field_is_locked(api, table, monkeypatch):
    monkeypatch.setenv("LICENSE_KEY", KEY)
    read = {name: field["value"] for name, field in api.get()["data"]["attributes"].items()}
    body = api.put({**read, "greeting": "Ahoy"})
    assert api.status == 200
    assert body["data"]["attributes"]["greeting"]["value"] == "Ahoy"
    assert audit() == [("setting.changed", "greeting", "database")]


@pytest.mark.parametrize("value", [MASK, "************YYYY", "****************", "*", "••••••••1234", "ABCD-****-EFGH"])
def test_a_new_value_that_looks_like_a_mask_is_never_stored(api, value):
    for current in ("", OTHER_KEY[:-4] + "ZZZZ"):
        if current:
            api.put({"licenseKey": current})
        before = stored()
        for send in (api.put, api.patch):
            body = send({"licenseKey": value})
            assert (api.status, body["message"]) == (400, "Validation failed")
            assert "mask" in body["errors"]["attributes"]["licenseKey"][0]
        assert stored() == before


def test_a_value_with_a_few_stars_is_no_mask(api):
    assert api.put({"licenseKey": "A*B**C***D-1234567"}) and api.status == 200


# Rule 5: PUT replaces, PATCH is partial


@pytest.mark.parametrize("attributes", [{}, {"licenseKey": ""}, {"licenseKey": "   "}, {"licenseKey": None}])
def test_put_needs_the_required_field(api, attributes):
    assert api.put(attributes) == {
        "message": "Validation failed",
        "errors": {"attributes": {"licenseKey": ["License Key is required"]}},
    }
    assert (api.status, stored()) == (400, {})


@pytest.mark.parametrize("body", ["", "{}", '{"data": {}}', '{"data": {"attributes": {}}}', '{"licenseKey": "X"}'])
def test_put_without_attributes_lacks_the_required_field(api, body):
    assert api.send("PUT", body)["errors"] == {"attributes": {"licenseKey": ["License Key is required"]}}
    assert api.status == 400


def test_patch_changes_what_it_names_and_nothing_else(api, table):
    api.put({**NEW_VALUES})
    assert api.patch({}) and api.status == 200
    body = api.patch({"retries": 9})
    shown = {name: field["value"] for name, field in body["data"]["attributes"].items()}
    assert shown == {"licenseKey": "************NEW4", "greeting": "Servus", "strict": False, "retries": 9}


@pytest.mark.parametrize("body", ["{}", '{"data": {}}', '{"licenseKey": "XXXX-XXXX"}'])
def test_patch_without_attributes_is_a_mistake_and_not_no_change(api, body):
    assert "attributes" in api.send("PATCH", body)["message"]
    assert api.status == 400


def test_patch_cannot_empty_the_required_field(api):
    api.put({"licenseKey": KEY})
    for value in ("", " ", None):
        body = api.patch({"licenseKey": value})
        assert body["errors"]["attributes"] == {"licenseKey": ["License Key is required"]}
    assert resolve("licenseKey").value == KEY


def test_put_takes_fields_it_does_not_name_back_to_their_defaults(api, table):
    api.put(NEW_VALUES)
    body = api.put({"licenseKey": "NEW1-NEW2-NEW3-NEW4", "retries": 7})
    shown = {name: field["value"] for name, field in body["data"]["attributes"].items()}
    assert shown == {"licenseKey": "************NEW4", "greeting": "Hello", "strict": True, "retries": 7}
    assert audit()[-2:] == [("setting.changed", "greeting", "default"), ("setting.changed", "strict", "default")]


def test_put_leaves_a_locked_field_alone_that_it_does_not_name(api, table, monkeypatch):
    api.put(NEW_VALUES)
    monkeypatch.setenv("GREETING", "Moin")
    assert api.put({"licenseKey": KEY}) and api.status == 200
    monkeypatch.delenv("GREETING")
    assert resolve("greeting").value == "Servus"


@pytest.mark.statement("S11")
def test_unknown_fields_are_refused_by_name(api):
    body = api.put({"licenseKey": KEY, "is_staff": True, "LICENSE_KEY": KEY})
    assert body["errors"]["attributes"] == {"is_staff": ["Unknown field"], "LICENSE_KEY": ["Unknown field"]}
    assert (api.status, stored()) == (400, {})
    assert audit() == [("setting.refused", "(unknown)", "default")]


@pytest.mark.statement("S29")
@pytest.mark.parametrize(
    "value", [1, 0, True, False, 1.5, [], ["X"], {}, {"value": "X"}, "a\x00b", "a\nb", "\ud800", "x" * 256, "\x7f"]
)
def test_a_wrong_type_or_text_is_refused(api, value):
    for send in (api.put, api.patch):
        body = send({"licenseKey": value})
        assert (api.status, body["message"]) == (400, "Validation failed")
        assert body["errors"]["attributes"] == {
            "licenseKey": ["License Key must be a text of one line, at most 255 characters"]
        }
    assert stored() == {}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(("strict", value) for value in ("true", 1, 0, None, "")),
        *(("retries", value) for value in ("7", True, 1.0, None, "", 10**9, 10**400)),
        *(("greeting", value) for value in (None, 0, False)),
    ],
)
def test_each_kind_takes_its_own_type_of_json_alone(api, table, name, value):
    body = api.patch({name: value})
    assert (api.status, list(body["errors"]["attributes"])) == (400, [name])
    assert "must be" in body["errors"]["attributes"][name][0]


def test_false_zero_and_an_allowed_empty_text_are_values(api, table):
    attributes = api.patch({"greeting": "", "strict": False, "retries": 0})["data"]["attributes"]
    assert [attributes[name]["value"] for name in ("greeting", "strict", "retries")] == ["", False, 0]


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@pytest.mark.statement("S29")
@given(value=anything)
def test_whatever_is_sent_is_accepted_as_its_kind_or_refused_in_words(value):
    for parameter in TABLE:
        try:
            accepted = parameter.accept(value)
        except ValueError as error:
            assert parameter.label in str(error)
        else:
            assert type(accepted) is parameter.kind.json_type


# Rule 9: the table drives everything


@pytest.mark.parametrize("rows", [REAL_TABLE, TABLE], ids=["the portal's", "every kind"])
def test_every_row_is_locked_by_its_variable_at_every_door(api, staff, monkeypatch, rows):
    monkeypatch.setattr(parameters, "TABLE", rows)
    page = "/admin/settings_api/setting/"
    for parameter in rows:
        new = new_value(parameter)
        api.put({row.name: new_value(row) for row in rows})
        before = stored()
        monkeypatch.setenv(parameter.variable, pinned_text(parameter))

        field = api.get()["data"]["attributes"][parameter.name]
        assert (field["editable"], field["lockedBy"]) == (False, parameter.variable)
        for send in (api.put, api.patch):
            assert send({row.name: new_value(row) for row in rows})["errors"]["attributes"] == {
                parameter.name: ["Field is not overridable"]
            }
            assert api.status == 409

        html = staff.get(page).content.decode()
        assert f"Set by environment variable {parameter.variable}" in html
        assert staff.get(page).context["form"].fields[parameter.name].widget.attrs["disabled"] is True
        refused = staff.post(page, {parameter.name: str(new)})
        assert refused.status_code == 409
        assert "Field is not overridable" in refused.content.decode()

        assert stored() == before
        monkeypatch.delenv(parameter.variable)
        assert resolve(parameter.name).value == new


# Rule 10: the audit


def test_a_change_is_audited_without_its_value(api):
    api.put({"licenseKey": KEY})
    event = AuditEvent.objects.get(kind="setting.changed")
    api_key = ApiKey.objects.get()
    assert (event.door, event.actor, event.address) == ("settings", str(api_key), "127.0.0.1")
    assert (event.object_type, event.object_label) == ("setting", "licenseKey")
    assert (event.before, event.after) == ({}, {"source": "database"})


def test_every_refused_try_is_audited(client, api, monkeypatch):
    reader = SettingsApi(client, api_key_text("read-settings"))
    reader.put({"licenseKey": KEY})
    reader.send("PATCH", "{")
    api.put({"licenseKey": ""})
    api.put({"licenseKey": MASK})
    monkeypatch.setenv("LICENSE_KEY", KEY)
    api.patch({"licenseKey": OTHER_KEY})
    assert audit() == [
        ("setting.refused", "licenseKey", "default"),
        ("setting.refused", "(unknown)", "default"),
        ("setting.refused", "licenseKey", "default"),
        ("setting.refused", "licenseKey", "default"),
        ("setting.refused", "licenseKey", "environment"),
    ]
    actors = (
        AuditEvent.objects.filter(kind="setting.refused").order_by().values_list("door", "actor", "address").distinct()
    )
    assert {(door, address) for door, _, address in actors} == {("settings", "127.0.0.1")}
    assert len(actors) == 2


# Rule 11: bodies that cannot be read


@pytest.mark.statement("S29")
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
@pytest.mark.parametrize(
    "body",
    [
        "{",
        "nonsense",
        "[]",
        '["data"]',
        '"data"',
        "1",
        "null",
        "NaN",
        '{"data": {"attributes": {"licenseKey": NaN}}}',
        '{"data": {"attributes": {"licenseKey": Infinity}}}',
        '{"data": []}',
        '{"data": "x"}',
        '{"data": null}',
        '{"data": {"attributes": []}}',
        '{"data": {"attributes": null}}',
        '{"data": {"attributes": "licenseKey"}}',
        '{"data": ' * 100_000,
        "[" * 100_000 + "]" * 100_000,
        b"\xff\xfe{",
        b"\x00",
        '{"data": {"attributes": {"licenseKey": %s}}}' % ("9" * 5000),
    ],
)
def test_a_body_that_cannot_be_read_is_refused(api, method, body):
    assert list(api.send(method, body)) == ["message"]
    assert (api.status, stored()) == (400, {})


class BrokenBody(io.RawIOBase):
    def read(self, size=-1):
        raise OSError("the connection broke")


def test_a_body_that_ends_early_is_refused(api):
    broken = {"wsgi.input": BrokenBody(), "CONTENT_LENGTH": "10", "CONTENT_TYPE": "application/json"}
    http = api.client.put("/api/license/settings", headers=api.headers, **broken)
    assert list(api.read(http)) == ["message"]
    assert api.status == 400


@pytest.mark.parametrize("charset", ["base64", "utf-16"])
def test_a_charset_that_is_no_utf_8_is_refused(api, charset):
    body = json.dumps({"data": {"attributes": {"licenseKey": KEY}}})
    assert api.send("PUT", body, f"application/json; charset={charset}") and api.status == 400


@pytest.mark.parametrize("media_type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "x"])
def test_another_media_type_is_refused(api, media_type):
    assert api.send("PUT", "licenseKey=X", media_type) == {"message": "Send the body as application/json."}
    assert api.status == 415


@pytest.mark.statement("S35")
@pytest.mark.parametrize("media_type", ["application/json", "text/plain"])
def test_a_body_over_the_limit_is_refused(api, settings, media_type):
    limit = settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    text = '{"data": {"attributes": {"licenseKey": "XXXX-XXXX-XXXX-XXXX"}}}'
    assert api.send("PUT", text.ljust(limit + 1), media_type) == {"message": "The body is too large."}
    assert (api.status, stored()) == (413, {})
    assert api.send("PUT", text.ljust(limit)) and api.status == 200


# Several at once


def record_slowly(*args, **kwargs):
    """Keeps the transaction open, so that all the others reach the row before it ends."""
    record_setting(*args, **kwargs)
    time.sleep(0.2)


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("first", [True, False])
def test_the_same_change_many_times_at_once_is_one_change(client, settings, first):
    texts = [api_key_text() for _ in range(8)]
    if not first:
        SettingsApi(client, texts[0]).put({"licenseKey": OTHER_KEY})
    before = audit()
    settings.SETTINGS_API = {**settings.SETTINGS_API, "RECORD": f"{__name__}.record_slowly"}
    answers = at_once([lambda text=text: SettingsApi(Client(), text).put({"licenseKey": KEY}) for text in texts])
    assert [answer["message"] for answer in answers] == ["License settings updated successfully"] * 8
    assert resolve("licenseKey").value == KEY
    assert audit() == [*before, ("setting.changed", "licenseKey", "database")]


@pytest.mark.django_db(transaction=True)
def test_changes_at_once_are_each_whole(monkeypatch):
    monkeypatch.setattr(parameters, "TABLE", TABLE)
    text = api_key_text()

    def change(number):
        return SettingsApi(Client(), text).put(NEW_VALUES | {"greeting": f"Hello {number}", "retries": number})

    at_once([lambda number=number: change(number) for number in range(10, 18)])
    number = resolve("retries").value
    assert resolve("greeting").value == f"Hello {number}", "half of one change and half of another"
    assert [row for row in audit() if row[1] == "retries"] == [("setting.changed", "retries", "database")] * 8


def at_once(calls):
    """What each call returned, all of them begun together on connections of their own."""
    barrier, results = threading.Barrier(len(calls)), [None] * len(calls)

    def run(index, call):
        barrier.wait()
        try:
            results[index] = call()
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=pair) for pair in enumerate(calls)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results


def test_the_first_row_of_the_table_is_the_documented_one():
    [row] = [parameter for parameter in REAL_TABLE if parameter.name == "licenseKey"]
    assert (row.variable, row.file_variable, row.secret, row.required) == (
        LICENSE_KEY.variable,
        "LICENSE_KEY_FILE",
        True,
        True,
    )
