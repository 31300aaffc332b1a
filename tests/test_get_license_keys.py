"""get-license-keys and get-available-license-keys-count."""

from datetime import UTC, datetime

import pytest

from licenses.models import LicenseKey
from tests.factories import ContractFactory, LicenseKeyFactory, OwnerFactory, ProductFactory

pytestmark = pytest.mark.django_db

FIELDS = [
    *("id", "product_id", "license_key", "owner_name", "owner_email", "activation_limit"),
    *("validity", "assigned_at", "status", "created_at", "updated_at"),
]


def found(portal, **params):
    """The license keys' numbers, of a successful answer."""
    answer = portal("get-license-keys", **params)
    assert answer["code"] == 730
    return [row["id"] for row in answer["license_keys"]]


def test_it_answers_as_documented(portal):
    key = LicenseKeyFactory(validity_days=365)
    LicenseKey.objects.update(created_at=datetime(2024, 2, 24, 21, 21, 24, 123456, tzinfo=UTC))
    answer = portal("get-license-keys", product_id=key.product_id, status="available", page=1, items_per_page=10)
    assert list(answer) == ["code", "message", "license_keys", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (730, "License keys", "global")
    (row,) = answer["license_keys"]
    assert list(row) == FIELDS
    assert row["updated_at"].endswith(".000000Z")
    assert row | {"updated_at": ""} == {
        "id": key.pk,
        "product_id": key.product_id,
        "license_key": key.license_key,
        "owner_name": None,
        "owner_email": None,
        "activation_limit": 1,
        "validity": 365,
        "assigned_at": None,
        "status": "available",
        "created_at": "2024-02-24T21:21:24.000000Z",
        "updated_at": "",
    }


def test_it_shows_the_owner(portal):
    at = datetime(2024, 2, 24, 21, 21, 24, 123456, tzinfo=UTC)
    owner = OwnerFactory(name="Test User", email="Test@domain.ltd")
    LicenseKeyFactory(assigned=True, owner=owner, assigned_at=at)
    LicenseKeyFactory(assigned=True, owner=OwnerFactory(name="", email=""))
    first, second = portal("get-license-keys")["license_keys"]
    assert (first["owner_name"], first["owner_email"]) == ("Test User", "Test@domain.ltd")
    assert (first["assigned_at"], first["status"]) == ("2024-02-24T21:21:24.000000Z", "assigned")
    assert (second["owner_name"], second["owner_email"]) == (None, None)


def test_it_filters(portal):
    product = ProductFactory(slug="photo-editor")
    owner = OwnerFactory(name="Ada Lovelace", email="Ada@domain.ltd")
    free = LicenseKeyFactory(product=product)
    mine = LicenseKeyFactory(product=product, assigned=True, owner=owner)
    other = LicenseKeyFactory(assigned=True, owner=owner)
    blocked = LicenseKeyFactory(status="blocked")
    everything = [free.pk, mine.pk, other.pk, blocked.pk]
    assert found(portal) == found(portal, product_id="", status="", owner_email="", page="") == everything
    for name, value in (("product_id", product.pk), ("product_uuid", product.uuid), ("slug", "photo-editor")):
        assert found(portal, **{name: value}) == [free.pk, mine.pk]
    assert found(portal, product_id=product.pk, status="assigned") == [mine.pk]
    assert found(portal, status="blocked") == [blocked.pk]
    for name, value in (
        ("owner_email", "ADA@DOMAIN.LTD"),
        ("customer_email", "ada@domain.ltd"),
        ("owner_name", "ada lovelace"),
        ("customer_name", "Ada Lovelace"),
    ):
        assert found(portal, **{name: value}) == [mine.pk, other.pk]
    assert found(portal, owner_email="ada@domain.ltd", owner_name="Somebody else") == []
    assert found(portal, owner_email="ada@domain.ltd", product_id=product.pk) == [mine.pk]
    assert found(portal, owner_name="Ada") == []
    assert found(portal, owner_email="%") == []


@pytest.mark.parametrize("product_id", ["999999", "unknown", "9" * 30, "٣"])
def test_an_unknown_product_has_none(portal, product_id):
    LicenseKeyFactory()
    assert found(portal, product_id=product_id) == []


def test_a_deleted_product_is_unknown(portal):
    key = LicenseKeyFactory(product=ProductFactory(status="deleted"))
    assert found(portal, product_id=key.product_id) == []


def test_it_pages(portal):
    product = ProductFactory()
    pks = [key.pk for key in LicenseKeyFactory.create_batch(7, product=product)]
    pages = [found(portal, product_id=product.pk, page=page, items_per_page=3) for page in (1, 2, 3, 4)]
    assert pages == [pks[:3], pks[3:6], pks[6:], []]


def test_a_page_has_a_hundred_unless_it_says_otherwise(portal):
    product = ProductFactory()
    LicenseKey.objects.bulk_create(LicenseKey(product=product, license_key=f"K-{number}") for number in range(1001))
    assert len(found(portal)) == 100
    assert len(found(portal, items_per_page="1000")) == 1000
    assert len(found(portal, items_per_page=1000, page=2)) == 1


@pytest.mark.parametrize("page", [2**31 - 1, 1000, 2])
def test_a_page_past_the_end_is_empty(portal, page):
    LicenseKeyFactory()
    assert found(portal, page=page, items_per_page=1000) == []


def test_nothing_at_all_is_an_empty_list(portal):
    assert portal("get-license-keys")["license_keys"] == []


def test_statements_do_not_grow_with_rows(portal, django_assert_max_num_queries):
    product = ProductFactory()
    for _ in range(30):
        LicenseKeyFactory(assigned=True, product=product)
    portal("get-license-keys", product_id=product.pk, status="assigned")
    with django_assert_max_num_queries(12):
        portal("get-license-keys", product_id=product.pk, status="assigned")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("page", "0"),
        ("page", "-1"),
        ("page", "2147483648"),
        ("page", "one"),
        ("items_per_page", "0"),
        ("items_per_page", "1001"),
        ("status", "expired"),
        ("owner_email", "a\x00b"),
        ("owner_name", "x" * 256),
    ],
)
def test_it_says_which_parameter_is_malformed(portal, name, value):
    answer = portal("get-license-keys", **{name: value})
    assert (answer["code"], portal.http.status_code) == (162, 400)
    assert list(answer["errors"]) == [name]


