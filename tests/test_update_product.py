"""update-product: 650, and 651 with what is wrong. Only what is sent changes."""

import pytest

from licenses.models import AuditEvent, Product
from licenses.services.products import create_product
from tests.factories import ACTOR, ProductFactory, api_key_text
from tests.protocol import Portal

pytestmark = pytest.mark.django_db


@pytest.fixture
def product():
    return ProductFactory(
        name="Editor",
        description="Edits",
        slug="editor",
        external_reference="4711",
        post_url="https://shop.example/",
        features={"export": True},
    )


def stored(product):
    return Product.objects.filter(pk=product.pk).values().get()


def test_it_updates_what_the_documents_send(portal, product):
    answer = portal(
        "update-product",
        product_id=str(product.pk),
        source="internal",
        name="API Create Product",
        description="Test Update",
        require_non_expired="0",
        external_reference="",
        status="inactive",
    )
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (650, "Product updated", "global")
    product.refresh_from_db()
    assert (product.name, product.description, product.status) == ("API Create Product", "Test Update", "inactive")
    assert (product.require_non_expired, product.external_reference) == (False, "")
    event = AuditEvent.objects.get(kind="product.updated")
    assert event.before["name"] == "Editor"
    assert event.after["name"] == "API Create Product"
    assert set(event.after) == {"name", "description", "status", "require_non_expired", "external_reference"}


@pytest.mark.parametrize(
    ("field", "sent", "value"),
    [
        ("name", "Other", "Other"),
        ("description", "two\nlines", "two\nlines"),
        ("status", "INACTIVE", "inactive"),
        ("source", "Envato", "envato"),
        ("require_non_expired", False, False),
        ("external_reference", "", ""),
        ("post_url", "", ""),
        ("slug", "other", "other"),
        ("slug", "", ""),
        ("changelog_enabled", 1, True),
        ("features", {"export": 1}, {"export": 1}),
        ("features", '{"seats": 2.5}', {"seats": 2.5}),
        ("features", [], {}),
    ],
)
def test_only_what_is_sent_changes(portal, product, field, sent, value):
    before = stored(product)
    assert portal.json("update-product", {"product_id": product.pk, field: sent})["code"] == 650
    after = stored(product)
    assert {name for name in after if after[name] != before[name] or name == field} == {field, "updated_at"}
    assert (after[field], type(after[field])) == (value, type(value))
    event = AuditEvent.objects.get(kind="product.updated")
    assert (event.before, event.after) == ({field: before[field]}, {field: value})


def test_nothing_sent_changes_nothing(portal, product):
    before = stored(product)
    assert portal("update-product", product_id=product.pk)["code"] == 650
    same = {"name": "Editor", "features": {"export": True}, "status": "", "features_": 1, "require_non_expired": None}
    assert portal.json("update-product", {"product_id": product.pk} | same)["code"] == 650
    nothing = dict.fromkeys(("name", "description", "slug", "post_url", "external_reference", "features"))
    assert portal.json("update-product", {"product_id": product.pk} | nothing)["code"] == 650
    assert stored(product) == before
    assert not AuditEvent.objects.filter(kind="product.updated").exists()


@pytest.mark.parametrize("unknown", ["999999", "", "nothing", "9" * 40, "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", None])
def test_an_unknown_product_is_651(portal, product, unknown):
    answer = portal.json("update-product", {"product_id": unknown, "name": "Test"})
    assert (answer["code"], answer["message"], portal.label) == (651, "Incorrect data found", "global")
    assert answer["errors"] == {"product_id": ["The selected product id is invalid."]}


def test_a_deleted_product_is_unknown(portal, product):
    Product.objects.update(status="deleted")
    answer = portal("update-product", product_id=product.pk, status="active")
    assert answer["errors"] == {"product_id": ["The selected product id is invalid."]}


@pytest.mark.parametrize("value", ["\x00", "\ud800", ["a"], {"a": 1}, True])
def test_what_names_no_product_is_651_too(portal, product, value):
    answer = portal.json("update-product", {"product_id": value, "name": "Test"})
    assert (answer["code"], list(answer["errors"])) == (651, ["product_id"])


