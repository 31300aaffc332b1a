"""get-license-file: a license file for a live activation, in both forms, signed with the product's own key."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from licenses import signing
from licenses.license_files import read_chunked, verify_document
from licenses.models import Activation, AuditEvent, LicenseKey, Product, Profile, SigningKey
from licenses.services.activations import deactivate_license
from licenses.services.license_files import make_chunked, make_license_file
from licenses.services.products import create_product
from licenses.services.signing_keys import create_signing_key
from tests import offline
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory, ReleaseFactory, api_key_text
from tests.protocol import Portal

pytestmark = pytest.mark.django_db
ENDPOINT = "get-license-file"


@pytest.fixture
def product():
    return create_product(name="Photo / Größe", features={"export": True, "print": False, "seats": 5}, actor=ACTOR)


@pytest.fixture
def activation(product):
    return ActivationFactory(license_key__product=product, identifier="host.example.com")


@pytest.fixture
def sent(activation):
    return {"license_key": activation.license_key.license_key, "identifier": activation.identifier}


@pytest.fixture
def public_key(product):
    return SigningKey.objects.active_of(product).public_key


@pytest.fixture
def pem(public_key, tmp_path):
    path = tmp_path / "public.pem"
    path.write_text(public_key)
    return path


def test_it_answers_both_forms(portal, sent, product, public_key):
    ReleaseFactory(product=product, version="2.0.0")
    ReleaseFactory(product=product, version="3.0.0", is_published=False)
    answer = portal(ENDPOINT, **sent)
    assert list(answer) == ["code", "message", "licFileContent", "licenseFile", "timestamp"]
    assert (answer["code"], answer["message"]) == (502, "License file retrieved successfully")
    assert portal.label == "product"
    read = read_chunked(answer["licFileContent"], public_key)
    assert (read["license_key"], read["hardware_id"]) == (sent["license_key"], "host.example.com")
    assert (read["product_uuid"], read["expires_at"]) == (str(product.uuid), None)
    assert read["features"] == {"export": True, "seats": 5}
    document = answer["licenseFile"]
    assert verify_document(document, public_key)
    assert document["license"]["activations_count"] == 1
    assert document["product"] == {
        "id": product.pk,
        "name": "Photo / Größe",
        "uuid": str(product.uuid),
        "version": "2.0.0",
    }
    assert document["environment"] == "production"
    assert document["validation_rules"]["grace_period_days"] == 30


def test_php_and_node_read_what_travelled(portal, sent, pem, activation):
    activation.license_key.metadata.create(name="Größe/日本", value="</a>\n\t\\ 日本")
    answer = portal(ENDPOINT, **sent)
    document = json.dumps(answer["licenseFile"])
    for reads in (offline.php_reads_chunked, offline.node_reads_chunked):
        assert reads(answer["licFileContent"], pem)["license_key"] == sent["license_key"]
    for verifies in (offline.php_verifies_document, offline.node_verifies_document):
        assert verifies(document, pem)
        assert not verifies(document.replace("host.example.com", "host.example.org"), pem)


def test_it_takes_what_the_usb_pages_send(portal, sent):
    path = f"licenses/{sent['license_key']}/offline-file"
    wanted = {"hardware_id": sent["identifier"], "grace_period_days": "0", "environment": "staging"}
    document = portal(path, **wanted)["licenseFile"]
    assert (document["environment"], document["validation_rules"]["grace_period_days"]) == ("staging", 0)
    assert portal.json(path, {"domain": sent["identifier"], "grace_period_days": 365})["code"] == 502


def test_it_records_who_took_which_file(portal, sent, activation):
    answer = portal(ENDPOINT, **sent)
    event = AuditEvent.objects.get(kind="license_file.made")
    assert (event.object_type, event.object_id) == ("licensekey", activation.license_key_id)
    assert event.after == {
        "identifier": sent["identifier"],
        "license_file": answer["licenseFile"]["id"],
        "grace_period_days": 30,
    }
    assert sent["license_key"] not in str(AuditEvent.objects.values().get(pk=event.pk))


def test_it_changes_nothing_and_may_be_asked_again(portal, sent, activation):
    before = list(Activation.objects.values()), list(LicenseKey.objects.values())
    first, second = portal(ENDPOINT, **sent), portal(ENDPOINT, **sent)
    assert first["licFileContent"] == second["licFileContent"]
    assert first["licenseFile"]["id"] != second["licenseFile"]["id"]
    assert AuditEvent.objects.filter(kind="license_file.made").count() == 2
    assert before == (list(Activation.objects.values()), list(LicenseKey.objects.values()))


def test_a_product_without_a_key_of_its_own_has_no_license_files(portal):
    activation = ActivationFactory()
    answer = portal(ENDPOINT, license_key=activation.license_key.license_key, identifier=activation.identifier)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (503, "Failed to generate license file")
    assert portal.label == "global"
    assert not AuditEvent.objects.filter(kind="license_file.made").exists()


def test_a_retired_key_makes_none(portal, sent, product):
    SigningKey.objects.filter(product=product).update(status="retired", retired_at=timezone.now())
    assert portal(ENDPOINT, **sent)["code"] == 503


def test_after_a_rotation_the_new_key_makes_them(portal, sent, product, public_key):
    create_signing_key(product=product, actor=ACTOR)
    answer = portal(ENDPOINT, **sent)
    assert verify_document(answer["licenseFile"], SigningKey.objects.active_of(product).public_key)
    assert not verify_document(answer["licenseFile"], public_key)


def test_what_is_too_long_for_a_block_is_in_the_document(portal, activation, public_key):
    activation.identifier = "x" * 255
    activation.save()
    answer = portal(ENDPOINT, license_key=activation.license_key.license_key, identifier=activation.identifier)
    assert (answer["code"], answer["licFileContent"]) == (502, None)
    assert verify_document(answer["licenseFile"], public_key)
    assert answer["licenseFile"]["license"]["hardware_id"] == "x" * 255


def block(found):
    LicenseKey.objects.filter(pk=found.pk).update(status="blocked")


def expire(found):
    LicenseKey.objects.filter(pk=found.pk).update(expires_at=timezone.now() - timedelta(days=1))


def stop(found):
    Product.objects.update(status="inactive")


def deactivate(found):
    deactivate_license(license_key=found.license_key, identifier="host.example.com", actor=ACTOR)


@pytest.mark.parametrize(
    ("change", "code", "message"),
    [
        (block, 204, "License key blocked"),
        (expire, 205, "License key expired"),
        (stop, 203, "The product associated with this license key is not active or doesn't exist"),
        (deactivate, 202, "No activation found for this license key/identifier combination"),
    ],
)
def test_it_passes_the_gate_first(portal, sent, activation, change, code, message):
    change(activation.license_key)
    answer = portal(ENDPOINT, **sent)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (code, message)
    assert portal.label == "product"
    assert not AuditEvent.objects.filter(kind="license_file.made").exists()


def test_it_needs_a_known_and_assigned_key_an_identifier_and_an_activation(portal, sent, product):
    available = LicenseKeyFactory(product=product).license_key
    assert portal(ENDPOINT, license_key="unknown", identifier="x")["code"] == 210
    assert portal(ENDPOINT, license_key=available, identifier="x")["code"] == 201
    assert portal(ENDPOINT, license_key=sent["license_key"])["code"] == 215
    assert portal(ENDPOINT, license_key=sent["license_key"], identifier="elsewhere")["code"] == 202


def test_an_expiry_that_the_product_does_not_mind_is_told_as_it_is(portal, sent, activation, product):
    Product.objects.filter(pk=product.pk).update(require_non_expired=False)
    expire(activation.license_key)
    document = portal(ENDPOINT, **sent)["licenseFile"]
    assert document["license"]["expires_at"] < document["issued_at"]
    rules = document["validation_rules"]
    assert (rules["strict_expiry"], rules["allow_grace_after_expiry"]) == (False, True)


@pytest.mark.parametrize(
    ("name", "value"),
    [("grace_period_days", -1), ("grace_period_days", 366), ("grace_period_days", "soon"), ("environment", "x" * 51)],
)
def test_it_names_a_bad_parameter(portal, sent, name, value):
    answer = portal.json(ENDPOINT, sent | {name: value})
    assert (answer["code"], list(answer["errors"])) == (162, [name])


# The profile sdk


@pytest.fixture
def sdk(client, global_key):
    key = api_key_text(profile=Profile.SDK)

    def call(path, **params):
        return client.post(f"/v1/{path}", params | {"api_key": key}, content_type="application/json")

    return call


@pytest.mark.parametrize("path", ["verify", "activate", ENDPOINT, "get-license-key-details"])
def test_sdks_get_it_with_answers_that_php_and_node_verify(sdk, sent, pem, public_key, activation, path):
    activation.license_key.metadata.create(name="Größe/日本", value="</a>\n\t\\ 日本 1.5")
    text = sdk(path, **sent).content.decode()
    for verifies in (offline.php_verifies_envelope, offline.node_verifies_envelope):
        assert verifies(text, pem)
        assert not verifies(text.replace("host.example.com", "host.example.org"), pem)
    envelope = json.loads(text)
    assert not verify_document(envelope, public_key), "an answer is no license file (S22)"
    if path != "get-license-key-details":
        assert read_chunked(envelope["licFileContent"], public_key)["hardware_id"] == "host.example.com"
    if path == ENDPOINT:
        assert verify_document(envelope["licenseFile"], public_key)
        assert offline.php_verifies_document(json.dumps(envelope["licenseFile"]), pem)


def test_sdks_are_told_of_a_failure_in_a_status_that_they_understand(sdk):
    activation = ActivationFactory()
    http = sdk(ENDPOINT, license_key=activation.license_key.license_key, identifier=activation.identifier)
    envelope = json.loads(http.content)
    assert (http.status_code, envelope["code"], envelope["success"]) == (422, 503, False)
    assert envelope["licFileContent"] is None


def test_verifying_records_nothing_and_is_cheap(sdk, sent, activation, django_assert_max_num_queries):
    sdk("verify", **sent)
    with django_assert_max_num_queries(3):
        text = make_chunked(activation.license_key, identifier=activation.identifier)
    assert text == make_license_file(activation.license_key, identifier=activation.identifier).chunked
    assert not AuditEvent.objects.filter(kind="license_file.made").exists()


def test_a_license_file_is_no_answer(portal, sent, public_key):
    answer = portal(ENDPOINT, **sent)
    assert not signing.verify(answer["licenseFile"], public_key)
    assert not signing.verify(portal.envelope | {"signature": answer["licenseFile"]["signature"]}, public_key)


def test_it_needs_its_capability(client, global_key, sent):
    portal = Portal(client, api_key_text("verify"))
    assert portal(ENDPOINT, **sent)["code"] == 102
    assert Portal(client, api_key_text(ENDPOINT))(ENDPOINT, **sent)["code"] == 502
