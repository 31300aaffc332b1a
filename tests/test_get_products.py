"""get-all-products and get-product: 810, 631, 551."""

from datetime import UTC, datetime

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from licenses.models import Product
from tests.factories import ProductFactory

pytestmark = pytest.mark.django_db

FIELDS = [
    ("id", int),
    ("external_reference", str),
    ("source", str),
    ("name", str),
    ("post_url", str),
    ("description", str),
    ("status", str),
    ("require_non_expired", int),
    ("created_at", str),
    ("updated_at", str),
    ("meta_data", list),
]
UNKNOWN = ["", "0", "999999", "-1", "9" * 30, "٣", "a\x00b", "nothing", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"]


@pytest.fixture
def product():
    product = ProductFactory(name="Test Product", description="Test product", slug="test", require_non_expired=False)
    product.metadata.create(name="test-key", value="test value x")
    product.metadata.create(name="test-key-2", value="test value x2")
    moment = datetime(2024, 2, 24, 16, 57, 17, 123456, tzinfo=UTC)
    Product.objects.filter(pk=product.pk).update(created_at=moment, updated_at=moment)
    return product


def expected(product):
    return {
        "id": product.pk,
        "external_reference": "",
        "source": "internal",
        "name": "Test Product",
        "post_url": "",
        "description": "Test product",
        "status": "active",
        "require_non_expired": 0,
        "created_at": "2024-02-24T16:57:17.000000Z",
        "updated_at": "2024-02-24T16:57:17.000000Z",
        "meta_data": [
            {"key": "test-key", "value": "test value x"},
            {"key": "test-key-2", "value": "test value x2"},
        ],
    }


def test_it_lists_products_as_documented(portal, product):
    other = ProductFactory(name="A second one", status="inactive")
    ProductFactory(status="deleted")
    answer = portal("get-all-products")
    assert list(answer) == ["code", "message", "products", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (810, "All products", "global")
    assert [row["id"] for row in answer["products"]] == [product.pk, other.pk]
    for row in answer["products"]:
        assert [(name, type(value)) for name, value in row.items()] == FIELDS
    assert answer["products"][0] == expected(product)
    assert answer["products"][1]["meta_data"] == []
    assert answer["products"][1]["status"] == "inactive"


def test_an_empty_portal_has_no_products(portal):
    assert portal("get-all-products")["products"] == []


def test_the_list_costs_the_same_for_many(portal, product, django_assert_num_queries):
    portal("get-all-products")
    with CaptureQueriesContext(connection) as few:
        portal("get-all-products")
    for row in ProductFactory.create_batch(50):
        row.metadata.create(name="a", value="b")
    with django_assert_num_queries(len(few)):
        assert len(portal("get-all-products")["products"]) == 51


@pytest.mark.parametrize("name", ["product_id", "product_uuid", "product_slug", "slug"])
def test_it_gets_a_product_by_each_name(portal, product, name):
    values = {"product_id": product.pk, "product_uuid": product.uuid}
    answer = portal("get-product", **{name: values.get(name, "test")})
    assert list(answer) == ["code", "message", "product", "timestamp"]
    assert (answer["code"], answer["message"]) == (631, "Product information retrieved successfully")
    assert portal.label == "global"
    found = answer["product"]
    assert list(found) == ["id", "uuid", "slug", *(name for name, _ in FIELDS[1:])]
    assert found == expected(product) | {"uuid": str(product.uuid), "slug": "test"}


@pytest.mark.parametrize("text", UNKNOWN)
def test_an_unknown_product_is_551(portal, product, text):
    answer = portal("get-product", product_id=text)
    assert answer["code"] in ((162,) if "\x00" in text else (551,))
    assert portal.label == "global"


def test_a_deleted_product_is_551(portal, product):
    Product.objects.update(status="deleted")
    assert portal("get-product", product_id=product.pk)["code"] == 551
    assert portal("get-product", slug="test")["code"] == 551


def test_a_product_without_a_slug_is_not_found_by_none(portal):
    ProductFactory(slug="")
    assert portal("get-product")["code"] == 551
    assert portal("get-product", slug="")["code"] == 551


@pytest.mark.parametrize("text", [*UNKNOWN, "\ud800", "\x00" * 36, "½" * 32, "{" * 40, "1" * 32, "0x10", "1_0", " 1"])
def test_any_text_may_name_no_product(product, text):
    """On PostgreSQL too: what it cannot compare must not reach it."""
    assert Product.objects.named(text) is None


def test_a_slug_may_look_like_a_uuid_without_hyphens(product):
    Product.objects.update(slug="deadbeef" * 4)
    assert Product.objects.named("deadbeef" * 4) == product
    assert Product.objects.named(str(product.uuid).replace("-", "")) == product


def test_they_are_read_with_get_alone(portal, product):
    for path in ("get-all-products", "get-product", "get-product-public-key", "get-product-meta"):
        answer = portal.read(portal.client.post(f"/api/v1/{path}", {"api_key": portal.api_key}))
        assert (answer["code"], portal.http.status_code) == (165, 405)
