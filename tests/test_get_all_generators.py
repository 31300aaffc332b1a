"""get-all-generators: how license keys are made, product by product."""

import json

import pytest

from tests.factories import GeneratorFactory, ProductFactory

pytestmark = pytest.mark.django_db


DOCUMENTED_ORDER = [
    "id",
    "product_id",
    "method",
    "prefix",
    "suffix",
    "function_name",
    "number_of_chunks",
    "chunk_length",
    "activation_limit",
    "validity",
    "status",
    "charset",
    "created_at",
    "updated_at",
]


def listed(portal, **params):
    query = {"api_key": portal.api_key, **params}
    return portal.read(portal.client.get("/api/v1/get-all-generators", query))


def test_it_lists_generators_in_the_documented_form(portal):
    generator = GeneratorFactory(method="chunk-system", number_of_chunks=4, validity_days=365)
    inactive = GeneratorFactory(is_active=False)
    answer = listed(portal)
    assert list(answer) == ["code", "message", "products", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (820, "All generators", "global")
    first, second = answer["products"]
    assert list(first) == DOCUMENTED_ORDER
    created, updated = first.pop("created_at"), first.pop("updated_at")
    assert first == {
        "id": generator.pk,
        "product_id": generator.product_id,
        "method": "chunk-system",
        "prefix": "",
        "suffix": "",
        "function_name": "",
        "number_of_chunks": 4,
        "chunk_length": 4,
        "activation_limit": 1,
        "validity": 365,
        "status": 1,
        "charset": "0123456789ABCDEF",
    }
    assert created.endswith(".000000Z") and updated.endswith(".000000Z")
    assert (second["id"], second["status"]) == (inactive.pk, 0)


def test_it_lists_one_products_by_any_of_its_names(portal):
    product = ProductFactory(slug="photo-editor")
    generator = GeneratorFactory(product=product)
    GeneratorFactory()
    for name, value in {"product_id": product.pk, "product_uuid": product.uuid, "slug": product.slug}.items():
        assert [row["id"] for row in listed(portal, **{name: value})["products"]] == [generator.pk]


def test_it_leaves_out_deleted_products(portal):
    deleted = GeneratorFactory(product=ProductFactory(status="deleted")).product
    assert listed(portal)["products"] == []
    assert listed(portal, product_id=deleted.pk)["products"] == []
    assert listed(portal, product_id="nothing")["products"] == []


def test_it_pages_where_asked(portal):
    numbers = [generator.pk for generator in GeneratorFactory.create_batch(3)]
    assert [row["id"] for row in listed(portal, page=2, items_per_page=2)["products"]] == numbers[2:]
    assert listed(portal, page=9)["products"] == []
    assert list(listed(portal, page=0)["errors"]) == ["page"]


def test_it_asks_the_database_once_for_all(portal, django_assert_max_num_queries):
    GeneratorFactory.create_batch(20)
    with django_assert_max_num_queries(12):
        assert len(json.dumps(listed(portal)["products"])) > 1000
