"""Everything that leaves /api/v1/ is sealed (protocol, D15 and D18): the portal fixture checks each signature."""

import json
from urllib.parse import urlencode

import pytest
from django.db import OperationalError

from licenses.api import activations
from licenses.codes import Code
from licenses.models import SigningKey
from licenses.services import signing_keys
from tests.factories import ActivationFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent():
    activation = ActivationFactory(identifier="domain.ltd")
    return {"license_key": activation.license_key.license_key, "identifier": "domain.ltd"}


@pytest.mark.parametrize(
    "path",
    [
        "/api/v1/verify",
        "/api/v1/verify/",
        "/v1/verify",
        "//v1/verify",
        "/api//v1/verify",
        "/api/v1//verify//",
        "/api/api/v1/verify",
        "//api//api//v1//verify",
    ],
)
def test_every_spelling_of_a_path_reaches_the_endpoint_without_a_redirect(portal, sent, path):
    answer = portal.read(portal.client.post("/", sent | {"api_key": portal.api_key}, PATH_INFO=path))
    assert answer["code"] == 200


@pytest.mark.parametrize("method", ["get", "post", "put", "delete", "patch"])
@pytest.mark.parametrize("path", ["/api/v1/", "/api/v1", "/v1", "/v1/nonsense", "/api/v1/verify/more", "/api/v1/é"])
def test_an_unknown_path_is_166(portal, path, method):
    answer = portal.read(getattr(portal.client, method)(path))
    assert (answer["code"], answer["message"]) == (166, "Unknown endpoint")
    assert (portal.http.status_code, portal.label) == (404, "global")


@pytest.mark.parametrize("path", ["/api/v10/verify", "/v1x", "/api/api/api/v1/verify"])
def test_other_paths_are_not_the_protocols(client, path):
    assert client.post(path).status_code == 404


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "trace", "options"])
def test_a_wrong_method_is_165(portal, sent, method):
    answer = portal.read(getattr(portal.client, method)("/api/v1/verify"))
    assert (answer["code"], portal.http.status_code) == (165, 405)
    assert portal.http.headers["Allow"] == "POST"


@pytest.mark.statement("S29", "S35")
@pytest.mark.parametrize(("opening", "closing"), [("[", "]"), ('{"a": ', "}")])
def test_a_body_may_be_32_levels_deep(portal, sent, opening, closing):
    """The object that a body is counts as the first of them."""
    for levels, code in {32: 200, 33: 162, 300: 162}.items():
        deep = opening * (levels - 1) + "1" + closing * (levels - 1)
        answer = portal.json("verify", json.dumps(sent)[:-1] + f', "extra": {deep}}}')
        assert answer["code"] == code, levels
        if code == 162:
            assert answer["errors"] == {"body": ["This may be nested 32 levels deep at most."]}
            assert portal.http.status_code == 400


@pytest.mark.statement("S35")
@pytest.mark.parametrize("where", ["query", "form"])
def test_more_than_a_thousand_parameters_are_162(portal, sent, where):
    many = sent | {f"p{number}": "1" for number in range(1001)}
    if where == "form":
        answer = portal("verify", **many)
    else:
        answer = portal.read(portal.client.post(f"/api/v1/verify?{urlencode(many)}"))
    assert (answer["code"], portal.http.status_code) == (162, 400)


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"nonsense",
        b"[1, 2]",
        b'"text"',
        b"null",
        b"7",
        b'{"a": NaN}',
        b"\xff\xfe",
        b'{"license_key": "\xff"}',
        b"[" * 100_000,
        b'{"n": ' + b"9" * 5000 + b"}",
    ],
)
def test_an_unreadable_body_is_162(portal, body):
    answer = portal.json("verify", body)
    assert (answer["code"], answer["message"]) == (162, "Malformed request")
    assert portal.http.status_code == 400


def test_an_unreadable_body_comes_before_the_api_key(portal):
    portal.api_key = "wrong"
    assert portal.json("verify", b"{")["code"] == 162
    assert portal.json("verify", b"{}")["code"] == 100


@pytest.mark.parametrize("content_type", ["application/json; charset=zip", "multipart/form-data"])
def test_a_body_that_its_content_type_cannot_read_is_162(portal, content_type):
    http = portal.client.generic("POST", "/api/v1/verify", b"{}", content_type=content_type)
    assert portal.read(http)["code"] == 162


