"""get-product-meta, create-product-meta, update-product-meta and delete-product-meta: one life of a name."""

import pytest

from licenses.models import AuditEvent, Product, ProductMetadata
from licenses.services.products import create_product
from tests.factories import ACTOR, ProductFactory

pytestmark = pytest.mark.django_db

WRITES = ("create-product-meta", "update-product-meta", "delete-product-meta")


@pytest.fixture
def product():
    return create_product(name="Own key", slug="own", actor=ACTOR)


@pytest.fixture
def sent(product):
    return {"product_id": str(product.pk), "key": "test-key"}


def test_it_creates(portal, sent, product):
    answer = portal("create-product-meta", **sent, value="test value")
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (273, "Product meta created", "product")
    metadata = ProductMetadata.objects.get()
    assert (metadata.product, metadata.name, metadata.value) == (product, "test-key", "test value")
    event = AuditEvent.objects.get(kind="metadata.created")
    assert (event.object_type, event.object_id, event.after) == ("product", product.pk, {"test-key": "test value"})


def test_it_creates_a_name_once(portal, sent):
    portal("create-product-meta", **sent, value="first")
    answer = portal("create-product-meta", **sent, value="second")
    assert (answer["code"], answer["message"], portal.label) == (272, "Meta key already exists", "product")
    assert ProductMetadata.objects.get().value == "first"


def test_it_updates(portal, sent):
    portal("create-product-meta", **sent, value="old")
    answer = portal("update-product-meta", **sent, value="new")
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (373, "Product meta updated", "product")
    assert ProductMetadata.objects.get().value == "new"
    event = AuditEvent.objects.get(kind="metadata.updated")
    assert (event.before, event.after) == ({"test-key": "old"}, {"test-key": "new"})


def test_it_updates_only_what_exists(portal, sent):
    answer = portal("update-product-meta", **sent, value="new")
    assert (answer["code"], answer["message"], portal.label) == (372, "Meta key doesn't exists", "product")
    assert not ProductMetadata.objects.exists()


def test_it_deletes(portal, sent):
    portal("create-product-meta", **sent, value="test value")
    answer = portal("delete-product-meta", **sent)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (482, "Product meta deleted", "product")
    assert not ProductMetadata.objects.exists()
    assert AuditEvent.objects.get(kind="metadata.deleted").before == {"test-key": "test value"}


def test_it_deletes_only_what_exists(portal, sent):
    answer = portal("delete-product-meta", **sent)
    assert (answer["code"], answer["message"], portal.label) == (481, "Meta key doesn't exist", "product")


@pytest.mark.parametrize(("endpoint", "code"), list(zip(WRITES, (274, 374, 483), strict=True)))
def test_the_product_comes_first(portal, sent, endpoint, code):
    for unknown in ("", "999999", "nothing", "9" * 30):
        answer = portal(endpoint, product_id=unknown)
        assert list(answer) == ["code", "message", "timestamp"]
        assert (answer["code"], answer["message"], portal.label) == (code, "Product not found", "global")
    Product.objects.update(status="deleted")
    assert portal(endpoint, **sent, value="x")["code"] == code


@pytest.mark.parametrize(("endpoint", "code"), list(zip(WRITES, (270, 370, 480), strict=True)))
@pytest.mark.parametrize("name", ["", "  "])
def test_it_requires_a_name(portal, sent, endpoint, code, name):
    answer = portal(endpoint, **(sent | {"key": name}))
    assert (answer["code"], answer["message"], portal.label) == (code, "Meta key is required", "product")


@pytest.mark.parametrize(("endpoint", "code"), [("create-product-meta", 271), ("update-product-meta", 371)])
def test_it_requires_a_value(portal, sent, endpoint, code):
    for params in ({}, {"value": ""}):
        answer = portal(endpoint, **sent, **params)
        assert (answer["code"], answer["message"], portal.label) == (code, "Meta value is required", "product")


def test_it_reads_the_names_that_sdks_send(portal, product):
    sent = {"product_uuid": str(product.uuid), "meta_key": "name"}
    assert portal.json("create-product-meta", sent | {"meta_value": "value"})["code"] == 273
    assert portal.json("update-product-meta", sent | {"meta_value": "other"})["code"] == 373
    assert portal("get-product-meta", **sent)["meta_data"] == [{"key": "name", "value": "other"}]
    assert portal.json("delete-product-meta", {"slug": "own", "meta_key": "name"})["code"] == 482


@pytest.mark.parametrize("value", ["  spaces around  ", "two\nlines", "0", "null", "ünïcödé €/\\ <b>", "x" * 65_535])
def test_it_keeps_a_value_as_it_was_sent(portal, sent, value):
    assert portal("create-product-meta", **sent, value=value)["code"] == 273
    assert ProductMetadata.objects.get().value == value


@pytest.mark.parametrize("value", [True, ["a"], {"a": 1}, "a\x00b", "\ud800"])
def test_other_values_are_refused_by_name(portal, sent, value):
    answer = portal.json("create-product-meta", sent | {"value": value})
    assert (answer["code"], list(answer["errors"])) == (162, ["value"])
    assert not ProductMetadata.objects.exists()


def test_products_have_metadata_of_their_own(portal, sent):
    other = ProductFactory()
    assert portal("create-product-meta", **sent, value="x")["code"] == 273
    assert portal("create-product-meta", product_id=other.pk, key="test-key", value="y")["code"] == 273
    assert portal("delete-product-meta", **sent)["code"] == 482
    assert ProductMetadata.objects.get().product == other


def test_it_gets_all_metadata_or_one(portal, product):
    product.metadata.create(name="colour", value="blue")
    product.metadata.create(name="size", value="two\nlines")
    ProductFactory().metadata.create(name="colour", value="red")
    answer = portal("get-product-meta", product_id=product.pk)
    assert list(answer) == ["code", "message", "meta_data", "timestamp"]
    assert (answer["code"], portal.label) == (631, "global")
    assert answer["meta_data"] == [{"key": "colour", "value": "blue"}, {"key": "size", "value": "two\nlines"}]
    for name in ("key", "meta_key"):
        answer = portal("get-product-meta", slug="own", **{name: "size"})
        assert answer["meta_data"] == [{"key": "size", "value": "two\nlines"}]


def test_it_gets_nothing_of_what_is_unknown(portal, product):
    assert portal("get-product-meta", product_id="nothing")["code"] == 551
    assert portal("get-product-meta")["code"] == 551
    assert portal("get-product-meta", product_id=product.pk)["meta_data"] == []
    answer = portal("get-product-meta", product_id=product.pk, key="nothing")
    assert (answer["code"], portal.label) == (372, "product")


def test_a_repeated_call_is_answered_as_the_first(portal, sent):
    first = portal.json("create-product-meta", sent | {"value": "x"}, **{"Idempotency-Key": "1"})
    assert first["code"] == 273
    assert portal.json("create-product-meta", sent | {"value": "x"}, **{"Idempotency-Key": "1"}) == first
