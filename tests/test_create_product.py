"""create-product: 750, and 751 with what is wrong with each field."""

import json

import pytest

from licenses.models import AuditEvent, Product, SigningKey
from tests.factories import ProductFactory, api_key_text

pytestmark = pytest.mark.django_db

GOOD = {
    "source": "internal",
    "name": "API Create Product",
    "description": "API create product",
    "require_non_expired": "1",
    "external_reference": "",
    "status": "active",
}


@pytest.fixture(autouse=True)
def quick(settings):
    """Making a key pair takes long; one test asks for it."""
    settings.PRODUCT_SIGNING_KEYS = False


def test_it_creates_a_product_with_a_signing_key_of_its_own(portal, settings):
    settings.PRODUCT_SIGNING_KEYS = True
    answer = portal("create-product", **GOOD)
    product = Product.objects.get()
    assert list(answer) == ["code", "message", "product_id", "timestamp"]
    assert (answer["code"], answer["message"], answer["product_id"]) == (750, "Product created", product.pk)
    assert type(answer["product_id"]) is int
    assert portal.label == "global"
    assert (product.name, product.description) == ("API Create Product", "API create product")
    assert SigningKey.objects.active_of(product)
    event = AuditEvent.objects.get(kind="product.created")
    assert (event.object_id, event.after["name"]) == (product.pk, "API Create Product")


def test_it_has_defaults_for_what_is_not_sent(portal):
    assert portal("create-product", name="Editor", description="Edits")["code"] == 750
    product = Product.objects.get()
    assert (product.source, product.status, product.require_non_expired) == ("internal", "active", True)
    assert (product.external_reference, product.post_url, product.slug) == ("", "", "")
    assert (product.changelog_enabled, product.features) == (False, {})


def test_it_takes_every_field(portal):
    sent = {
        "name": "Editor",
        "description": "Edits\nlines",
        "source": "Envato",
        "status": "Inactive",
        "require_non_expired": 0,
        "external_reference": 4711,
        "post_url": "https://shop.example/hook",
        "slug": "photo-editor",
        "changelog_enabled": True,
        "features": {"export": True, "seats": 5},
        "image": "ignored",
    }
    assert portal.json("create-product", sent)["code"] == 750
    product = Product.objects.get()
    assert (product.source, product.status, product.require_non_expired) == ("envato", "inactive", False)
    assert (product.external_reference, product.post_url) == ("4711", "https://shop.example/hook")
    assert (product.slug, product.changelog_enabled) == ("photo-editor", True)
    assert product.features == {"export": True, "seats": 5}
    assert product.description == "Edits\nlines"


def test_features_come_as_the_text_of_an_object_too(portal):
    assert portal("create-product", **GOOD, features='{"export": true, "seats": 5}')["code"] == 750
    assert Product.objects.get().features == {"export": True, "seats": 5}


@pytest.mark.parametrize("empty", [[], {}, "", None, "{}", "[]"])
def test_empty_features_are_none(portal, empty):
    assert portal.json("create-product", GOOD | {"features": empty})["code"] == 750
    assert Product.objects.get().features == {}


