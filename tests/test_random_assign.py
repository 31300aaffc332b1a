"""random-assign-license-keys: any license keys of a product for one owner, from stock or new ones."""

import re

import pytest

from licenses.models import AuditEvent, LicenseKey, Owner
from licenses.services.products import create_product
from tests.factories import ACTOR, ContractFactory, GeneratorFactory, LicenseKeyFactory, ProductFactory

pytestmark = pytest.mark.django_db

DOCUMENTED = {
    "product_id": 1,
    "license_key": "1de7d049-3160-44c2-b260-fc12b2b7e702",
    "activation_limit": 1,
    "validity": 365,
    "status": "assigned",
    "owner_name": "Test User",
    "owner_email": "email@domain.ltd",
    "assigned_at": "2024-11-23T19:02:08.829115Z",
    "contract_id": None,
    "updated_at": "2024-11-23T19:02:08.000000Z",
    "created_at": "2024-11-23T19:02:08.000000Z",
    "id": 213,
    "meta_data": [],
}
BUYER = {"owner_name": "Test User", "owner_email": "email@domain.ltd"}


@pytest.fixture
def product():
    return create_product(name="Own key", actor=ACTOR)


@pytest.fixture
def stock(product):
    return LicenseKeyFactory.create_batch(5, product=product, validity_days=365)


def assign(portal, product, **params):
    return portal("random-assign-license-keys", product_id=product.pk, **(BUYER | params))


