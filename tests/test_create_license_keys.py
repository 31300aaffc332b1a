"""create-license-keys: texts that exist elsewhere, or one drawn for each license that an SDK asks for."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError
from django.utils import timezone

from licenses.models import AuditEvent, LicenseKey, Owner
from licenses.services import license_key_batches
from licenses.services.products import create_product
from tests.factories import ACTOR, GeneratorFactory, LicenseKeyFactory, ProductFactory

pytestmark = pytest.mark.django_db
PATH = "create-license-keys"
NOT_A_LIST = 'This must be a JSON array, in a form as one text: ["AAAA-1111", "BBBB-2222"].'


@pytest.fixture
def product():
    return create_product(name="Own key", actor=ACTOR)


def create(portal, product, *texts, **params):
    return portal(PATH, license_keys=json.dumps(texts), product_id=product.pk, **params)


def stored(text="A-1"):
    return LicenseKey.objects.select_related("owner").get(license_key=text)


def incorrect(answer):
    assert list(answer) == ["code", "message", "errors", "timestamp"]
    assert (answer["code"], answer["message"]) == (901, "Incorrect data found")
    return answer["errors"]


# From texts


def test_it_answers_as_documented(portal, product):
    LicenseKeyFactory(license_key="9cc2cc83-4c74-49f9-98f5-f0e1c1eb1541")
    answer = portal(
        PATH,
        license_keys='["3a343c8a-444444","3a343c8a-2222222","3a343c8a-333333", "9cc2cc83-4c74-49f9-98f5-f0e1c1eb1541"]',
        product_id=str(product.pk),
        owner_name="Test User",
        owner_email="domain@email.ltdc",
        activation_limit="0",
        validity="0",
        status="available",
        assigned_at="2024-01-08 00:00:00",
    )
    assert list(answer) == ["code", "message", "created", "duplicate", "timestamp"]
    assert (answer["code"], answer["message"]) == (900, "License keys creation result")
    assert (answer["created"], answer["duplicate"]) == (3, 1)
    assert type(answer["created"]) is type(answer["duplicate"]) is int
    assert (portal.label, portal.http.status_code) == ("product", 200)
    created = product.license_keys.all()
    assert {(row.status, row.owner, row.assigned_at, row.activation_limit) for row in created} == {
        ("available", None, None, 0)
    }
    assert not Owner.objects.exists(), "an available license key has no owner"


def test_it_assigns_with_the_date_that_is_given(portal, product):
    owner = {"owner_name": "Test User", "owner_email": "Test@domain.ltd"}
    terms = {"activation_limit": 3, "validity": 365, "status": "assigned", "assigned_at": "2024-01-08 21:17:32"}
    assert create(portal, product, "A-1", "A-2", **owner, **terms)["created"] == 2
    found = stored()
    assert (found.status, found.owner.name, found.owner.email) == ("assigned", "Test User", "Test@domain.ltd")
    assert found.assigned_at == datetime(2024, 1, 8, 21, 17, 32, tzinfo=UTC)
    assert found.expires_at == found.assigned_at + timedelta(days=365)
    assert (found.activation_limit, found.validity_days) == (3, 365)
    assert stored("A-2").owner == found.owner


def test_it_assigns_now_when_no_date_is_given(portal, product):
    before = timezone.now()
    create(portal, product, "A-1", owner_email="test@domain.ltd", validity=1, status="assigned")
    assert before <= stored().assigned_at <= timezone.now()
    assert stored().expires_at == stored().assigned_at + timedelta(days=1)


@pytest.mark.parametrize("params", [{}, {"owner_name": "Somebody"}, {"owner_email": "Not set"}])
def test_an_assigned_license_key_always_has_an_owner(portal, product, params):
    create(portal, product, "A-1", "A-2", status="assigned", **params)
    assert stored().owner == stored("A-2").owner == Owner.objects.get()
    assert stored().owner.email == ""


def test_a_known_owner_keeps_the_name(portal, product):
    create(portal, product, "A-1", status="assigned", owner_name="First", owner_email="a@domain.ltd")
    create(portal, product, "A-2", status="assigned", owner_name="Second", owner_email="A@DOMAIN.ltd")
    assert stored("A-2").owner == stored("A-1").owner
    assert Owner.objects.get().name == "First"


def test_reserved_has_no_owner(portal, product):
    create(portal, product, "A-1", status="reserved", owner_email="a@domain.ltd", assigned_at="2024-01-08 00:00:00")
    assert (stored().status, stored().owner, stored().assigned_at) == ("reserved", None, None)


@pytest.mark.parametrize(
    ("params", "owned"),
    [({}, False), ({"owner_email": "a@b.ltd"}, True), ({"assigned_at": "2024-01-08 00:00:00"}, True)],
)
def test_blocked_keeps_what_is_known_of_its_assignment(portal, product, params, owned):
    create(portal, product, "A-1", status="blocked", validity=30, **params)
    found = stored()
    assert found.status == "blocked"
    assert bool(found.owner) == bool(found.assigned_at) == bool(found.expires_at) == owned


def test_without_terms_it_is_available_for_one_activation_and_never_expires(portal, product):
    assert create(portal, product, "A-1", activation_limit="", validity="", status="")["code"] == 900
    assert (stored().status, stored().activation_limit, stored().validity_days) == ("available", 1, 0)


def test_naming_an_owner_without_a_status_assigns(portal, product):
    create(portal, product, "A-1", owner_email="a@domain.ltd")
    assert stored().status == "assigned"


def test_minus_one_is_unlimited_too(portal, product):
    create(portal, product, "A-1", activation_limit="-1")
    assert stored().activation_limit == 0


def test_it_reads_the_names_that_sdks_send(portal, product):
    sent = {"license_keys": ["A-1"], "product_uuid": str(product.uuid), "validity_days": 7, "status": "assigned"}
    assert portal.json(PATH, sent | {"customer_email": "a@domain.ltd", "customer_name": "A"})["code"] == 900
    assert (stored().validity_days, stored().owner.email, stored().owner.name) == (7, "a@domain.ltd", "A")


def test_it_counts_texts_that_stand_there_twice(portal, product):
    answer = create(portal, product, "A-1", " A-1 ", "A-2", "a-1")
    assert (answer["created"], answer["duplicate"]) == (3, 1), "white space around a text counts for nothing, case does"


def test_numbers_are_taken_as_texts(portal, product):
    assert portal.json(PATH, {"license_keys": [12345], "product_id": product.pk})["code"] == 900
    assert stored("12345")


def test_902_when_all_are_known(portal, product):
    create(portal, product, "A-1")
    answer = create(portal, product, "A-1", "A-1", status="assigned", owner_email="new@domain.ltd")
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (902, "No license keys created", "product")
    assert stored().status == "available"
    assert not Owner.objects.exists()


def test_a_known_license_key_stays_as_it_is(portal, product):
    other = LicenseKeyFactory(license_key="A-1", activation_limit=7)
    answer = create(portal, product, "A-1", "A-2", activation_limit=1)
    assert (answer["created"], answer["duplicate"]) == (1, 1)
    found = stored()
    assert (found.product, found.activation_limit) == (other.product, 7)


def test_it_leaves_an_audit_row_each(portal, product):
    create(portal, product, "SECRET-TEXT-1234567", status="assigned", owner_email="a@domain.ltd")
    create(portal, product, "A-2", status="reserved")
    events = AuditEvent.objects.filter(object_type="licensekey").order_by("pk")
    assert [event.kind for event in events] == ["license_key.created", "license_key.assigned", "license_key.created"]
    assert {event.door for event in events} == {"api"}
    assert events[1].after["owner"] == Owner.objects.get().pk
    assert events[2].after == {"product": "Own key", "status": "reserved"}
    assert "SECRET-TEXT-1234567" not in str(list(events.values()))


def test_an_idempotency_key_makes_the_second_call_the_first(portal, product):
    sent = {"license_keys": ["A-1"], "product_id": product.pk, "assigned_at": "2024-01-08 00:00:00"}
    first = portal.json(PATH, sent, **{"Idempotency-Key": "once"})
    assert portal.json(PATH, sent, **{"Idempotency-Key": "once"}) == first
    assert first["created"] == 1


def test_an_inactive_product_may_get_stock(portal):
    assert create(portal, ProductFactory(status="inactive"), "A-1")["code"] == 900


def test_a_thousand_take_few_statements(portal, product, django_assert_max_num_queries):
    texts = [f"K-{number}" for number in range(1000)]
    with django_assert_max_num_queries(80):  # SQLite takes a thousand values in one
        assert create(portal, product, *texts, status="assigned", owner_email="a@b.ltd")["created"] == 1000


# What is wrong


@pytest.mark.parametrize("license_keys", [None, "", "null"])
def test_it_requires_license_keys(portal, product, license_keys):
    errors = incorrect(portal.json(PATH, {"license_keys": license_keys, "product_id": product.pk}))
    assert list(errors) == ["license_keys"]
    assert portal.label == "global"


@pytest.mark.parametrize(("name", "says"), [("license_keys[]", "is required"), ("license_keys", "must be")])
def test_a_repeated_parameter_is_answered_with_the_form_it_must_have(portal, client, product, name, says):
    sent = {"api_key": portal.api_key, "product_id": product.pk, name: ["A-1", "A-2"]}
    [error] = incorrect(portal.read(client.post(f"/api/v1/{PATH}", sent)))["license_keys"]
    assert says in error and error.endswith('a JSON array, in a form as one text: ["AAAA-1111", "BBBB-2222"].')
    assert not LicenseKey.objects.exists()


@pytest.mark.parametrize(
    ("license_keys", "problem"),
    [
        ("KEY-1", NOT_A_LIST),
        ('{"a": 1}', NOT_A_LIST),
        ({"a": 1}, NOT_A_LIST),
        (True, NOT_A_LIST),
        ("[" * 10_000, NOT_A_LIST),
        ("[" + "1" * 10_000 + "]", NOT_A_LIST),
        ([], "This must hold at least one item."),
        (["A"] * 1001, "This must hold at most 1,000 items."),
        (["A", ""], "Item 2: A license key is not empty."),
        (["A", "  "], "Item 2: A license key is not empty."),
        (["A", None], "Item 2: A license key is not empty."),
        (["A", ["B"]], "Item 2: This must be a text."),
        (["A", {"b": 1}], "Item 2: This must be a text."),
        (["A", True], "Item 2: This must be a text."),
        (["A", "x" * 256], "Item 2: Ensure this field has no more than 255 characters."),
        (["A\nB"], "Item 1: Control characters are not allowed."),
        (["A\x00"], "Item 1: Control characters are not allowed."),
        (["\ud800"], "Item 1: Surrogate characters are not allowed: U+D800."),
    ],
)
def test_it_says_what_is_wrong_with_the_license_keys(portal, product, license_keys, problem):
    answer = portal.json(PATH, {"license_keys": license_keys, "product_id": product.pk})
    assert incorrect(answer)["license_keys"][0] == problem
    assert not LicenseKey.objects.exists()


def test_it_names_the_first_ten_bad_items(portal, product):
    errors = incorrect(portal.json(PATH, {"license_keys": [""] * 500, "product_id": product.pk}))
    assert len(errors["license_keys"]) == 10


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("product_id", ""),
        ("product_id", "999999"),
        ("activation_limit", "-2"),
        ("activation_limit", "many"),
        ("activation_limit", 2**31),
        ("validity", "-1"),
        ("validity", 36_526),
        ("status", "expired"),
        ("assigned_at", "yesterday"),
        ("assigned_at", "2024-02-30 00:00:00"),
        ("assigned_at", "1969-12-31 23:59:59"),
        ("assigned_at", "3000-01-01 00:00:00"),
        ("assigned_at", "9999-12-31T23:59:59-12:00"),
        ("assigned_at", 1704672000),
        ("owner_email", "x" * 255),
        ("owner_name", "a\x00b"),
    ],
)
def test_901_names_the_parameter(portal, product, name, value):
    sent = {"license_keys": ["A-1"], "product_id": product.pk, "status": "assigned"}
    errors = incorrect(portal.json(PATH, sent | {name: value}))
    assert list(errors) == [name]
    assert type(errors[name]) is list
    assert not LicenseKey.objects.exists()


def test_a_deleted_product_is_none(portal):
    assert list(incorrect(create(portal, ProductFactory(status="deleted"), "A-1"))) == ["product_id"]


def test_the_latest_date_still_has_an_expiry(portal, product):
    answer = create(portal, product, "A-1", status="assigned", assigned_at="2999-12-31 23:59:59", validity=36_525)
    assert answer["code"] == 900
    assert stored().expires_at.year == 3100


# Licenses, as SDKs send them


def licenses(portal, *items, **params):
    return portal.json(PATH, {"licenses": items, **params})


def test_it_makes_a_license_key_for_each_license(portal, product):
    items = [
        {
            "product_uuid": str(product.uuid),
            "customer_email": "a@domain.ltd",
            "customer_name": "A",
            "validity_days": 30,
        },
        {"product_id": product.pk, "activation_limit": 5},
    ]
    answer = licenses(portal, *items)
    assert list(answer) == ["code", "message", "created", "duplicate", "timestamp"]
    assert (answer["code"], answer["created"], answer["duplicate"], portal.label) == (900, 2, 0, "product")
    first, second = product.license_keys.order_by("status")[::-1], product.license_keys.get(owner=None)
    assert (first[1].owner.email, first[1].validity_days, first[1].status) == ("a@domain.ltd", 30, "assigned")
    assert (second.status, second.activation_limit) == ("available", 5)


def test_licenses_come_as_text_in_a_form_too(portal, product):
    assert portal(PATH, licenses=json.dumps([{"product_id": product.pk}]))["created"] == 1


def test_the_products_generator_makes_them_on_its_terms(portal, product):
    GeneratorFactory(product=product, is_active=False, prefix="OLD-")
    GeneratorFactory(product=product, prefix="GEN-", activation_limit=9, validity_days=90)
    named = GeneratorFactory(product=product, prefix="NAMED-")
    licenses(
        portal, {"product_id": product.pk}, {"product_id": product.pk, "generator_id": named.pk, "validity_days": 1}
    )
    first, second = product.license_keys.order_by("license_key")
    assert (first.license_key[:4], first.activation_limit, first.validity_days) == ("GEN-", 9, 90)
    assert (second.license_key[:6], second.activation_limit, second.validity_days) == ("NAMED-", 1, 1)


def test_what_is_said_beside_them_holds_for_all(portal, product):
    licenses(portal, {}, {"validity_days": 5}, product_id=product.pk, validity=30, activation_limit=2)
    terms = product.license_keys.order_by("validity_days").values_list("validity_days", "activation_limit")
    assert list(terms) == [(5, 2), (30, 2)]


def test_an_item_may_bring_its_text(portal, product):
    LicenseKeyFactory(license_key="A-1")
    answer = licenses(portal, {"license_key": "A-1"}, {"license_key": "A-2"}, product_id=product.pk)
    assert (answer["created"], answer["duplicate"]) == (1, 1)


def test_customers_without_an_address_are_different_people(portal, product):
    licenses(portal, {"customer_name": "Jo"}, {"customer_name": "Jo"}, product_id=product.pk)
    assert product.license_keys.values("owner").distinct().count() == 2


def test_of_several_products_the_global_key_signs(portal, product):
    answer = licenses(portal, {"product_id": product.pk}, {"product_id": ProductFactory().pk})
    assert (answer["code"], portal.label) == (900, "global")


@pytest.mark.parametrize(
    ("items", "problem"),
    [
        ([{}], "Item 1: There is no such product."),
        ([{"product_id": 1, "activation_limit": "x"}], "Item 1: activation_limit: This must be a whole number."),
        (["text"], "Item 1: This must be a JSON object."),
        ([None], "Item 1: This field may not be null."),
        ([[]], "Item 1: This must be a JSON object."),
        ("x", 'This must be a JSON array, in a form as one text: [{"product_id": 1}].'),
    ],
)
def test_it_says_what_is_wrong_with_a_license(portal, product, items, problem):
    answer = portal.json(PATH, {"licenses": items})
    assert incorrect(answer)["licenses"][0].endswith(problem)
    assert not LicenseKey.objects.exists()


@pytest.mark.parametrize("generator_id", ["999", "x", "-1"])
def test_an_unknown_generator_is_named(portal, product, generator_id):
    answer = licenses(portal, {"generator_id": generator_id}, product_id=product.pk)
    assert "generator" in incorrect(answer)["licenses"][0]


def test_a_generator_of_another_product_is_none(portal, product):
    answer = licenses(portal, {"generator_uuid": GeneratorFactory().pk}, product_id=product.pk)
    assert "generator" in incorrect(answer)["licenses"][0]


def test_a_generator_that_is_used_up_says_so(portal, product):
    GeneratorFactory(product=product, method="chunk-system", charset="AB", number_of_chunks=1, chunk_length=1)
    answer = licenses(portal, {}, {}, {}, product_id=product.pk)
    assert "license keys could be made" in incorrect(answer)["licenses"][0]
    assert not LicenseKey.objects.exists()


# At the same time


def test_who_comes_second_counts_duplicates(portal, product, monkeypatch):
    """Another call stores one of the texts between the look and the insert: the constraint decides."""
    store, calls = license_key_batches.store_new, []

    def late(keys, *, actor):
        calls.append(len(keys))
        if len(calls) == 1:
            raise IntegrityError
        return store(keys, actor=actor)

    def known_meanwhile(rows):
        if calls and not LicenseKey.objects.exists():
            LicenseKeyFactory(license_key="A-1")
        return rows

    monkeypatch.setattr(license_key_batches, "store_new", late)
    monkeypatch.setattr(license_key_batches, "_with_texts", known_meanwhile)
    answer = create(portal, product, "A-1", "A-2", status="assigned", owner_email="a@domain.ltd")
    assert (answer["code"], answer["created"], answer["duplicate"]) == (900, 1, 1)
    assert Owner.objects.filter(email="a@domain.ltd").count() == 1
