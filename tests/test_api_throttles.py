"""Code 160: by address, by API key, by license key, by wrong guess (D4, D15)."""

import json
import logging

import pytest
from django.test import Client

from licenses.models import ApiKey, BlockListEntry, IdempotencyRecord, Profile, ThrottleBucket
from licensing_portal.middleware import PROXY_IS_NOT_COUNTED
from tests.factories import ActivationFactory, ContractFactory, api_key_text
from tests.offline import php_verifies_envelope
from tests.protocol import Portal

pytestmark = pytest.mark.django_db


@pytest.fixture
def right():
    return {"license_key": ActivationFactory(identifier="host").license_key.license_key, "identifier": "host"}


def from_address(portal, address: str) -> Portal:
    return Portal(Client(REMOTE_ADDR=address), portal.api_key)


def codes(portal, endpoint: str, count: int, **params) -> list[int]:
    return [portal(endpoint, **params)["code"] for _ in range(count)]


def guess(portal, count: int, endpoint: str = "verify") -> list[int]:
    return [portal(endpoint, license_key=f"guess-{n}", identifier="host")["code"] for n in range(count)]


def test_without_limits_nothing_is_counted(portal, right):
    assert codes(portal, "verify", 30, **right) == [200] * 30
    assert guess(portal, 30) == [210] * 30
    assert not ThrottleBucket.objects.exists()


def test_an_answer_that_says_when_to_come_back(portal, right, settings):
    settings.ADDRESS_REQUESTS_PER_MINUTE = 2
    assert codes(portal, "verify", 2, **right) == [200, 200]
    answer = portal("verify", **right)
    assert (answer["code"], answer["message"]) == (160, "Too many requests")
    assert list(answer) == ["code", "message", "timestamp"]
    assert (portal.http.status_code, portal.label) == (429, "global")
    assert portal.http.headers["Retry-After"] == "30"
    assert portal.envelope["retry_after"] == 30


def test_an_address_has_its_own_limit(portal, right, settings):
    settings.ADDRESS_REQUESTS_PER_MINUTE = 3
    near, far = from_address(portal, "2001:db8::1"), from_address(portal, "2001:db8:0:1::1")
    assert codes(near, "get-all-products", 4) == [810, 810, 810, 160]
    assert codes(from_address(portal, "2001:db8::ffff"), "verify", 1, **right) == [160], "everybody has a whole /64"
    assert codes(far, "verify", 1, **right) == [200]
    assert codes(from_address(portal, "203.0.113.7"), "verify", 3, **right) == [200] * 3
    assert codes(from_address(portal, "::ffff:203.0.113.7"), "verify", 1, **right) == [160], "it is the same in IPv6"


@pytest.mark.parametrize("path", ["download/x", "products/x/changelog"])
def test_public_endpoints_are_under_the_limit_of_an_address(portal, settings, path):
    settings.ADDRESS_REQUESTS_PER_MINUTE = 1
    assert portal.read(portal.client.get(f"/api/v1/{path}"))["code"] != 160
    assert portal.read(portal.client.get(f"/api/v1/{path}"))["code"] == 160


def test_an_api_key_has_its_own_limit_or_the_default(portal, right, settings):
    settings.API_KEY_REQUESTS_PER_MINUTE = 2
    limited, free = Portal(Client(), api_key_text(name="limited", requests_per_minute=4)), api_key_text(name="free")
    ApiKey.objects.filter(name="free").update(requests_per_minute=0)
    assert codes(portal, "verify", 3, **right) == [200, 200, 160]
    assert codes(limited, "verify", 5, **right) == [200] * 4 + [160]
    assert codes(Portal(Client(REMOTE_ADDR="203.0.113.7"), limited.api_key), "verify", 1, **right) == [160]
    assert codes(Portal(Client(), free), "verify", 5, **right) == [200] * 5


def test_a_license_key_has_its_own_limit_under_any_name(portal, right, settings):
    settings.LICENSE_KEY_REQUESTS_PER_MINUTE = 2
    assert codes(portal, "verify", 1, **right) == [200]
    assert codes(portal, "deactivate-all", 1, entitlement_key=f" {right['license_key']} ") == ["400"]
    assert codes(portal, "get-license-key-details", 1, **right) == [160]
    http = portal.client.post(f"/api/v1/licenses/{right['license_key']}/deactivate-all", {"api_key": portal.api_key})
    assert portal.read(http)["code"] == 160
    assert codes(portal, "get-all-products", 1) == [810]


def test_the_order_of_checks(portal, right, settings):
    """100, 102 and 150 before 160, and that before 162 and the license key's own answers."""
    settings.ADDRESS_REQUESTS_PER_MINUTE = 1
    portal("verify", **right)
    assert portal.json("verify", "{")["code"] == 162, "nobody knows whose an unreadable call is"
    assert Portal(Client(), "lp_unknown")("verify", **right)["code"] == 100
    assert Portal(Client(), api_key_text("activate", name="other"))("verify", **right)["code"] == 102
    assert portal("verify", license_key="unknown", identifier="a\0b")["code"] == 160
    BlockListEntry.objects.create(kind="address", value="127.0.0.1/32")
    assert portal("verify", **right)["code"] == 150


# Wrong guesses


