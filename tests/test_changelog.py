"""get-product-changelog, and the public changelog of a product."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from licenses.services.products import create_product
from tests.factories import ACTOR, ProductFactory, ReleaseFactory, api_key_text

pytestmark = pytest.mark.django_db


@pytest.fixture
def product(db):
    return ProductFactory(name="Photo Editor", slug="photo-editor", changelog_enabled=True)


@pytest.fixture
def own(portal, product):
    """With an API key."""
    return lambda **params: portal("get-product-changelog", **({"product_id": product.pk} | params))


@pytest.fixture
def public(portal):
    """Without one."""
    return lambda slug="photo-editor": portal.read(portal.client.get(f"/api/v1/products/{slug}/changelog"))


def test_both_tell_the_same(product, own, public, portal):
    ReleaseFactory(
        product=product,
        version="1.0.2",
        released_at=datetime(2024, 2, 27, tzinfo=UTC),
        changelog="Minor\nbug fixes <b>",
        update_summary="Bugfixes",
    )
    for answer in (own(), public()):
        assert list(answer) == ["code", "message", "entries", "product", "timestamp"]
        assert (answer["code"], answer["message"]) == (1600, "Changelog retrieved successfully")
        assert (portal.label, portal.http.status_code) == ("global", 200)
        entry = {
            "version": "1.0.2",
            "release_date": "2024-02-27 00:00:00",
            "changelog": "Minor\nbug fixes <b>",
            "update_summary": "Bugfixes",
        }
        assert [list(one.items()) for one in answer["entries"]] == [list(entry.items())]
        assert answer["product"] == {"uuid": str(product.uuid), "name": "Photo Editor", "slug": "photo-editor"}
        assert list(answer["product"]) == ["uuid", "name", "slug"]


def test_it_has_the_newest_fifty_published_releases(product, own):
    now = timezone.now()
    for number in range(55):
        ReleaseFactory(product=product, version=str(number), released_at=now - timedelta(days=number))
    ReleaseFactory(product=product, version="draft", is_published=False)
    ReleaseFactory(version="of another product")
    assert [entry["version"] for entry in own()["entries"]] == [str(number) for number in range(50)]


def test_a_product_without_releases_has_an_empty_one(product, public):
    assert public()["entries"] == []


def test_a_product_has_three_names(product, own, public):
    for name in (product.pk, str(product.uuid), "photo-editor"):
        assert public(name)["code"] == own(product_id=name)["code"] == 1600
    assert own(product_id="", product_slug="photo-editor")["code"] == 1602, "the canonical name wins"


def test_it_does_not_say_whether_there_is_such_a_product(product, own, public, portal):
    ProductFactory(slug="quiet")
    deleted = ProductFactory(slug="deleted", changelog_enabled=True, status="deleted")
    answers = [public(slug) for slug in ("quiet", "deleted", "unknown", "9" * 30, "%00", "%ff", "a" * 300, "é")]
    answers += [own(product_id=name) for name in ("quiet", deleted.pk, "unknown", "", "9" * 30)]
    codes = {answer["code"] for answer in answers}
    assert codes <= {1602, 162}, "162: what cannot be a slug at all"
    refused = [answer for answer in answers if answer["code"] == 1602]
    assert len(refused) >= 10
    assert {answer["message"] for answer in refused} == {"Changelog not enabled for this product"}
    assert {tuple(answer) for answer in refused} == {("code", "message", "timestamp")}
    assert portal.label == "global"


def test_the_portal_may_show_none_at_all(product, own, public, settings):
    settings.CHANGELOG = False
    for answer in (own(), own(product_id="unknown"), public(), public("unknown")):
        assert (answer["code"], answer["message"]) == (1601, "Changelog feature is disabled globally")


def test_a_product_with_a_key_of_its_own_answers_with_the_global_one(portal, public):
    create_product(name="Own key", slug="own-key", changelog_enabled=True, actor=ACTOR)
    assert public("own-key")["code"] == 1600
    assert portal.label == "global"


def test_the_path_names_the_product_and_nothing_else_does(portal, product):
    other = ProductFactory(slug="other")
    for query in ({"slug": "other"}, {"product_id": other.pk}, {"product_id": "other"}):
        answer = portal.read(portal.client.get("/api/v1/products/photo-editor/changelog", query))
        assert answer["product"]["slug"] == "photo-editor"


def test_they_are_gets(portal, product):
    for path in ("get-product-changelog", "products/photo-editor/changelog"):
        assert portal.read(portal.client.post(f"/api/v1/{path}", {"api_key": portal.api_key}))["code"] == 165


def test_reading_it_is_a_right_of_its_own(client, portal, product):
    portal.api_key = api_key_text("verify")
    assert portal("get-product-changelog", product_id=product.pk)["code"] == 102


def test_sdks_get_it_in_their_form(client, portal, product):
    create_product(name="Own key", slug="own-key", changelog_enabled=True, actor=ACTOR)
    text = api_key_text("get-product-changelog", profile="sdk")
    sealed = client.get("/v1/get-product-changelog", {"api_key": text, "product_slug": "own-key"}).json()
    assert (sealed["code"], sealed["success"], sealed["private_key_used"]) == (1600, True, "product")
