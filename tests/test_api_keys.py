"""Who may call: 100, 101, 102, 103, and what the database knows of an API key."""

import itertools
from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from licenses.api.urls import ENDPOINTS
from licenses.models import ApiKey, AuditEvent, Capability, LicenseKey
from licenses.services.api_keys import create_api_key, revoke_api_key
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory, api_key_text
from tests.protocol import Portal

pytestmark = [pytest.mark.django_db, pytest.mark.statement("S13")]

PATHS = [row.capability.value for row in ENDPOINTS if row.capability]


def caller(client, *capabilities, **options) -> Portal:
    return Portal(client, api_key_text(*capabilities, **options))


@pytest.mark.parametrize("text", ["", "x", "lp_00000000", "ключ", "a\x00b", "lp_" + "A" * 500, "\ud800"])
@pytest.mark.parametrize("path", PATHS)
def test_an_unknown_api_key_is_100(client, global_key, path, text):
    portal = Portal(client, text)
    answer = portal.json(path, {"api_key": text}, Authorization="")
    assert (answer["code"], answer["message"]) == (100, "Invalid API Key")
    assert (portal.http.status_code, portal.label) == (401, "global")


def test_the_right_prefix_with_another_secret_is_100(client, global_key):
    text = api_key_text()
    assert Portal(client, text[:-1] + ("A" if text[-1] != "A" else "B"))("verify")["code"] == 100


@pytest.mark.parametrize("path", PATHS)
def test_an_inactive_api_key_is_101(client, global_key, path):
    portal = caller(client)
    revoke_api_key(api_key=ApiKey.objects.get(), actor=ACTOR)
    answer = portal(path)
    assert (answer["code"], answer["message"]) == (101, "Inactive API Key")
    assert portal.http.status_code == 401


def test_an_expired_api_key_is_101(client, global_key):
    portal = caller(client, expires_at=timezone.now() + timedelta(hours=1))
    assert portal("verify")["code"] == 210
    ApiKey.objects.update(expires_at=timezone.now())
    assert portal("verify")["code"] == 101


@pytest.mark.parametrize("path", PATHS)
def test_an_api_key_does_what_its_capabilities_say_and_nothing_else(client, global_key, path):
    portal = caller(client, path)
    for other in PATHS:
        answer = portal(other)
        assert (answer["code"] == 102) == (other != path), other
        if other != path:
            assert portal.http.status_code == 401
            assert answer["message"].startswith("The used API key doesn't have the required capability")


def test_settings_capabilities_open_no_endpoint(client, global_key):
    portal = caller(client, Capability.READ_SETTINGS, Capability.CHANGE_SETTINGS)
    assert {portal(path)["code"] for path in PATHS} == {102}


@pytest.mark.parametrize(
    ("networks", "address", "code"),
    [
        (["203.0.113.0/24"], "127.0.0.1", 103),
        (["127.0.0.0/8"], "127.0.0.1", 210),
        (["203.0.113.0/24", "127.0.0.1"], "127.0.0.1", 210),
        (["127.0.0.1"], "::ffff:127.0.0.1", 210),
        (["2001:db8::/32"], "2001:db8::7", 210),
        (["2001:db8::/32"], "2001:db9::7", 103),
        (["fe80::/10"], "fe80::7%eth0", 210),
        (["127.0.0.1"], "", 103),
        (["127.0.0.1"], "unix:", 103),
    ],
)
def test_a_wrong_network_is_103(client, global_key, networks, address, code):
    portal = caller(client, allowed_networks=networks)
    answer = portal.read(client.post("/v1/verify", {"api_key": portal.api_key}, REMOTE_ADDR=address))
    assert answer["code"] == code


def test_a_forwarded_address_counts_only_behind_trusted_proxies(client, global_key, settings):
    portal = caller(client, allowed_networks=["203.0.113.7"])

    def code(forwarded):
        sent = {"api_key": portal.api_key}
        return portal.read(client.post("/v1/verify", sent, headers={"X-Forwarded-For": forwarded}))["code"]

    assert code("203.0.113.7") == 103
    settings.TRUSTED_PROXY_COUNT = 1
    assert code("203.0.113.7") == 210
    assert code("203.0.113.7, 198.51.100.1") == 103, "the caller wrote the first address itself"
    assert code("203.0.113.7:4711") == 210
    for nonsense in ("unknown", "_hidden", "203.0.113.7.evil.example", "203.0.113.7/32", "203.0.113.7.", ":", "%"):
        assert code(f"203.0.113.7, {nonsense}") == 103, nonsense