@pytest.fixture
def guesses(settings):
    settings.WRONG_KEYS_PER_MINUTE = 1


@pytest.mark.statement("S20")
@pytest.mark.parametrize(
    "endpoint", ["verify", "activate", "deactivate", "deactivate-all", "get-license-key-details", "get-license-file"]
)
def test_the_twentieth_wrong_license_key_is_160(portal, guesses, endpoint):
    assert guess(portal, 21, endpoint) == [210] * 19 + [160] * 2
    assert 1 <= portal.envelope["retry_after"] <= 60


def test_a_right_license_key_is_no_guess_and_writes_nothing(portal, right, guesses):
    assert codes(portal, "verify", 25, **right) == [200] * 25
    assert codes(portal, "verify", 25, **right | {"identifier": "other"}) == [202] * 25
    assert codes(portal, "verify", 25) == [210] * 25, "none was sent"
    assert not ThrottleBucket.objects.exists()


def test_the_guesser_learns_nothing_by_a_right_one(portal, right, guesses):
    guess(portal, 19)
    assert codes(portal, "verify", 1, **right) == [160]
    assert codes(portal, "assign-license-key", 1, license_key="x") == [160]
    assert codes(portal, "get-all-products", 1) == [810], "no key, no guess"
    assert codes(from_address(portal, "203.0.113.7"), "verify", 1, **right) == [200]


def test_contract_keys_are_guessed_as_license_keys_are(portal, guesses):
    contract_key = ContractFactory().contract_key
    wrong = [portal("contracts/get-info", contract_key=f"guess-{n}")["code"] for n in range(20)]
    assert wrong == [1200] * 19 + [160]
    assert codes(portal, "contracts/get-info", 1, contract_uuid=contract_key) == [160]


def test_an_api_key_may_have_another_limit_of_wrong_keys(portal, right, guesses):
    """A shop whose customers all come from its own address."""
    shop = Portal(Client(), api_key_text(name="shop", wrong_keys_per_minute=0))
    strict = Portal(Client(), api_key_text(name="app", wrong_keys_per_minute=30))
    assert guess(shop, 40) == [210] * 40
    assert guess(strict, 31) == [210] * 30 + [160]
    assert guess(portal, 20) == [210] * 19 + [160], "each has its own count"
    assert codes(shop, "verify", 1, **right) == [200]


@pytest.mark.statement("S20")
def test_the_twentieth_wrong_api_key_is_160(portal, right, guesses):
    stranger = Portal(Client(), "lp_guess")
    assert codes(stranger, "verify", 21, **right) == [100] * 19 + [160] * 2
    assert codes(portal, "verify", 1, **right) == [200], "who has an API key pays for nobody's guesses"
    assert guess(portal, 1) == [210]


def once(portal, number: int) -> int:
    sent = {"license_key": f"guess-{number}", "identifier": "host"}
    return portal.json("activate", sent, **{"Idempotency-Key": f"key-{number}"})["code"]


def test_an_idempotency_key_keeps_no_160(portal, guesses):
    """The call that was throttled is done when it comes again; an answer that was given is given again."""
    assert [once(portal, number) for number in range(20)] == [210] * 19 + [160]
    assert IdempotencyRecord.objects.count() == 19
    assert once(portal, 0) == 160, "throttles come before the replay"
    ThrottleBucket.objects.all().delete()
    assert once(portal, 19) == once(portal, 0) == 210
    assert IdempotencyRecord.objects.count() == 20


def test_a_guess_that_is_refused_while_others_come_is_not_kept(portal, guesses, monkeypatch):
    """Nobody was refused when they were let in; the twentieth to be answered is."""
    monkeypatch.setattr("licenses.api.throttles.wait_for", lambda *args, **limit: 0.0)
    assert [once(portal, number) for number in range(22)] == [210] * 19 + [160] * 3
    assert IdempotencyRecord.objects.count() == 19
    assert guess(portal, 2) == [160, 160]


def test_the_profile_sdk_has_it_too_and_fails_closed(client, global_key, right, settings, tmp_path):
    settings.ADDRESS_REQUESTS_PER_MINUTE = 1
    sent = {"api_key": api_key_text(profile=Profile.SDK), **right}
    client.post("/api/v1/verify", sent)
    http = client.post("/api/v1/verify", sent)
    envelope = json.loads(http.content)
    assert (http.status_code, http.headers["Retry-After"]) == (429, "60")
    assert (envelope["code"], envelope["retry_after"], envelope["valid"]) == (160, 60, False)
    assert envelope["license"]["status"] == "revoked"
    (tmp_path / "key.pem").write_text(global_key.public_key)
    assert php_verifies_envelope(http.content.decode(), tmp_path / "key.pem")


def test_a_proxy_that_is_not_counted_is_said_once(caplog, settings):
    caplog.set_level(logging.WARNING)
    client = Client(headers={"X-Forwarded-For": "203.0.113.7"})
    for _ in range(3):
        client.get("/healthz")
    settings.TRUSTED_PROXY_COUNT = 1
    Client(headers={"X-Forwarded-For": "203.0.113.7"}).get("/healthz")
    assert [found.getMessage() for found in caplog.records].count(PROXY_IS_NOT_COUNTED) == 1
