"""get-product-public-key: 632 and 633."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses import signing
from licenses.models import Product, SigningKey
from licenses.services.products import create_product
from licenses.services.signing_keys import create_signing_key
from tests.factories import ACTOR, ActivationFactory, ProductFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def product():
    return create_product(name="Own key", slug="own", actor=ACTOR)


def test_its_public_key_verifies_what_the_portal_says_about_the_product(portal, product):
    answer = portal("get-product-public-key", product_uuid=product.uuid)
    assert list(answer) == ["code", "message", "public_key", "product", "timestamp"]
    assert (answer["code"], answer["message"]) == (632, "Public key retrieved successfully")
    assert portal.label == "global"
    assert list(answer["product"].items()) == [("uuid", str(product.uuid)), ("id", product.pk), ("name", "Own key")]
    assert answer["public_key"].startswith("-----BEGIN PUBLIC KEY-----\n")
    activation = ActivationFactory(license_key__product=product)
    portal("verify", license_key=activation.license_key.license_key, identifier=activation.identifier)
    assert portal.label == "product"
    assert signing.verify(portal.envelope, answer["public_key"])


def test_after_a_rotation_it_is_the_new_one(portal, product):
    old = portal("get-product-public-key", slug="own")["public_key"]
    new = create_signing_key(product=product, actor=ACTOR)
    assert portal("get-product-public-key", slug="own")["public_key"] == new.public_key != old


@pytest.mark.parametrize("text", ["", "999999", "nothing", "9" * 30])
def test_an_unknown_product_is_633(portal, product, text):
    answer = portal("get-product-public-key", product_id=text)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (633, "Public key not available for product")


def test_a_product_that_only_the_global_key_signs_for_is_633(portal, product):
    assert portal("get-product-public-key", product_id=ProductFactory().pk)["code"] == 633
    SigningKey.objects.filter(product=product).update(status="compromised", compromised_at=timezone.now())
    assert portal("get-product-public-key", product_id=product.pk)["code"] == 633


def test_a_deleted_product_is_633(portal, product):
    Product.objects.update(status="deleted")
    assert portal("get-product-public-key", product_id=product.pk)["code"] == 633


def test_no_private_half_is_read_or_answered(portal, product):
    with CaptureQueriesContext(connection) as queries:
        portal("get-product-public-key", product_id=product.pk)
    found = next(query["sql"] for query in queries if "licenses_signingkey" in query["sql"])
    assert "private_key_locked" not in found
    assert "PRIVATE" not in portal.http.content.decode()
