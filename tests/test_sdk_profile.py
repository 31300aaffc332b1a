"""D19: API keys of the client profile sdk get the fields that SDKs read, and signatures over what they verify."""

import base64
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from licenses import signing
from licenses.api import sdk
from licenses.codes import Code
from licenses.models import LicenseKeyMetadata, Profile, SigningKey
from licenses.services.api_keys import create_api_key
from licenses.services.products import create_product
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory, api_key_text

pytestmark = pytest.mark.django_db


class Sdk:
    """Calls as the JavaScript SDK does, and checks every answer the way it does."""

    def __init__(self, client) -> None:
        self.client, self.api_key = client, api_key_text(profile=Profile.SDK)

    def __call__(self, endpoint, **body):
        headers = {"Authorization": f"Bearer {self.api_key}"}
        self.http = self.client.post(
            f"/v1/{endpoint}", json.dumps(body), content_type="application/json", headers=headers
        )
        return self.check(json.loads(self.http.content))

    def check(self, envelope):
        """The signature covers the JSON of the envelope without it; their helper sorts the keys first."""
        signature = envelope.pop("signature")
        text = json.dumps(envelope, separators=(",", ":"), ensure_ascii=False)
        assert text == json.dumps(envelope, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        self.signed_by = [
            key.label for key in SigningKey.objects.all() if signing.verify_text(text, signature, key.public_key)
        ]
        assert self.signed_by, "no key signed this"
        assert False not in [envelope.get("license"), envelope.get("activation"), envelope.get("licFileContent")]
        return envelope


@pytest.fixture
def client_sdk(client, global_key):
    return Sdk(client)


@pytest.fixture
def license_key():
    product = create_product(name="Größe / 日本", features={"export": True, "print": False, "seats": 5}, actor=ACTOR)
    return LicenseKeyFactory(
        assigned=True,
        product=product,
        validity_days=30,
        expires_at=timezone.now() + timedelta(days=30),
        activation_limit=1,
    )


def test_activate_verify_and_deactivate(client_sdk, license_key):
    LicenseKeyMetadata.objects.create(license_key=license_key, name="edition", value="Pro/日本")
    answer = client_sdk("activate", license_key=license_key.license_key, hardwareId="device-1")
    assert (answer["code"], answer["success"], answer["valid"]) == (300, True, True)
    activation = license_key.activations.get()
    assert answer["activation"] == {
        "activated_at": activation.activated_at.strftime("%Y-%m-%d %H:%M:%S"),
        "id": str(activation.pk),
        "identifier": "device-1",
    }
    answer = client_sdk("verify", license_key=license_key.license_key, identifier="device-1")
    assert (answer["code"], answer["message"], answer["valid"]) == (200, "Valid license key", True)
    assert answer["license"] == {
        "expires_at": license_key.expires_at.strftime("%Y-%m-%d %H:%M:%S"),
        "features": {"export": True, "seats": 5},
        "hardware_id": "device-1",
        "license_key": license_key.license_key,
        "metadata": {"edition": "Pro/日本"},
        "status": "active",
    }
    assert isinstance(answer["licFileContent"], str)
    assert client_sdk.signed_by == ["product"]
    answer = client_sdk("deactivate", license_key=license_key.license_key, identifier="device-1")
    assert (answer["code"], answer["success"], answer["license"]) == (400, True, None)
    assert client_sdk.signed_by == ["product"], "with the product's key wherever a product is known"


def test_the_documented_part_is_in_it(client_sdk, license_key):
    answer = client_sdk("verify", license_key=license_key.license_key)
    response = json.loads(base64.b64decode(answer["response_base64"]))
    assert list(response) == ["code", "message", "timestamp"]
    assert answer["response"] == response
    assert answer["private_key_used"] == "product"


@pytest.mark.parametrize("endpoint", ["verify", "get-license-key-details"])
def test_an_identifier_may_be_missing(client_sdk, license_key, endpoint):
    answer = client_sdk(endpoint, license_key=license_key.license_key)
    assert answer["success"], answer
    assert (answer["valid"], answer["activation"]) == (True, None)
    assert answer["license"]["hardware_id"] == "not bound to a device", "null fits every device"


def test_metadata_needs_no_identifier(client_sdk, license_key):
    sent = {"license_key": license_key.license_key, "meta_key": "name", "meta_value": "value"}
    assert client_sdk("create-license-key-meta", **sent)["code"] == 453
    assert client_sdk("update-license-key-meta", **sent)["code"] == 353
    assert client_sdk("delete-license-key-meta", **sent)["code"] == 252


def test_activating_still_needs_one(client_sdk, license_key):
    assert client_sdk("activate", license_key=license_key.license_key)["code"] == 215


def spoil(license_key, how):
    """Make a license key refuse, and say with which code."""
    if how == "blocked":
        license_key.status = "blocked"
    elif how == "expired":
        license_key.expires_at = timezone.now() - timedelta(hours=1)
    elif how == "unknown":
        license_key.license_key = "renamed"
    license_key.save()


@pytest.mark.parametrize(
    ("how", "code", "status"),
    [
        ("blocked", 204, "suspended"),
        ("expired", 205, "suspended"),
        ("unknown", 210, "revoked"),
        ("elsewhere", 202, "revoked"),
    ],
)
def test_a_failure_denies_although_these_clients_fail_open(client_sdk, license_key, how, code, status):
    text = license_key.license_key
    spoil(license_key, how)
    answer = client_sdk("verify", license_key=text, identifier="device-1")
    assert (answer["code"], answer["success"], answer["valid"]) == (code, False, False)
    assert answer["license"]["status"] == status
    assert answer["license"]["expires_at"] == "1970-01-01 00:00:00", "nor does it pass as a license file"


def test_what_they_take_for_a_success_by_its_number_has_another_http_status(client_sdk):
    answer = client_sdk("get-license-key-details", license_key="unknown")
    assert (answer["code"], answer["message"], client_sdk.http.status_code) == (501, "License key not found", 422)
    assert answer["license"]["status"] == "revoked"


def test_a_list_has_no_license(client_sdk, license_key):
    assert client_sdk("assign-license-key", license_key="unknown")["license"] is None


def test_the_documented_profile_knows_nothing_of_it(portal, license_key):
    ActivationFactory(license_key=license_key, identifier="device-1")
    portal("verify", license_key=license_key.license_key, identifier="device-1")
    assert list(portal.envelope) == ["response", "response_base64", "private_key_used", "signature"]
    assert portal("verify", license_key=license_key.license_key)["code"] == 215
    assert portal("get-license-key-details", license_key="unknown")["code"] == 210


def test_before_the_api_key_is_known_the_answer_is_the_documented_one(client, client_sdk, license_key):
    http = client.post("/v1/verify", {"api_key": "unknown"})
    assert list(json.loads(http.content)) == ["response", "response_base64", "private_key_used", "signature"]


@pytest.mark.statement("R1")
def test_a_replay_is_the_same_envelope(client_sdk, license_key):
    sent = {"license_key": license_key.license_key, "identifier": "device-1", "idempotencyKey": "one"}
    client_sdk("activate", **sent)
    first = client_sdk.http.content
    client_sdk("activate", **sent)
    assert client_sdk.http.content == first


def test_what_php_and_javascript_would_write_differently_is_left_out():
    value = {
        "b": {},
        "a": 1.5,
        "7": "x",
        "-1": "y",
        "long": 2**60,
        "line": "a\u2028b",
        "a\u2028": 1,
        "list": ({},),
        "ok": True,
    }
    assert sdk.portable(value) == {
        "a": "1.5",
        "b": [],
        "line": "a b",
        "list": [[]],
        "long": str(2**60),
        "ok": True,
    }


def test_every_success_of_the_sdks_is_one_here():
    """The codes that the SDKs count as success, but the two that are failures; and four that succeed in meaning."""
    documented = {200, 252, 273, 300, 353, 373, 400, 453, 482, 500, 502, 550, 600, 631, 632, 650, 730, 741, 750, 800}
    documented |= {803, 807, 810, 815, 820, 830, 841, 842, 843, 846, 850, 900, 950, 970, 1204, 1300, 1400, 1500, 1600}
    assert {int(code.value.number) for code in sdk.SUCCESSES} == documented | {206, 301}
    assert {Code.LICENSE_KEY_DETAILS_NOT_FOUND, Code.LICENSE_FILE_FAILED} == sdk.TAKEN_FOR_SUCCESS


def test_the_profile_is_chosen_when_the_api_key_is_made(db):
    api_key, _ = create_api_key(name="Desktop", capabilities=["verify"], profile=Profile.SDK, actor=ACTOR)
    assert api_key.profile == "sdk"