def test_it_finds_the_product_by_each_name(portal, product):
    for number, names in enumerate(
        (
            {"product_id": product.pk},
            {"product_id": str(product.uuid)},
            {"product_uuid": str(product.uuid)},
            {"product_slug": "editor"},
            {"product_id": "editor"},
            {"slug": "editor"},
        )
    ):
        assert portal("update-product", **names, name=f"Name {number}")["code"] == 650, names
        assert stored(product)["name"] == f"Name {number}"
        assert stored(product)["slug"] == "editor"


def test_beside_another_name_the_slug_is_the_new_one(portal, product):
    ProductFactory(slug="taken")
    assert portal("update-product", product_uuid=product.uuid, slug="photo-editor")["code"] == 650
    assert stored(product)["slug"] == "photo-editor"
    answer = portal("update-product", product_slug="photo-editor", slug="taken")
    assert (answer["code"], answer["errors"]) == (651, {"slug": ["There is a product with this slug already."]})


def test_a_slug_that_another_took_meanwhile_is_refused(portal, product, monkeypatch):
    ProductFactory(slug="taken")
    checks = iter([None])
    found = Product.validate_constraints
    monkeypatch.setattr(Product, "validate_constraints", lambda *args, **kw: next(checks, 1) and found(*args, **kw))
    answer = portal("update-product", product_id=product.pk, slug="taken")
    assert (answer["code"], list(answer["errors"])) == (651, ["slug"])
    assert not AuditEvent.objects.filter(kind="product.updated").exists()


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"name": ""}, {"name": ["The name field is required."]}),
        ({"description": " "}, {"description": ["The description field is required."]}),
        ({"status": "deleted"}, {"status": ["The selected status is invalid."]}),
        (
            {"status": "x", "name": ""},
            {"name": ["The name field is required."], "status": ["The selected status is invalid."]},
        ),
        ({"source": "x"}, {"source": ["The selected source is invalid."]}),
        ({"require_non_expired": 2}, {"require_non_expired": ["This must be 1 for true or 0 for false."]}),
        ({"post_url": "x"}, {"post_url": ["Enter a valid URL."]}),
        ({"features": "x"}, {"features": ["The features field must be a JSON object of names and values."]}),
    ],
)
def test_it_names_what_is_wrong_and_changes_nothing(portal, product, changes, errors):
    before = stored(product)
    answer = portal.json("update-product", {"product_id": product.pk, "external_reference": "new"} | changes)
    assert (answer["code"], answer["errors"]) == (651, errors)
    assert stored(product) == before


def test_it_never_changes_what_is_the_portals(portal, product):
    before = stored(product)
    sent = {"id": 99, "uuid": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "created_at": "2001-01-01"}
    assert portal.json("update-product", {"product_id": product.pk} | sent)["code"] == 650
    assert stored(product) == before


def test_an_sdk_verifies_it_with_the_products_key(client, global_key):
    product = create_product(name="Own key", slug="own", actor=ACTOR)
    sent = {"api_key": api_key_text(profile="sdk"), "product_slug": "own", "name": "New"}
    answer = client.post("/api/v1/update-product", sent, content_type="application/json").json()
    assert (answer["code"], answer["success"], answer["private_key_used"]) == (650, True, "product")
    assert stored(product)["name"] == "New"


def test_a_repeated_call_is_answered_as_the_first(portal, product):
    sent = {"product_id": product.pk, "name": "Once"}
    first = portal.json("update-product", sent, **{"Idempotency-Key": "1"})
    assert portal.json("update-product", sent, **{"Idempotency-Key": "1"}) == first
    assert portal.json("update-product", sent | {"name": "Twice"}, **{"Idempotency-Key": "1"})["code"] == 161
    assert AuditEvent.objects.filter(kind="product.updated").count() == 1


def test_it_needs_its_own_capability(client, global_key, product):
    portal = Portal(client, api_key_text("get-product"))
    assert portal("update-product", product_id=product.pk, name="x")["code"] == 102
