"""generate: new license keys of a generator, put into stock."""

import re
import uuid

import pytest

from licenses.models import AuditEvent, LicenseKey
from licenses.services.products import create_product
from tests.factories import ACTOR, GeneratorFactory, LicenseKeyFactory, ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def generator():
    product = create_product(name="Own key", actor=ACTOR)
    return GeneratorFactory(product=product, activation_limit=3, validity_days=365)


def test_it_puts_new_license_keys_into_stock(portal, generator):
    answer = portal("generate", generator_id=generator.pk, quantity=10)
    assert list(answer) == ["code", "message", "licenseKeys", "timestamp"]
    assert (answer["code"], answer["message"]) == (815, "Generated license keys")
    assert portal.label == "product"
    stored = LicenseKey.objects.available().filter(product=generator.product).order_by("pk")
    assert answer["licenseKeys"] == [found.license_key for found in stored]
    assert len(set(answer["licenseKeys"])) == 10
    assert all(str(uuid.UUID(text)) == text and uuid.UUID(text).version == 4 for text in answer["licenseKeys"])
    assert {(found.activation_limit, found.validity_days) for found in stored} == {(3, 365)}
    assert AuditEvent.objects.filter(kind="license_key.created", door="api").count() == 10


def test_it_makes_one_when_no_quantity_is_given(portal, generator):
    assert len(portal("generate", generator_id=generator.pk)["licenseKeys"]) == 1


def test_it_takes_what_sdks_send(portal, generator):
    sent = {"generator_uuid": str(generator.pk), "quantity": 2, "activation_limit": 0, "validity_days": 7}
    assert portal.json("generate", sent)["code"] == 815
    assert set(LicenseKey.objects.values_list("activation_limit", "validity_days")) == {(0, 7)}


def test_it_makes_chunks(portal, generator):
    generator = GeneratorFactory(
        product=generator.product,
        method="chunk-system",
        charset="ABC",
        number_of_chunks=3,
        chunk_length=5,
        separator=".",
        prefix="PRO-",
        suffix="!",
    )
    for text in portal("generate", generator_id=generator.pk, quantity=20)["licenseKeys"]:
        assert re.fullmatch(r"PRO-[ABC]{5}\.[ABC]{5}\.[ABC]{5}!", text)


@pytest.mark.parametrize("generator_id", ["", "0", "-1", "x", "999999", "9" * 30, "²", "ccc3ceea-bb20-45e9-9944"])
def test_it_refuses_an_unknown_generator(portal, generator, generator_id):
    answer = portal("generate", generator_id=generator_id, quantity=1)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (806, "Generator not found")
    assert not LicenseKey.objects.exists()


def test_it_refuses_an_inactive_generator_and_one_of_a_deleted_product(portal):
    inactive = GeneratorFactory(is_active=False)
    deleted = GeneratorFactory(product=ProductFactory(status="deleted"))
    for generator in (inactive, deleted):
        assert portal("generate", generator_id=generator.pk)["code"] == 806


def test_an_inactive_product_can_be_stocked(portal):
    generator = GeneratorFactory(product=ProductFactory(status="inactive"))
    assert portal("generate", generator_id=generator.pk)["code"] == 815


@pytest.mark.parametrize(
    ("params", "name"),
    [
        ({"quantity": 0}, "quantity"),
        ({"quantity": 1001}, "quantity"),
        ({"quantity": "many"}, "quantity"),
        ({"activation_limit": -1}, "activation_limit"),
        ({"activation_limit": 2**31}, "activation_limit"),
        ({"validity": 36_526}, "validity"),
        ({"validity_days": "long"}, "validity"),
    ],
)
def test_it_names_a_number_that_cannot_be(portal, generator, params, name):
    answer = portal("generate", generator_id=generator.pk, **params)
    assert (answer["code"], list(answer["errors"])) == (162, [name])
    assert not LicenseKey.objects.exists()


def test_it_makes_1000_at_once_in_few_statements(portal, generator, django_assert_max_num_queries):
    with django_assert_max_num_queries(60):
        assert len(portal("generate", generator_id=generator.pk, quantity=1000)["licenseKeys"]) == 1000


def test_it_says_that_hardly_any_text_is_left(portal):
    generator = GeneratorFactory(method="chunk-system", charset="01", number_of_chunks=1, chunk_length=2)
    LicenseKeyFactory(license_key="00")
    answer = portal("generate", generator_id=generator.pk, quantity=4)
    assert list(answer) == ["code", "message", "available_quantity", "timestamp"]
    assert (answer["code"], answer["message"]) == (802, "Insufficient license keys")
    assert answer["available_quantity"] == 3
    assert LicenseKey.objects.count() == 1
    assert sorted(portal("generate", generator_id=generator.pk, quantity=3)["licenseKeys"]) == ["01", "10", "11"]
    assert portal("generate", generator_id=generator.pk)["available_quantity"] == 0


def test_it_makes_them_once_per_idempotency_key(portal, generator):
    sent = {"generator_id": generator.pk, "quantity": 2}
    first = portal.json("generate", sent, **{"Idempotency-Key": "order-7"})
    assert portal.json("generate", sent, **{"Idempotency-Key": "order-7"}) == first
    assert LicenseKey.objects.count() == 2