def test_an_empty_request_lacks_a_name_and_a_description(portal):
    answer = portal("create-product")
    assert list(answer) == ["code", "message", "errors", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (751, "Incorrect data found", "global")
    assert answer["errors"] == {
        "name": ["The name field is required."],
        "description": ["The description field is required."],
    }
    assert list(answer["errors"]) == ["name", "description"]
    assert not Product.objects.exists()


@pytest.mark.parametrize("empty", ["", "   ", None])
def test_an_empty_name_is_none(portal, empty):
    answer = portal.json("create-product", GOOD | {"name": empty, "description": empty})
    assert list(answer["errors"]) == ["name", "description"]


@pytest.mark.parametrize(
    ("changes", "errors"),
    [
        ({"status": "sold"}, {"status": ["The selected status is invalid."]}),
        ({"status": "deleted"}, {"status": ["The selected status is invalid."]}),
        ({"source": "moon"}, {"source": ["The selected source is invalid."]}),
        ({"require_non_expired": "maybe"}, {"require_non_expired": ["This must be 1 for true or 0 for false."]}),
        ({"changelog_enabled": 2}, {"changelog_enabled": ["This must be 1 for true or 0 for false."]}),
        ({"post_url": "nowhere"}, {"post_url": ["Enter a valid URL."]}),
        ({"post_url": "javascript:alert(1)"}, {"post_url": ["Enter a valid URL."]}),
        ({"name": ["a"]}, {"name": ["This must be a text."]}),
    ],
)
def test_it_names_what_is_wrong(portal, changes, errors):
    answer = portal.json("create-product", GOOD | changes)
    assert (answer["code"], answer["errors"]) == (751, errors)
    assert not Product.objects.exists()


@pytest.mark.parametrize("slug", ["Photo Editor", "42", "a--b", "x" * 101, "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
def test_a_slug_is_no_id_and_no_uuid(portal, slug):
    answer = portal("create-product", **GOOD, slug=slug)
    assert (answer["code"], list(answer["errors"])) == (751, ["slug"])


def test_a_slug_is_taken_once(portal):
    ProductFactory(slug="editor", status="deleted")
    answer = portal("create-product", **GOOD, slug="editor")
    assert answer["errors"] == {"slug": ["There is a product with this slug already."]}


def test_a_slug_that_another_took_meanwhile_is_refused(portal, monkeypatch):
    """Two calls at once: the slug was free when the second was checked."""
    ProductFactory(slug="editor")
    checks = iter([None])
    found = Product.validate_constraints
    monkeypatch.setattr(Product, "validate_constraints", lambda *args, **kw: next(checks, 1) and found(*args, **kw))
    answer = portal("create-product", **GOOD, slug="editor")
    assert (answer["code"], list(answer["errors"])) == (751, ["slug"])
    assert Product.objects.count() == 1


HOSTILE_FEATURES = [
    "nonsense",
    "null",
    "3",
    "[1]",
    '{"a": [1]}',
    '{"a": {"b": 1}}',
    '{"a": null}',
    '{"a": NaN}',
    '{"a": 1e999}',
    '{"a": -Infinity}',
    '{"a": 1e300}',
    '{"a": %s}' % ("9" * 5000),
    '{"a": "b\\u0000"}',
    '{"a\\u0000": 1}',
    '{"\\ud800": 1}',
    '{"a": "\\udfff"}',
    '{"": 1}',
    "[" * 100_000,
    '{"a":' * 10_000,
    '{"%s": true}' % ("x" * 101),
    '{"a": "%s"}' % ("x" * 256),
    json.dumps({f"n{number}": 1 for number in range(101)}),
]


@pytest.mark.parametrize("features", HOSTILE_FEATURES, ids=lambda text: text[:12])
def test_features_that_cannot_be_are_refused(portal, features):
    answer = portal.json("create-product", GOOD | {"features": features})
    assert (answer["code"], list(answer["errors"])) == (751, ["features"])
    assert not Product.objects.exists()


def test_features_that_cannot_be_are_refused_to_sdks_too(client, global_key):
    """Their envelope carries letters as they are, so that no half of a surrogate pair may come back in it."""
    sent = GOOD | {"features": {"\ud800": 1}, "api_key": api_key_text(profile="sdk")}
    answer = client.post("/api/v1/create-product", sent, content_type="application/json")
    assert (answer.status_code, answer.json()["code"], list(answer.json()["errors"])) == (200, 751, ["features"])


def test_a_repeated_call_creates_one_product(portal):
    sent = GOOD | {"name": "Once"}
    first = portal.json("create-product", sent, **{"Idempotency-Key": "4711"})
    assert portal.json("create-product", sent, **{"Idempotency-Key": "4711"}) == first
    assert Product.objects.count() == 1


def test_it_makes_no_key_pair_for_a_product_that_cannot_be(portal, settings, monkeypatch):
    settings.PRODUCT_SIGNING_KEYS = True
    monkeypatch.setattr("licenses.signing.generate_private_key", lambda bits: pytest.fail("a key pair was made"))
    for changes in ({"name": ""}, {"post_url": "x"}, {"slug": "X"}, {"features": "x"}):
        assert portal("create-product", **(GOOD | changes))["code"] == 751


def test_it_sets_nothing_that_is_not_its_own(portal):
    sent = {"id": 99, "uuid": "6f9619ff-8b86-4d01-b42d-00cf4fc964ff", "created_at": "2001-01-01", "owner": 1}
    assert portal("create-product", **GOOD, **sent)["code"] == 750
    product = Product.objects.get()
    assert str(product.uuid) != sent["uuid"]
    assert product.created_at.year > 2001