def test_it_gives_the_oldest_of_the_stock(portal, product, stock):
    answer = assign(portal, product, quantity=2, generate=0)
    assert list(answer) == ["code", "message", "license_keys", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (803, "License keys assigned", "global")
    assert [row["id"] for row in answer["license_keys"]] == [found.pk for found in stock[:2]]
    for row, found in zip(answer["license_keys"], stock[:2], strict=True):
        created = found.created_at
        found.refresh_from_db()
        assert row["license_key"] == found.license_key
        assert (found.status, found.owner.email, found.owner.name) == ("assigned", "email@domain.ltd", "Test User")
        assert (found.expires_at - found.assigned_at).days == 365
        assert found.created_at == created
        assert row["created_at"] == created.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
        assert row["assigned_at"] == found.assigned_at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    assert LicenseKey.objects.available().count() == 3
    events = AuditEvent.objects.filter(kind="license_key.assigned", door="api")
    assert sorted(events.values_list("object_id", flat=True)) == [found.pk for found in stock[:2]]


@pytest.mark.parametrize("generate", [0, 1])
def test_its_rows_are_as_documented(portal, product, stock, generate):
    GeneratorFactory(product=product, validity_days=365)
    (row,) = assign(portal, product, generate=generate)["license_keys"]
    assert list(row) == list(DOCUMENTED)
    assert [type(value) for value in row.values()] == [type(value) for value in DOCUMENTED.values()]
    varying = ("product_id", "license_key", "assigned_at", "updated_at", "created_at", "id")
    assert row == DOCUMENTED | {name: row[name] for name in varying}
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", row["assigned_at"])
    assert row["created_at"].endswith(".000000Z") and row["updated_at"].endswith(".000000Z")


def test_it_makes_new_ones_and_leaves_the_stock(portal, product, stock):
    GeneratorFactory(product=product, is_active=False, prefix="INACTIVE-")
    GeneratorFactory(product=product, prefix="OLDEST-", activation_limit=2, validity_days=30)
    GeneratorFactory(product=product, prefix="YOUNGER-")
    rows = assign(portal, product, quantity=7, generate=1)["license_keys"]
    assert len({row["license_key"] for row in rows}) == 7
    assert all(row["license_key"].startswith("OLDEST-") for row in rows)
    assert {(row["activation_limit"], row["validity"], row["status"]) for row in rows} == {(2, 30, "assigned")}
    made = LicenseKey.objects.filter(pk__in=[row["id"] for row in rows])
    assert {found.owner.email for found in made} == {"email@domain.ltd"}
    assert all((found.expires_at - found.assigned_at).days == 30 for found in made)
    assert LicenseKey.objects.available().count() == 5
    for kind in ("license_key.created", "license_key.assigned"):
        assert AuditEvent.objects.filter(kind=kind, object_id__in=[row["id"] for row in rows]).count() == 7
    assert Owner.objects.count() == 1


def test_it_uses_the_generator_that_sdks_name_without_generate(portal, product, stock):
    GeneratorFactory(product=product, prefix="FIRST-")
    second = GeneratorFactory(product=product, prefix="SECOND-")
    sent = {"product_uuid": str(product.uuid), "generator_uuid": second.pk, "quantity": 1}
    sent |= {"customer_name": "Ada", "customer_email": "ada@example.com"}
    (row,) = portal.json("random-assign-license-keys", sent)["license_keys"]
    assert row["license_key"].startswith("SECOND-")
    assert (row["owner_name"], row["owner_email"]) == ("Ada", "ada@example.com")
    (row,) = portal.json("random-assign-license-keys", sent | {"generate": 0})["license_keys"]
    assert row["id"] == stock[0].pk


def test_it_refuses_an_unknown_product(portal, stock):
    for product_id in ("", "999999", "nothing", ProductFactory(status="deleted").pk):
        answer = portal("random-assign-license-keys", product_id=product_id, generate=1, **BUYER)
        assert list(answer) == ["code", "message", "timestamp"]
        assert (answer["code"], answer["message"], portal.label) == (805, "Product not found", "global")
    assert not Owner.objects.exists()


def test_it_refuses_to_generate_without_a_generator(portal, product, stock):
    GeneratorFactory(product=product, is_active=False)
    other = GeneratorFactory()
    for params in ({"generate": 1}, {"generator_uuid": other.pk}, {"generator_id": "nothing"}):
        answer = assign(portal, product, **params)
        assert list(answer) == ["code", "message", "timestamp"]
        assert (answer["code"], answer["message"], portal.label) == (806, "Generator not found", "global")
    assert not Owner.objects.exists()


def test_it_assigns_all_or_none(portal, product, stock):
    answer = assign(portal, product, quantity=6)
    assert list(answer) == ["code", "message", "available_quantity", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (802, "Insufficient license keys", "global")
    assert answer["available_quantity"] == 5
    assert LicenseKey.objects.available().count() == 5
    assert not Owner.objects.exists()
    assert len(assign(portal, product, quantity=5)["license_keys"]) == 5
    assert assign(portal, product)["available_quantity"] == 0


def test_it_takes_only_what_is_in_stock(portal, product):
    for status in ("reserved", "blocked"):
        LicenseKeyFactory(product=product, status=status)
    LicenseKeyFactory(product=product, assigned=True)
    LicenseKeyFactory(product=product, contract=ContractFactory(product=product))
    LicenseKeyFactory()
    assert assign(portal, product)["available_quantity"] == 0


def test_it_says_when_the_generator_has_hardly_any_text_left(portal, product):
    GeneratorFactory(product=product, method="chunk-system", charset="01", number_of_chunks=1, chunk_length=1)
    answer = assign(portal, product, quantity=3, generate=1)
    assert (answer["code"], answer["available_quantity"]) == (802, 2)
    assert not LicenseKey.objects.exists() and not Owner.objects.exists()
    assert len(assign(portal, product, quantity=2, generate=1)["license_keys"]) == 2


def test_it_keeps_an_address_that_is_none(portal, product, stock):
    """A shop sends "Not set" for many buyers: each is an owner, and the shop reads back what it sent."""
    for _ in range(2):
        (row,) = assign(portal, product, owner_name="", owner_email="Not set")["license_keys"]
        assert (row["owner_name"], row["owner_email"]) == (None, "Not set")
    assert list(Owner.objects.values_list("name", "email")) == [("Not set", "")] * 2


def test_it_reads_back_the_name_that_was_sent_whatever_the_owner_is_called(portal, product, stock):
    assign(portal, product)
    (row,) = assign(portal, product, owner_name="Another", owner_email="EMAIL@domain.ltd")["license_keys"]
    assert (row["owner_name"], row["owner_email"]) == ("Another", "EMAIL@domain.ltd")
    assert Owner.objects.get().name == "Test User"


def test_owner_and_quantity_may_be_missing(portal, product, stock):
    (row,) = portal("random-assign-license-keys", product_id=product.pk)["license_keys"]
    assert (row["owner_name"], row["owner_email"]) == (None, None)


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"quantity": 0}, "quantity"),
        ({"quantity": 1001}, "quantity"),
        ({"quantity": "two"}, "quantity"),
        ({"generate": "maybe"}, "generate"),
        ({"owner_email": "x" * 255}, "owner_email"),
        ({"owner_name": "x" * 256}, "owner_name"),
    ],
)
def test_it_names_a_parameter_that_cannot_be(portal, product, stock, params, name):
    answer = assign(portal, product, **params)
    assert (answer["code"], list(answer["errors"])) == (162, [name])
    assert LicenseKey.objects.available().count() == 5


def test_it_shows_metadata_of_the_stock(portal, product, stock):
    stock[0].metadata.create(name="batch", value="7")
    (row,) = assign(portal, product)["license_keys"]
    assert row["meta_data"] == [{"key": "batch", "value": "7"}]


@pytest.mark.parametrize("generate", [0, 1])
def test_it_assigns_many_in_few_statements(portal, product, django_assert_max_num_queries, generate):
    GeneratorFactory(product=product)
    LicenseKeyFactory.create_batch(300, product=product)
    with django_assert_max_num_queries(45):
        assert len(assign(portal, product, quantity=300, generate=generate)["license_keys"]) == 300


def test_it_assigns_once_per_idempotency_key(portal, product, stock):
    sent = {"product_id": product.pk, "quantity": 2, **BUYER}
    first = portal.json("random-assign-license-keys", sent, **{"Idempotency-Key": "order-7"})
    assert portal.json("random-assign-license-keys", sent, **{"Idempotency-Key": "order-7"}) == first
    assert LicenseKey.objects.available().count() == 3
