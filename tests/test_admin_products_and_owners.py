"""Products and owners in the admin."""

import pytest
from django.contrib.auth.models import Permission

from licenses.models import AuditEvent, Owner, Product
from tests.factories import (
    ContractFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    OwnerFactory,
    ProductFactory,
    ReleaseFactory,
)

pytestmark = pytest.mark.django_db
PRODUCTS, OWNERS = "/admin/licenses/product/", "/admin/licenses/owner/"


def product_form(**changes):
    return {
        "name": "Aurora Editor",
        "slug": "",
        "description": "",
        "status": "active",
        "features": "",
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


def test_it_deletes_a_product_and_takes_it_back(staff):
    product = ProductFactory()
    LicenseKeyFactory.create_batch(2, product=product, assigned=True)
    form = {"action": "delete_product", "_selected_action": product.pk}
    question = staff.post(PRODUCTS, form).content.decode()
    assert "2 assigned license keys stop working." in question
    assert "Nothing is erased" in question
    for verb, status in (
        ("delete_product", "deleted"),
        ("deactivate_product", "deleted"),
        ("activate_product", "active"),
    ):
        staff.post(PRODUCTS, form | {"action": verb, "confirmed": "1"})
        product.refresh_from_db()
        assert product.status == status
    kinds = AuditEvent.objects.filter(object_type="product").order_by("pk").values_list("kind", "before", "after")
    assert list(kinds) == [
        ("product.deleted", {"status": "active"}, {"status": "deleted"}),
        ("product.updated", {"status": "deleted"}, {"status": "active"}),
    ]


def test_a_products_page_offers_what_can_be_done_to_it(staff):
    product = ProductFactory()
    offered = {
        "active": ["deactivate_product", "delete_product"],
        "inactive": ["activate_product", "delete_product"],
        "deleted": ["activate_product"],
    }
    for status, names in offered.items():
        Product.objects.update(status=status)
        answer = staff.get(f"{PRODUCTS}{product.pk}/change/")
        assert [verb.name for verb in answer.context["verbs"]] == names
        assert f">{status.capitalize()}</span>" in answer.content.decode()


def test_no_row_of_a_product_is_ever_erased(staff):
    product = ProductFactory()
    assert staff.post(f"{PRODUCTS}{product.pk}/delete/", {"post": "yes"}).status_code == 403
    assert "deletelink" not in staff.get(f"{PRODUCTS}{product.pk}/change/").content.decode()
    assert Product.objects.get() == product


@pytest.mark.statement("S12")
def test_deleting_needs_the_permission_to_delete(client, django_user_model):
    user = django_user_model.objects.create_user("clerk", password="x", is_staff=True)
    may = Permission.objects.filter(codename__in=("view_product", "change_product"))
    user.user_permissions.set(may)
    client.force_login(user)
    product = ProductFactory()
    form = {"action": "delete_product", "_selected_action": product.pk, "confirmed": "1"}
    client.post(PRODUCTS, form)
    assert Product.objects.get().status == "active"
    user.user_permissions.add(Permission.objects.get(codename="delete_product"))
    client.post(PRODUCTS, form)
    assert Product.objects.get().status == "deleted"


def test_a_form_neither_deletes_a_product_nor_takes_it_back(staff):
    product = ProductFactory(status="deleted")
    address = f"{PRODUCTS}{product.pk}/change/"
    assert staff.post(address, product_form(name="New", status="active")).status_code == 302
    product.refresh_from_db()
    assert (product.name, product.status) == ("New", "deleted")
    assert "Select a valid choice" in staff.post(PRODUCTS + "add/", product_form(status="deleted")).content.decode()
    assert Product.objects.count() == 1


def test_it_lists_and_filters_deleted_products(staff):
    ProductFactory(name="Gone for good", status="deleted")
    ProductFactory(name="Still here")
    assert '<span class="badge badge-bad">Deleted</span>' in staff.get(PRODUCTS).content.decode()
    source = staff.get(PRODUCTS, {"status__exact": "deleted"}).content.decode()
    assert "Gone for good" in source and "Still here" not in source


def test_pickers_offer_no_deleted_products(staff):
    ProductFactory(name="Editor one", status="deleted")
    found = ProductFactory(name="Editor two", slug="editor-two", status="inactive")
    query = {"app_label": "licenses", "model_name": "licensekey", "field_name": "product", "term": "editor"}
    results = staff.get("/admin/autocomplete/", query).json()["results"]
    assert [row["id"] for row in results] == [str(found.pk)]


def test_it_edits_slug_features_and_changelog(staff):
    form = product_form(slug="aurora", features='{"export": true, "seats": 5}', changelog_enabled="on")
    assert staff.post(PRODUCTS + "add/", form).status_code == 302
    product = Product.objects.get()
    assert (product.slug, product.features, product.changelog_enabled) == (
        "aurora",
        {"export": True, "seats": 5},
        True,
    )
    address = f"{PRODUCTS}{product.pk}/change/"
    source = staff.get(address).content.decode()
    assert str(product.uuid) in source
    assert "&quot;seats&quot;: 5" in source
    recorded = AuditEvent.objects.count()
    same = {"features": '{"seats":5,\n"export":true}'}
    assert staff.post(address, form | same).status_code == 302
    assert AuditEvent.objects.count() == recorded
    for text, features in (('{"seats": true}', {"seats": True}), ("", {}), ("[]", {}), ("{}", {}), ("null", {})):
        assert staff.post(address, form | {"features": text}).status_code == 302
        product.refresh_from_db()
        assert product.features == features
    assert AuditEvent.objects.count() == recorded + 2


@pytest.mark.parametrize(
    "text",
    [
        "nonsense",
        "[1]",
        '""',
        "3",
        "false",
        "{'a': 1}",
        "[" * 100_000,
        '{"a":' * 900 + "1" + "}" * 900,
        '{"a": %s}' % ("9" * 5000),
        '{"a": NaN}',
        '{"a": 1e999}',
        '{"a": "b\\u0000"}',
        '{"\\ud800": 1}',
        '{"a": null}',
    ],
    ids=lambda text: text[:8],
)
def test_it_says_what_is_wrong_with_features_and_keeps_what_was_typed(staff, text):
    product = ProductFactory(features={"seats": 5})
    for address in (f"{PRODUCTS}{product.pk}/change/", PRODUCTS + "add/"):
        answer = staff.post(address, product_form(features=text))
        assert answer.status_code == 200
        form = answer.context["adminform"].form
        assert list(form.errors) == ["features"]
        assert form["features"].value() == text
    product.refresh_from_db()
    assert product.features == {"seats": 5}


def test_it_says_that_a_slug_is_taken_or_wrong(staff):
    ProductFactory(slug="aurora")
    for slug, problem in (("aurora", "There is a product with this slug already."), ("4711", "A slug is made of")):
        assert problem in staff.post(PRODUCTS + "add/", product_form(slug=slug)).content.decode()
    assert Product.objects.count() == 1


def test_it_counts_license_keys_and_links_to_them(staff):
    product = ProductFactory()
    LicenseKeyFactory.create_batch(2, product=product)
    LicenseKeyFactory(product=product, assigned=True)
    source = staff.get(PRODUCTS).content.decode()
    assert f'<a href="/admin/licenses/licensekey/?product={product.pk}">3</a>' in source
    assert f'<a href="/admin/licenses/licensekey/?product={product.pk}&amp;status__exact=available">2</a>' in source


def test_it_links_to_what_belongs_to_it(staff):
    release = ReleaseFactory()
    rows = {
        "generator/?product__id__exact": GeneratorFactory(product=release.product),
        "contract/?product": ContractFactory(product=release.product),
        "release/?product": release,
    }
    GeneratorFactory(), ContractFactory(), ReleaseFactory()
    source = staff.get(f"/admin/licenses/product/{release.product.pk}/change/").content.decode()
    for path, row in rows.items():
        url = f"/admin/licenses/{path}={release.product.pk}"
        assert f'href="{url}"' in source
        assert list(staff.get(url).context["cl"].result_list) == [row]


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
    assert f'<a href="/admin/licenses/licensekey/{license_key.pk}/change/" class="mono">{license_key}</a>' in source
    assert staff.post(f"{OWNERS}{license_key.owner.pk}/delete/", {"post": "yes"}).status_code == 403


def test_it_undoes_everything_when_the_database_refuses_a_row_in_the_end(staff, monkeypatch):
    """Two people add the same address at once: the form of the second was fine when it was checked."""
    OwnerFactory(email="ada@example.com")
    monkeypatch.setattr(Owner, "validate_constraints", lambda self, exclude=None: None)
    answer = staff.post(OWNERS + "add/", owner_form())
    assert answer.status_code == 302
    assert Owner.objects.count() == 1
