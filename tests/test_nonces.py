"""A call with a nonce: the signed answer, whatever it says, is to this call alone; test_conformance.py has them all."""

import base64
import json
from hashlib import sha256

import pytest
from django.db import OperationalError

from licenses import signing
from licenses.api import activations
from licenses.api.replies import Reply
from licenses.codes import Code
from licenses.models import IdempotencyRecord, Profile
from tests.factories import ActivationFactory, api_key_text
from tests.offline import node_verifies_envelope, php_verifies_envelope
from tests.protocol import Portal
from tests.scenes import ANYWHERE, World

pytestmark = pytest.mark.django_db

NONCE = "6f1c9d2e-5b7a-4c1e-9b59-0c8a4f2d7e10"
ECHO = ["nonce", "license_key_fingerprint", "identifier"]


@pytest.fixture
def sent():
    return {"license_key": ActivationFactory(identifier="host").license_key.license_key, "identifier": "host"}


def fingerprint(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def echo(answer) -> list[str | None]:
    return [answer[name] for name in ECHO]


def test_it_is_signed_between_the_answers_own_fields_and_the_timestamp(portal, sent):
    answer = portal("verify", **sent, nonce=NONCE)
    assert list(answer) == ["code", "message", *ECHO, "timestamp"]
    assert echo(answer) == [NONCE, fingerprint(sent["license_key"]), "host"]
    assert json.loads(base64.b64decode(portal.envelope["response_base64"])) == answer


@pytest.mark.parametrize("without", [{}, {"nonce": None}])
def test_without_one_the_answer_has_nothing_of_it(portal, sent, without):
    assert list(portal.json("verify", sent | without)) == ["code", "message", "timestamp"]
    reply = Reply(Code.VALID_LICENSE_KEY, {"a": 1, "b": "/"})
    text = signing.encode(reply.response())
    start = '{"code":200,"message":"Valid license key","a":1,"b":"\\/","timestamp":'
    assert text.startswith(start) and text.removeprefix(start).removesuffix("}").isdigit()


def test_it_may_stand_in_the_query_too(portal, sent):
    http = portal.client.post(f"/api/v1/verify?nonce={NONCE}", sent | {"api_key": portal.api_key})
    assert portal.read(http)["nonce"] == NONCE


@pytest.mark.parametrize("text", ["x", "x" * 255, "größe 日本 / 🗝", " a "])
def test_it_is_repeated_as_it_was_sent(portal, text):
    assert portal.json("get-all-products", {"nonce": text})["nonce"] == text


def test_names_of_the_license_key_and_the_identifier_make_no_difference(portal, sent):
    answer = portal("verify", entitlement_key=f" {sent['license_key']} ", hardwareId="host", nonce=NONCE)
    assert echo(answer) == [NONCE, fingerprint(sent["license_key"]), "host"]
    path = f"/api/v1/licenses/{sent['license_key']}/deactivate-all"
    http = portal.client.post(path, {"api_key": portal.api_key, "nonce": NONCE})
    assert echo(portal.read(http)) == [NONCE, fingerprint(sent["license_key"]), None]


@pytest.mark.parametrize("nonce", ["", "x" * 256, "a\nb", "\u2028", "\ud800", 7, True, ["x"], {"a": 1}])
def test_what_cannot_be_repeated_is_162_and_not_repeated(portal, sent, nonce):
    answer = portal.json("verify", sent | {"nonce": nonce})
    assert list(answer) == ["code", "message", "errors", "timestamp"]
    assert (answer["code"], portal.http.status_code) == (162, 400)
    assert answer["errors"] == {"nonce": ["This must be a text of 1 to 255 printable characters."]}


def test_a_nonce_that_cannot_be_comes_after_the_api_key(portal):
    portal.api_key = "wrong"
    assert list(portal("verify", nonce="")) == ["code", "message", "timestamp"]


@pytest.mark.parametrize("odd", ["\ud800", "a\0b", "x" * 300, ["x"], {"a": 1}])
def test_an_odd_license_key_or_identifier_breaks_nothing(portal, odd):
    answer = portal.json("verify", {"license_key": odd, "identifier": odd, "nonce": NONCE})
    assert (answer["nonce"], answer["identifier"]) == (NONCE, None)


REFUSALS = [Code.INVALID_API_KEY, Code.INSUFFICIENT_PERMISSIONS, Code.ACCESS_DENIED, Code.TOO_MANY_REQUESTS]


@pytest.mark.parametrize("code", REFUSALS, ids=lambda code: code.name)
def test_refusals_carry_it(portal, settings, monkeypatch, code):
    class WithNonce(Portal):
        def __call__(self, endpoint, **params):
            return super().__call__(endpoint, **params, nonce=NONCE)

    answer = ANYWHERE[code](World(WithNonce(portal.client, portal.api_key), settings, monkeypatch))
    assert (answer["code"], answer["nonce"]) == (code.value.number, NONCE)


@pytest.mark.parametrize(("error", "code"), [(OperationalError("away"), 198), (RuntimeError("a crash"), 199)])
def test_failures_carry_it(portal, sent, monkeypatch, error, code):
    def fail(**_):
        raise error

    monkeypatch.setattr(activations, "activate_license", fail)
    answers = [portal("activate", **sent, nonce=NONCE, **once) for once in ({}, {"idempotency_key": "once"})]
    for answer in answers:
        assert answer["code"] == code
        assert echo(answer) == [NONCE, fingerprint(sent["license_key"]), "host"]


def test_under_an_idempotency_key_it_belongs_to_the_request(portal, sent):
    call = {**sent, "idempotency_key": "once"}
    assert portal("activate", **call, nonce=NONCE)["code"] == 301
    first = portal.http.content
    portal("activate", **call, nonce=NONCE)
    assert portal.http.content == first
    other = portal("activate", **call, nonce="another")
    assert (other["code"], other["nonce"]) == (161, "another")
    assert portal("activate", **call)["code"] == 161, "nor is an answer with a nonce one to a call without"
    assert IdempotencyRecord.objects.count() == 1


def test_no_replay_carries_what_the_endpoint_did_not_read(portal):
    """`create-product` takes no identifier, but the answer would repeat the one of the first call."""
    call = {"name": "P", "description": "D", "idempotency_key": "once", "nonce": NONCE}
    assert portal("create-product", **call, identifier="a")["identifier"] == "a"
    assert portal("create-product", **call, identifier="b")["code"] == 161


def test_the_profile_sdk_signs_it_inside_response(client, global_key, sent, tmp_path):
    (tmp_path / "key.pem").write_text(global_key.public_key)
    api_key = api_key_text(profile=Profile.SDK)
    http = client.post("/api/v1/verify", {"api_key": api_key, **sent, "nonce": NONCE})
    envelope = http.json()
    assert echo(envelope["response"]) == [NONCE, fingerprint(sent["license_key"]), "host"]
    assert "nonce" not in envelope and "license_key_fingerprint" not in envelope
    text = http.content.decode()
    assert php_verifies_envelope(text, tmp_path / "key.pem") and node_verifies_envelope(text, tmp_path / "key.pem")
    plain = client.post("/api/v1/verify", {"api_key": api_key, **sent}).json()
    assert not set(ECHO) & set(plain["response"])