def test_it_counts_the_stock(portal):
    product = ProductFactory(slug="photo-editor")
    LicenseKeyFactory.create_batch(3, product=product)
    for options in ({"assigned": True}, {"status": "reserved"}, {"status": "blocked"}):
        LicenseKeyFactory(product=product, **options)
    LicenseKeyFactory(product=product, contract=ContractFactory(product=product))
    LicenseKeyFactory()
    for name, value in (("product_id", product.pk), ("product_uuid", product.uuid), ("product_slug", "photo-editor")):
        answer = portal("get-available-license-keys-count", **{name: value})
        assert list(answer) == ["code", "message", "count", "timestamp"]
        assert (answer["code"], answer["message"], answer["count"]) == (741, "Available license keys count", 3)
        assert (type(answer["count"]), portal.label) == (int, "global")


def test_it_counts_none(portal):
    assert portal("get-available-license-keys-count", product_id=ProductFactory().pk)["count"] == 0


@pytest.mark.parametrize("params", [{}, {"product_id": ""}, {"product_id": "999999"}, {"product_id": "unknown"}])
def test_740_for_an_unknown_product(portal, params):
    answer = portal("get-available-license-keys-count", **params)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (740, "Product doesn't exist", "global")


def test_a_deleted_product_does_not_exist(portal):
    deleted = ProductFactory(status="deleted")
    assert portal("get-available-license-keys-count", product_id=deleted.pk)["code"] == 740


@pytest.mark.parametrize("path", ["get-license-keys", "get-available-license-keys-count"])
def test_they_are_read_with_get(portal, client, path):
    answer = portal.read(client.post(f"/api/v1/{path}", {"api_key": portal.api_key}))
    assert (answer["code"], portal.http.status_code) == (165, 405)
