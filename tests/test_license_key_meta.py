"""create-license-key-meta, update-license-key-meta and delete-license-key-meta: one life of a name."""

import pytest

from licenses.models import AuditEvent, LicenseKeyMetadata
from licenses.services import metadata
from licenses.services.products import create_product
from tests.factories import ACTOR, LicenseKeyFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent():
    product = create_product(name="Own key", actor=ACTOR)
    key = LicenseKeyFactory(assigned=True, product=product)
    return {"license_key": key.license_key, "identifier": "domain.ltd", "key": "test-key"}


def test_it_creates_without_an_activation(portal, sent):
    answer = portal("create-license-key-meta", **sent, value="test value")
    assert list(answer) == ["code", "message", "meta_id", "timestamp"]
    metadata = LicenseKeyMetadata.objects.get()
    assert (answer["code"], answer["message"], answer["meta_id"]) == (453, "Metadata created", metadata.pk)
    assert type(answer["meta_id"]) is int
    assert (metadata.name, metadata.value) == ("test-key", "test value")
    assert portal.label == "product"


def test_it_creates_a_name_once(portal, sent):
    portal("create-license-key-meta", **sent, value="first")
    answer = portal("create-license-key-meta", **sent, value="second")
    assert (answer["code"], answer["message"]) == (452, "Meta key already exists")
    assert LicenseKeyMetadata.objects.get().value == "first"


def test_it_updates(portal, sent):
    created = portal("create-license-key-meta", **sent, value="old")
    answer = portal("update-license-key-meta", **sent, value="new")
    assert list(answer) == ["code", "message", "meta_id", "timestamp"]
    assert (answer["code"], answer["message"]) == (353, "Metadata updated")
    assert answer["meta_id"] == created["meta_id"]
    assert LicenseKeyMetadata.objects.get().value == "new"
    event = AuditEvent.objects.get(kind="metadata.updated")
    assert (event.before, event.after) == ({"test-key": "old"}, {"test-key": "new"})


def test_it_updates_only_what_exists(portal, sent):
    answer = portal("update-license-key-meta", **sent, value="new")
    assert (answer["code"], answer["message"]) == (352, "Meta key doesn't exist")
    assert not LicenseKeyMetadata.objects.exists()


def test_it_deletes(portal, sent):
    portal("create-license-key-meta", **sent, value="test value")
    answer = portal("delete-license-key-meta", **sent)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (252, "Metadata deleted")
    assert not LicenseKeyMetadata.objects.exists()
    assert AuditEvent.objects.get(kind="metadata.deleted").before == {"test-key": "test value"}


def test_it_deletes_only_what_exists(portal, sent):
    answer = portal("delete-license-key-meta", **sent)
    assert (answer["code"], answer["message"]) == (251, "Meta key doesn't exist")


@pytest.mark.parametrize(
    ("endpoint", "code", "message"),
    [
        ("create-license-key-meta", 450, "Meta key is required"),
        ("update-license-key-meta", 350, "Meta key is required"),
        ("delete-license-key-meta", 250, "Meta key is required"),
    ],
)
@pytest.mark.parametrize("name", ["", "  "])
def test_it_requires_a_name(portal, sent, endpoint, code, message, name):
    answer = portal(endpoint, **(sent | {"key": name}), value="x")
    assert (answer["code"], answer["message"]) == (code, message)


@pytest.mark.parametrize(("endpoint", "code"), [("create-license-key-meta", 451), ("update-license-key-meta", 351)])
def test_it_requires_a_value(portal, sent, endpoint, code):
    for params in ({}, {"value": ""}):
        answer = portal(endpoint, **sent, **params)
        assert (answer["code"], answer["message"]) == (code, "Meta value is required")


def test_it_reads_the_names_that_sdks_send(portal, sent):
    del sent["key"]
    answer = portal("create-license-key-meta", **sent, meta_key="name", meta_value="value")
    assert answer["code"] == 453
    assert portal("update-license-key-meta", **sent, meta_key="name", meta_value="other")["code"] == 353
    assert portal("delete-license-key-meta", **sent, meta_key="name")["code"] == 252


@pytest.mark.parametrize("value", ["  spaces around  ", "two\nlines", "0", "null", "ünïcödé €/\\ <b>", "x" * 65_535])
def test_it_keeps_a_value_as_it_was_sent(portal, sent, value):
    assert portal("create-license-key-meta", **sent, value=value)["code"] == 453
    assert LicenseKeyMetadata.objects.get().value == value


def test_a_json_number_is_kept_as_its_text(portal, sent):
    assert portal.json("create-license-key-meta", sent | {"value": 0})["code"] == 453
    assert LicenseKeyMetadata.objects.get().value == "0"


@pytest.mark.parametrize("value", [True, ["a"], {"a": 1}])
def test_other_json_values_are_refused_by_name(portal, sent, value):
    answer = portal.json("create-license-key-meta", sent | {"value": value})
    assert (answer["code"], list(answer["errors"])) == (162, ["value"])
    assert not LicenseKeyMetadata.objects.exists()


def test_keys_have_metadata_of_their_own(portal, sent):
    other = LicenseKeyFactory(assigned=True).license_key
    assert portal("create-license-key-meta", **sent, value="x")["code"] == 453
    assert portal("create-license-key-meta", **(sent | {"license_key": other}), value="x")["code"] == 453
    assert portal("update-license-key-meta", **sent, value="y")["code"] == 353
    assert sorted(LicenseKeyMetadata.objects.values_list("value", flat=True)) == ["x", "y"]


def test_there_is_an_end_to_it(portal, monkeypatch):
    """Customers' software writes metadata, and every answer with details carries all of it."""
    monkeypatch.setattr(metadata, "MAX_NAMES", 2)
    monkeypatch.setattr(metadata, "MAX_CHARACTERS", 20)
    key = LicenseKeyFactory(assigned=True)
    at = {"license_key": key.license_key, "identifier": "host"}
    assert portal("create-license-key-meta", **at, key="a", value="x" * 10)["code"] == 453
    answer = portal("create-license-key-meta", **at, key="b", value="x" * 11)
    assert (answer["code"], list(answer["errors"])) == (162, ["value"])
    assert portal("create-license-key-meta", **at, key="b", value="x")["code"] == 453
    answer = portal("create-license-key-meta", **at, key="c", value="x")
    assert (answer["code"], list(answer["errors"])) == (162, ["key"])
    assert portal("update-license-key-meta", **at, key="a", value="y" * 20)["code"] == 162
    assert portal("update-license-key-meta", **at, key="a", value="y" * 19)["code"] == 353
