"""What a license key allows: licenses/<license key>/features/<feature>, and get-license-key-feature."""

from urllib.parse import quote

import pytest

from licenses.models import Activation
from licenses.services.products import create_product
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory, api_key_text

pytestmark = pytest.mark.django_db

FEATURES = {"export": True, "print": False, "seats": 5, "none": 0, "tier": "gold", "blank": "", "ratio": 0.5, "ä b": 1}


@pytest.fixture
def license_key():
    product = create_product(name="Own key", features=FEATURES, actor=ACTOR)
    return LicenseKeyFactory(assigned=True, product=product, features={"print": True, "extra": "own"})


def ask(portal, license_key, feature, **params):
    path = f"/api/v1/licenses/{quote(license_key.license_key, safe='')}/features/{quote(feature, safe='')}"
    return portal.read(portal.client.get(path, {"api_key": portal.api_key} | params))


@pytest.mark.parametrize(
    ("feature", "enabled", "value"),
    [
        ("export", True, True),
        ("print", True, True),
        ("seats", True, 5),
        ("none", False, 0),
        ("tier", True, "gold"),
        ("blank", False, ""),
        ("ratio", True, 0.5),
        ("ä b", True, 1),
        ("extra", True, "own"),
        ("unknown", False, None),
        ("Export", False, None),
    ],
)
def test_it_says_what_a_license_key_allows(portal, license_key, feature, enabled, value):
    answer = ask(portal, license_key, feature)
    assert list(answer) == ["code", "message", "enabled", "feature", "value", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (200, "Valid license key", "product")
    assert (answer["enabled"], answer["feature"], answer["value"]) == (enabled, feature, value)
    assert type(answer["value"]) is type(value)
    own = portal("get-license-key-feature", license_key=license_key.license_key, feature=feature)
    assert own | {"timestamp": 0} == answer | {"timestamp": 0}


def test_without_a_name_no_feature_is_on(portal, license_key):
    answer = portal("get-license-key-feature", license_key=license_key.license_key)
    assert (answer["code"], answer["enabled"], answer["feature"], answer["value"]) == (200, False, "", None)


def test_the_license_key_passes_the_gate_first(portal, license_key):
    def code(**changes):
        for name, value in changes.items():
            setattr(license_key, name, value)
        license_key.save()
        return ask(portal, license_key, "export")["code"]

    assert portal("get-license-key-feature", license_key="nothing", feature="export")["code"] == 210
    assert portal.label == "global"
    assert code(status="blocked") == 204
    assert code(status="assigned", validity_days=1, expires_at=license_key.assigned_at) == 205
    assert code(expires_at=None) == 200
    license_key.product.status = "deleted"
    license_key.product.save()
    assert code() == 203
    assert code(status="available", owner=None, assigned_at=None) == 201


def test_an_identifier_that_is_sent_needs_an_activation(portal, license_key):
    assert ask(portal, license_key, "export", identifier="here")["code"] == 202
    activation = ActivationFactory(license_key=license_key, identifier="here")
    assert ask(portal, license_key, "export", identifier="here")["enabled"] is True
    assert ask(portal, license_key, "export", hardwareId="there")["code"] == 202
    Activation.objects.filter(pk=activation.pk).update(deactivated_at=activation.activated_at)
    assert ask(portal, license_key, "export", identifier="here")["code"] == 202
    for empty in ("", "  "):
        assert ask(portal, license_key, "export", identifier=empty)["code"] == 200


def test_an_sdk_reads_it_beside_the_response(client, global_key, license_key):
    path = f"/v1/licenses/{license_key.license_key}/features/seats"
    headers = {"Authorization": f"Bearer {api_key_text(profile='sdk')}", "Content-Type": "application/json"}
    answer = client.get(path, headers=headers).json()
    assert (answer["enabled"], answer["feature"], answer["value"]) == (True, "seats", 5)
    assert (answer["code"], answer["success"], answer["valid"]) == (200, True, True)
    assert type(answer["timestamp"]) is int
    license_key.status = "blocked"
    license_key.save()
    answer = client.get(path, headers=headers).json()
    assert (answer["code"], answer["success"], "enabled" in answer) == (204, False, False)


def test_a_name_that_is_too_long_is_malformed(portal, license_key):
    answer = ask(portal, license_key, "x" * 256)
    assert (answer["code"], list(answer["errors"])) == (162, ["feature"])


def test_it_is_a_read(portal, license_key):
    answer = portal.read(portal.client.post(f"/api/v1/licenses/{license_key.license_key}/features/export"))
    assert answer["code"] == 165
