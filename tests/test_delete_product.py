"""delete-product: 550 and 551. Nothing is removed; programs no longer see the product."""

import pytest

from licenses.models import AuditEvent, LicenseKey, Product
from licenses.services.products import create_product, delete_product, set_product_status
from tests.factories import ACTOR, ActivationFactory, ProductFactory

pytestmark = pytest.mark.django_db


def test_it_hides_a_product_and_keeps_its_rows(portal):
    product = create_product(name="Own key", actor=ACTOR)
    product.metadata.create(name="a", value="b")
    activation = ActivationFactory(license_key__product=product)
    answer = portal("delete-product", product_id=str(product.pk))
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (550, "Product deleted", "global")
    product.refresh_from_db()
    assert product.status == "deleted"
    assert (LicenseKey.objects.count(), product.metadata.count(), product.signing_keys.count()) == (1, 1, 1)
    event = AuditEvent.objects.get(kind="product.deleted")
    assert (event.object_id, event.before, event.after) == (product.pk, {"status": "active"}, {"status": "deleted"})
    sent = {"license_key": activation.license_key.license_key, "identifier": activation.identifier}
    for endpoint in ("verify", "activate", "get-license-key-details"):
        assert portal(endpoint, **sent)["code"] == 203


@pytest.mark.parametrize("unknown", ["", "0", "999999", "9" * 30, "nothing", "6f9619ff-8b86-4d01-b42d-00cf4fc964ff"])
def test_an_unknown_product_is_551(portal, unknown):
    ProductFactory()
    answer = portal("delete-product", product_id=unknown)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (551, "Product not found", "global")
    assert Product.objects.offered().count() == 1


def test_a_product_is_deleted_once(portal):
    product = ProductFactory(slug="editor")
    for names in ({"product_id": product.pk}, {"product_uuid": product.uuid}, {"slug": "editor"}):
        codes = [portal("delete-product", **names)["code"] for _ in range(2)]
        assert codes == [550, 551]
        Product.objects.update(status="inactive")
    assert AuditEvent.objects.filter(kind="product.deleted").count() == 3


def test_of_two_calls_at_once_one_deletes(portal, monkeypatch):
    product = ProductFactory()
    stale = Product.objects.get()
    assert delete_product(product=product, actor=ACTOR)
    monkeypatch.setattr("licenses.api.products.find_product", lambda text, **options: stale)
    assert portal("delete-product", product_id=product.pk)["code"] == 551


def test_staff_make_it_active_again(portal):
    product = ProductFactory()
    activation = ActivationFactory(license_key__product=product)
    sent = {"license_key": activation.license_key.license_key, "identifier": activation.identifier}
    portal("delete-product", product_id=product.pk)
    assert not set_product_status(product=product, status="inactive", actor=ACTOR)
    assert portal("verify", **sent)["code"] == 203
    assert set_product_status(product=product, status="active", actor=ACTOR)
    assert portal("verify", **sent)["code"] == 200
    assert portal("delete-product", product_id=product.pk)["code"] == 550
