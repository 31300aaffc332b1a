"""Products and owners in the admin."""

import pytest

from licenses.models import AuditEvent, Owner, Product, SigningKey
from licenses.services.signing_keys import create_signing_key
from tests.factories import ACTOR, LicenseKeyFactory, OwnerFactory, ProductFactory

pytestmark = pytest.mark.django_db
PRODUCTS, OWNERS = "/admin/licenses/product/", "/admin/licenses/owner/"


def product_form(**changes):
    return {
        "name": "Aurora Editor",
        "description": "",
        "status": "active",
        "source": "internal",
        "external_reference": "",
        "require_non_expired": "on",
        "post_url": "",
        "metadata-TOTAL_FORMS": "0",
        "metadata-INITIAL_FORMS": "0",
    } | changes


@pytest.mark.parametrize("own", [True, False])
def test_it_creates_a_product_with_or_without_a_signing_key_of_its_own(staff, own):
    form = product_form(**({"own_signing_key": "on"} if own else {}))
    assert staff.post(PRODUCTS + "add/", form).status_code == 302
    product = Product.objects.get()
    assert product.signing_keys.count() == own
    assert AuditEvent.objects.filter(kind="product.created", object_id=product.pk, door="admin").exists()


@pytest.mark.parametrize("default", [True, False])
def test_it_offers_a_signing_key_as_the_settings_say(staff, settings, default):
    settings.PRODUCT_SIGNING_KEYS = default
    form = staff.get(PRODUCTS + "add/").context["adminform"].form
    assert form.fields["own_signing_key"].initial is default


def test_it_edits_a_product_and_its_metadata(staff):
    product = ProductFactory(name="Aurora", description="")
    rows = {"metadata-TOTAL_FORMS": "1", "metadata-0-name": "colour", "metadata-0-value": "blue"}
    rows |= {"metadata-0-product": product.pk}
    assert staff.post(f"{PRODUCTS}{product.pk}/change/", product_form(**rows)).status_code == 302
    events = AuditEvent.objects.filter(object_type="product", object_id=product.pk).order_by("pk")
    assert [(event.kind, event.before, event.after) for event in events] == [
        ("product.updated", {"name": "Aurora"}, {"name": "Aurora Editor"}),
        ("metadata.created", {}, {"colour": "blue"}),
    ]


def test_it_refuses_a_second_metadata_row_of_the_same_name(staff):
    product = ProductFactory()
    product.metadata.create(name="colour", value="blue")
    rows = {"metadata-TOTAL_FORMS": "1", "metadata-0-name": "colour", "metadata-0-value": "red"}
    answer = staff.post(f"{PRODUCTS}{product.pk}/change/", product_form(**rows, **{"metadata-0-product": product.pk}))
    assert answer.status_code == 200
    assert "This product has metadata of this name already." in answer.content.decode()


def test_it_makes_products_inactive_and_active(staff):
    product = ProductFactory()
    for verb, status in (("deactivate_product", "inactive"), ("activate_product", "active")):
        staff.post(PRODUCTS, {"action": verb, "_selected_action": product.pk, "confirmed": "1"})
        product.refresh_from_db()
        assert product.status == status
    assert AuditEvent.objects.filter(kind="product.updated").count() == 2


def test_it_deletes_only_a_product_nothing_hangs_on(staff):
    free, sold, signing = ProductFactory.create_batch(3)
    LicenseKeyFactory(product=sold)
    create_signing_key(product=signing, actor=ACTOR)
    answers = [staff.post(f"{PRODUCTS}{row.pk}/delete/", {"post": "yes"}).status_code for row in (free, sold, signing)]
    assert answers == [302, 403, 403]
    assert set(Product.objects.all()) == {sold, signing}
    assert SigningKey.objects.exists()
    assert AuditEvent.objects.filter(kind="product.deleted").count() == 1


def test_it_counts_license_keys_and_links_to_them(staff):
    product = ProductFactory()
    LicenseKeyFactory.create_batch(2, product=product)
    LicenseKeyFactory(product=product, assigned=True)
    source = staff.get(PRODUCTS).content.decode()
    assert f'<a href="/admin/licenses/licensekey/?product={product.pk}">3</a>' in source
    assert f'<a href="/admin/licenses/licensekey/?product={product.pk}&amp;status__exact=available">2</a>' in source


def owner_form(**changes):
    return {"name": "Ada", "email": "ada@example.com"} | changes


def test_it_adds_and_edits_an_owner(staff):
    assert staff.post(OWNERS + "add/", owner_form()).status_code == 302
    owner = Owner.objects.get()
    assert staff.post(f"{OWNERS}{owner.pk}/change/", owner_form(name="Ada L.")).status_code == 302
    assert list(AuditEvent.objects.order_by("pk").values_list("kind", "before", "after")) == [
        ("owner.created", {}, {"name": "Ada", "email": "ada@example.com"}),
        ("owner.updated", {"name": "Ada"}, {"name": "Ada L."}),
    ]


def test_it_refuses_a_second_owner_with_the_same_address(staff):
    OwnerFactory(email="ADA@example.com")
    answer = staff.post(OWNERS + "add/", owner_form())
    assert "There is an owner with this e-mail address already." in answer.content.decode()


def test_it_refuses_a_text_that_is_no_address_but_keeps_one_a_shop_sent(staff):
    assert "valid email" in staff.post(OWNERS + "add/", owner_form(email="Not set")).content.decode()
    owner = OwnerFactory(email="Not set@")
    assert staff.post(f"{OWNERS}{owner.pk}/change/", owner_form(email="Not set@")).status_code == 302


def test_it_shows_an_owners_license_keys(staff):
    license_key = LicenseKeyFactory(assigned=True)
    source = staff.get(f"{OWNERS}{license_key.owner.pk}/change/").content.decode()
    assert f'<a href="/admin/licenses/licensekey/{license_key.pk}/change/">{license_key}</a>' in source
    assert staff.post(f"{OWNERS}{license_key.owner.pk}/delete/", {"post": "yes"}).status_code == 403


def test_it_undoes_everything_when_the_database_refuses_a_row_in_the_end(staff, monkeypatch):
    """Two people add the same address at once: the form of the second was fine when it was checked."""
    OwnerFactory(email="ada@example.com")
    monkeypatch.setattr(Owner, "validate_constraints", lambda self, exclude=None: None)
    answer = staff.post(OWNERS + "add/", owner_form())
    assert answer.status_code == 302
    assert Owner.objects.count() == 1