def test_too_many_fields_are_162(portal):
    fields = {f"f{n}": "x" for n in range(1001)}
    assert portal("verify", **fields)["code"] == 162


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "x", "application/octet-stream"])
def test_an_unknown_media_type_is_163(portal, content_type):
    http = portal.client.generic("POST", "/api/v1/verify", b"data", content_type=content_type)
    assert portal.read(http)["code"] == 163
    assert http.status_code == 415


@pytest.mark.statement("S35")
@pytest.mark.parametrize("size", [1024 * 1024 + 1, 10 * 1024 * 1024])
@pytest.mark.parametrize("content_type", ["application/json", "application/x-www-form-urlencoded", "text/plain"])
def test_a_body_over_one_megabyte_is_164(portal, size, content_type):
    http = portal.client.generic("POST", "/api/v1/verify", b"x" * size, content_type=content_type)
    assert portal.read(http)["code"] == 164
    assert http.status_code == 413


def test_a_host_name_that_is_not_allowed_is_162(portal):
    http = portal.client.post("/v1/verify", headers={"Host": "evil.example"})
    assert portal.read(http)["code"] == 162


def test_a_crash_is_199_without_details(portal, sent, monkeypatch, caplog):
    def crash(**params):
        raise RuntimeError(f"license_key={params['license_key']}")

    monkeypatch.setattr(activations, "verify_license", crash)
    answer = portal("verify", **sent)
    assert (answer["code"], answer["message"], portal.http.status_code) == (199, "Internal error", 500)
    assert list(answer) == ["code", "message", "timestamp"]
    assert "RuntimeError" in caplog.text


def database_away(*args, **params):
    raise OperationalError("server closed the connection unexpectedly")


def test_a_database_that_is_away_is_198(portal, sent, monkeypatch):
    monkeypatch.setattr(activations, "verify_license", database_away)
    answer = portal("verify", **sent)
    assert (answer["code"], portal.http.status_code) == (198, 503)
    assert portal.http.headers["Retry-After"] == "5"


def test_198_is_signed_even_when_the_keys_cannot_be_read(portal, sent, monkeypatch):
    assert portal("verify", **sent)["code"] == 200
    monkeypatch.setattr(signing_keys, "signer_for", database_away)
    assert portal("verify", **sent)["code"] == 198


def test_a_process_that_never_saw_a_key_still_answers_503(portal, sent, monkeypatch):
    monkeypatch.setattr(signing_keys, "signer_for", database_away)
    monkeypatch.setattr(signing_keys, "_last_global", [])
    http = portal.client.post("/api/v1/verify", sent)
    assert http.status_code == 503
    assert json.loads(http.content)["signature"] == "Private key not set"


@pytest.mark.statement("S24")
def test_without_a_global_key_every_answer_says_that_it_is_not_signed(portal, sent):
    """The server does not start so; if the key goes while it runs, what answers still is the protocol's envelope."""
    SigningKey.objects.update(status="retired")
    for endpoint in ("verify", "nonsense"):
        envelope = portal.client.post(f"/v1/{endpoint}", sent | {"api_key": portal.api_key}).json()
        assert envelope["response"]["code"] == 199
        assert envelope["signature"] == "Private key not set"


@pytest.mark.statement("S28")
def test_a_signing_key_that_no_vault_key_opens_is_199(portal, sent, global_key):
    SigningKey.objects.filter(pk=global_key.pk).update(private_key_locked=b"gAAAA")
    envelope = portal.client.post("/v1/verify", sent | {"api_key": portal.api_key}).json()
    assert (envelope["response"]["code"], envelope["signature"]) == (199, "Private key not set")


@pytest.mark.statement("S26")
def test_a_new_global_key_signs_from_the_next_answer_on(portal, sent):
    from tests.factories import ACTOR

    assert portal("verify", **sent)["code"] == 200
    signing_keys.create_signing_key(product=None, actor=ACTOR)
    for endpoint, code in (("verify", 200), ("nonsense", 166)):
        assert portal(endpoint, **sent)["code"] == code  # check_envelope accepts active keys only


def test_answers_are_not_cached(portal, sent):
    portal("verify", **sent)
    assert portal.http.headers["Cache-Control"] == "no-cache, private"


def test_codes_have_numbers_and_messages_in_one_place_only():
    numbers = [code.value.number for code in Code]
    assert len(numbers) == len(set(numbers))