@pytest.mark.parametrize(
    ("forwarded", "recorded"),
    [
        ("203.0.113.7:4711", "203.0.113.7"),
        ("[2001:db8::7]:4711", "2001:db8::7"),
        ("2001:db8::7", "2001:db8::7"),
        ("fe80::7%eth0", "fe80::7"),
        ("unknown", None),
        ("", "127.0.0.1"),
    ],
)
def test_the_address_in_the_records_is_one_whatever_a_proxy_writes(portal, settings, forwarded, recorded):
    """PostgreSQL takes nothing else in the column."""
    settings.TRUSTED_PROXY_COUNT = 1
    found = LicenseKeyFactory(assigned=True)
    sent = {"api_key": portal.api_key, "license_key": found.license_key, "identifier": "x"}
    http = portal.client.post("/v1/activate", sent, headers={"X-Forwarded-For": forwarded})
    assert portal.read(http)["code"] == 300
    assert found.activations.get().address == recorded
    assert AuditEvent.objects.get(kind="activation.activated").address == recorded


def test_the_order_is_100_101_102_103(client, global_key):
    portal = caller(client, Capability.ACTIVATE, allowed_networks=["203.0.113.7"])
    api_key = ApiKey.objects.get()
    revoke_api_key(api_key=api_key, actor=ACTOR)
    assert portal("verify")["code"] == 101
    ApiKey.objects.update(is_active=True)
    assert portal("verify")["code"] == 102
    assert portal("activate")["code"] == 103


def test_it_notes_the_last_use_at_most_once_a_minute(client, global_key):
    portal = caller(client)
    portal("verify")
    first = ApiKey.objects.get().last_used_at
    portal("verify")
    assert ApiKey.objects.get().last_used_at == first
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=1))
    portal("verify")
    assert ApiKey.objects.get().last_used_at >= first


def test_a_refused_api_key_notes_nothing(client, global_key):
    portal = caller(client, Capability.ACTIVATE)
    portal("verify")
    assert ApiKey.objects.get().last_used_at is None


@pytest.mark.statement("S17", "S19")
def test_the_database_holds_no_api_key():
    texts = [api_key_text(name=f"Key {n}") for n in range(20)]
    assert len(set(texts)) == 20
    with connection.cursor() as cursor:
        stored = ""
        for table in connection.introspection.table_names():
            cursor.execute(f'SELECT * FROM "{table}"')
            stored += repr(cursor.fetchall())
    for text in texts:
        assert len(text) >= 11 + 43, "43 characters of 6 bits: over 250 random bits behind the prefix"
        assert text[:11] in stored
        assert text not in stored
        assert text[11:] not in stored


@pytest.mark.parametrize(
    ("field", "options"),
    [
        ("capabilities", {"capabilities": ["nonsense"]}),
        ("capabilities", {"capabilities": []}),
        ("allowed_networks", {"allowed_networks": ["300.1.1.1"]}),
        ("allowed_networks", {"allowed_networks": ["203.0.113.7/24"]}),
        ("name", {"name": ""}),
    ],
)
def test_it_makes_no_api_key_from_bad_fields(field, options):
    with pytest.raises(ValidationError) as error:
        create_api_key(**({"name": "x", "capabilities": ["verify"], "actor": ACTOR} | options))
    assert list(error.value.message_dict) == [field]
    assert not ApiKey.objects.exists()
    assert not AuditEvent.objects.exists()


@pytest.mark.statement("S11")
@pytest.mark.parametrize("path", [path for path in PATHS if path != "delete-license-key"])  # which leaves nothing
def test_extra_parameters_change_nothing(portal, path):
    """S11: fields of the models, sent to endpoints that do not take them."""
    (params,) = [row.params() for row in ENDPOINTS if row.capability == path]
    taken = {*params.fields, *itertools.chain(*params.aliases.values())}
    available = LicenseKeyFactory()
    activation = ActivationFactory(license_key__activation_limit=1)
    extra = {
        "status": "blocked",
        "activation_limit": "0",
        "expires_at": "2099-01-01",
        "owner": "1",
        "is_staff": "1",
        "validity_days": "9999",
        "reference": "x",
        "product_id": "1",
        "actor": "root",
        "address": "203.0.113.7",
        "deactivated_at": "",
        "source": "x",
    }
    key = available if path == "assign-license-key" else activation.license_key
    portal(
        path,
        **{name: value for name, value in extra.items() if name not in taken},
        license_key=key.license_key,
        identifier=activation.identifier,
        key="name",
        value="value",
        email="owner@example.com",
    )
    after = LicenseKey.objects.get(pk=key.pk)
    assert after.status == "assigned"
    assert (after.activation_limit, after.expires_at, after.validity_days, after.reference) == (1, None, 0, "")
    assert after.product_id == key.product_id
    assert set(AuditEvent.objects.filter(door="api").values_list("address", flat=True)) <= {"127.0.0.1"}
