"""What staff do to license keys in the admin: the verbs of the other doors, and nothing without permission."""

import json
import re
from datetime import timedelta

import pytest
from django.contrib.messages import get_messages
from django.urls import reverse
from django.utils import timezone

from licenses.models import Activation, AuditEvent, LicenseKey, Owner
from tests.factories import ActivationFactory, ContractFactory, LicenseKeyFactory, OwnerFactory, ProductFactory

pytestmark = pytest.mark.django_db
LIST = "/admin/licenses/licensekey/"
INPUT = {
    "assign": {"owner_email": "ada@example.com", "owner_name": "Ada", "reference": "order 7"},
    "extend": {"days": "10"},
}


def do(client, verb, *rows, confirmed=True, url=LIST, **extra):
    data = {"action": verb, "_selected_action": [row.pk for row in rows], **INPUT.get(verb, {}), **extra}
    return client.post(url, data | ({"confirmed": "1"} if confirmed else {}))


def said(answer):
    return [str(message) for message in get_messages(answer.wsgi_request)]


def snapshot():
    """Every row that an action could change."""
    return [
        list(LicenseKey.objects.order_by("pk").values()),
        list(Activation.objects.order_by("pk").values()),
        list(Owner.objects.order_by("pk").values()),
        AuditEvent.objects.count(),
    ]


@pytest.fixture
def one_of_each():
    """An available, an assigned and active, an expired and a blocked license key."""
    assigned = LicenseKeyFactory(assigned=True, expires_at=timezone.now() + timedelta(days=5))
    ActivationFactory.create_batch(2, license_key=assigned)
    return [LicenseKeyFactory(), assigned, LicenseKeyFactory(expired=True), LicenseKeyFactory(status="blocked")]


# Verbs


def test_it_assigns(staff):
    first, second = LicenseKeyFactory(validity_days=30), LicenseKeyFactory()
    answer = do(staff, "assign", first, second)
    first.refresh_from_db()
    assert (first.status, first.owner.email, first.reference) == ("assigned", "ada@example.com", "order 7")
    assert first.expires_at > timezone.now() + timedelta(days=29)
    assert said(answer) == ["2 license keys were assigned."]


def test_it_names_the_license_key_that_cannot_be_assigned_and_why(staff):
    free, taken = LicenseKeyFactory(), LicenseKeyFactory(assigned=True)
    answer = do(staff, "assign", free, taken)
    assert said(answer) == [
        "1 license key was assigned.",
        f"1 license key was refused. {taken}: Invalid or already assigned license key.",
    ]


def test_it_asks_again_for_an_owner_without_an_address(staff):
    license_key = LicenseKeyFactory()
    answer = do(staff, "assign", license_key, owner_email="not set")
    assert "Enter a valid email address." in answer.content.decode()
    license_key.refresh_from_db()
    assert license_key.status == "available"


def test_it_blocks_and_ends_activations(staff, one_of_each):
    answer = do(staff, "block", *one_of_each)
    assert set(LicenseKey.objects.values_list("status", flat=True)) == {"blocked"}
    assert not Activation.objects.live().exists()
    assert said(answer) == [
        "3 license keys were blocked.",
        f"1 license key was left as before, blocked already: {one_of_each[3]}.",
    ]


def test_it_says_how_many_activations_a_block_ends_before_it_blocks(staff, one_of_each):
    before = snapshot()
    source = do(staff, "block", *one_of_each, confirmed=False).content.decode()
    assert "4 license keys" in source
    assert "2 active activations end now." in source
    assert snapshot() == before


def test_it_unblocks(staff):
    owned = LicenseKeyFactory(assigned=True, status="blocked")
    free = LicenseKeyFactory(status="blocked")
    do(staff, "unblock", owned, free)
    owned.refresh_from_db()
    free.refresh_from_db()
    assert (owned.status, free.status) == ("assigned", "available")


def test_it_extends(staff):
    expires_at = timezone.now() + timedelta(days=5)
    license_key, endless = LicenseKeyFactory(assigned=True, expires_at=expires_at), LicenseKeyFactory(assigned=True)
    answer = do(staff, "extend", license_key, endless)
    license_key.refresh_from_db()
    assert license_key.expires_at == expires_at + timedelta(days=10)
    assert said(answer)[1] == f"1 license key was left as before, without an expiry: {endless}."


@pytest.mark.parametrize("days", ["0", "-5", "99999999999", "ten", ""])
def test_it_asks_again_for_days_that_are_none(staff, days):
    license_key = LicenseKeyFactory(expired=True)
    answer = do(staff, "extend", license_key, days=days)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()


def test_it_deactivates_all(staff, one_of_each):
    do(staff, "deactivate_all", *one_of_each)
    assert not Activation.objects.live().exists()
    assert LicenseKey.objects.filter(status="assigned").count() == 2


def test_it_returns_to_the_license_key_whose_button_was_pressed(staff):
    license_key = LicenseKeyFactory()
    page = f"{LIST}{license_key.pk}/change/"
    source = staff.get(page).content.decode()
    offered = re.findall(r'<button type="submit" name="action" value="(\w+)"', source)
    assert offered == ["extend", "make_reserved", "block"]
    assert 'name="action" value="assign"' in source, "beside the sentence that says what is missing"
    asked = do(staff, "block", license_key, confirmed=False, from_object="1")
    assert 'name="from_object"' in asked.content.decode()
    assert do(staff, "block", license_key, from_object="1").headers["Location"] == page
    assert do(staff, "unblock", license_key).headers["Location"] == LIST


def test_it_records_who_did_it_through_which_door(staff):
    license_key = LicenseKeyFactory()
    do(staff, "block", license_key)
    event = AuditEvent.objects.get(kind="license_key.blocked")
    assert (event.door, event.actor, event.address) == ("admin", "root", "127.0.0.1")
    history = staff.get(f"{LIST}{license_key.pk}/history/").content.decode()
    assert re.search(r"License key blocked.*available.*→.*blocked.*root · Admin · 127.0.0.1", history, re.DOTALL)


def test_it_does_not_more_than_it_can_at_once(staff, monkeypatch):
    monkeypatch.setattr("licenses.admin.verbs.AT_ONCE", 4)
    rows = LicenseKeyFactory.create_batch(5, product=ProductFactory())
    answer = do(staff, "block", *rows)
    assert said(answer) == [
        "More than 4 license keys are selected, which is the most at once. Narrow the list first, with a filter at the "
        "side, or a search, and do it in parts. Nothing was changed."
    ]
    assert not LicenseKey.objects.filter(status="blocked").exists()


@pytest.mark.parametrize("selected", [["abc"], ["9" * 40], ["\0"], ["-1"]])
def test_it_survives_a_selection_that_is_none(staff, selected):
    answer = staff.post(LIST, {"action": "block", "_selected_action": selected, "confirmed": "1"})
    assert answer.status_code == 302


# Search and filters


@pytest.mark.parametrize(
    "text",
    ["AURORA-1", "aurora-1", "ada@ex", "ADA@EXAMPLE.COM", "Ada Lo", "ada lo", "shop.example", "order-1", " ada@ex "],
)
def test_it_finds_a_license_key_by(staff, text):
    owner = OwnerFactory(name="Ada Lovelace", email="Ada@example.com")
    wanted = LicenseKeyFactory(license_key="AURORA-1234", assigned=True, owner=owner, reference="order-17")
    ActivationFactory(license_key=wanted, identifier="shop.example.com")
    ActivationFactory(identifier="other.example.com")
    rows = staff.get(LIST, {"q": text}).context["cl"].result_list
    assert [row.pk for row in rows] == [wanted.pk]


@pytest.mark.parametrize("text", ["100%", "a_b", "%", "_", "\\"])
def test_it_takes_wildcards_as_letters(staff, text):
    LicenseKeyFactory(license_key="100 per cent")
    assert staff.get(LIST, {"q": text}).context["cl"].result_count == 0
    wanted = LicenseKeyFactory(license_key=f"{text}-key")
    assert [row.pk for row in staff.get(LIST, {"q": text}).context["cl"].result_list] == [wanted.pk]


def test_it_says_when_there_are_more_matches_than_it_shows(staff):
    LicenseKey.objects.bulk_create(
        [LicenseKey(product=ProductFactory(), license_key=f"MANY-{number}") for number in range(501)]
    )
    answer = staff.get(LIST, {"q": "MANY"})
    assert "more matches than these" in answer.content.decode()
    assert answer.context["cl"].result_count == 500


def test_it_filters_by_expiry(staff):
    now = timezone.now()
    soon, later, expired = (
        LicenseKeyFactory(assigned=True, expires_at=now + timedelta(days=days)) for days in (3, 20, -1)
    )
    LicenseKeyFactory(assigned=True)
    found = {
        choice: [row.pk for row in staff.get(LIST, {"expiry": choice}).context["cl"].result_list]
        for choice in ("7", "30", "expired")
    }
    assert found == {"7": [soon.pk], "30": [soon.pk, later.pk], "expired": [expired.pk]}


# Adding, editing, deleting


def test_it_generates_a_license_key(staff):
    product = ProductFactory()
    answer = staff.post(LIST + "add/", {"product": product.pk, "activation_limit": "2", "validity_days": "30"})
    assert answer.status_code == 302
    created = LicenseKey.objects.get()
    assert re.fullmatch(r"([0-9A-HJKMNP-TV-Z]{5}-){4}[0-9A-HJKMNP-TV-Z]{5}", created.license_key)
    assert (created.status, created.activation_limit, created.validity_days) == ("available", 2, 30)
    assert AuditEvent.objects.get().kind == "license_key.created"


@pytest.mark.statement("S19")
def test_it_generates_license_keys_of_at_least_120_random_bits():
    from licenses.services.stock import ALPHABET, GROUP_LENGTH, GROUPS, generate_text

    assert len(set(ALPHABET)) ** (GROUPS * GROUP_LENGTH) >= 2**120
    assert len({generate_text() for _ in range(1000)}) == 1000


def test_it_takes_the_text_of_a_license_key_as_it_is(staff):
    data = {"product": ProductFactory().pk, "license_key": "OWN-1", "activation_limit": "0", "validity_days": "0"}
    assert staff.post(LIST + "add/", data).status_code == 302
    again = staff.post(LIST + "add/", data)
    assert "already exists" in again.content.decode()
    assert LicenseKey.objects.get().license_key == "OWN-1"


def form_of(license_key, **changes):
    """What the page of a license key posts, with `changes`."""
    expires_at = license_key.expires_at
    return {
        "activation_limit": license_key.activation_limit,
        "validity_days": license_key.validity_days,
        "expires_at_0": expires_at.strftime("%Y-%m-%d") if expires_at else "",
        "expires_at_1": expires_at.strftime("%H:%M:%S") if expires_at else "",
        "reference": license_key.reference,
        "features": json.dumps(license_key.features),
        "metadata-TOTAL_FORMS": "0",
        "metadata-INITIAL_FORMS": "0",
    } | changes


def edit(client, license_key, **changes):
    return client.post(f"{LIST}{license_key.pk}/change/", form_of(license_key, **changes))


def test_it_edits_through_the_service(staff):
    license_key = LicenseKeyFactory(assigned=True)
    edit(staff, license_key, activation_limit="5", reference="order 8", expires_at_0="2031-01-31", expires_at_1="12:00")
    license_key.refresh_from_db()
    assert (license_key.activation_limit, license_key.reference) == (5, "order 8")
    assert license_key.expires_at.year == 2031
    event = AuditEvent.objects.get(kind="license_key.updated")
    assert event.before == {"activation_limit": 1, "reference": "", "expires_at": None}
    assert event.after["activation_limit"] == 5


def test_it_edits_features_through_the_service(staff):
    license_key = LicenseKeyFactory(features={"export": False})
    assert edit(staff, license_key, features='{"export": true, "seats": 5}').status_code == 302
    license_key.refresh_from_db()
    assert license_key.features == {"export": True, "seats": 5}
    event = AuditEvent.objects.get(kind="license_key.updated")
    assert (event.before, event.after) == (
        {"features": {"export": False}},
        {"features": {"export": True, "seats": 5}},
    )
    assert edit(staff, license_key).status_code == 302
    assert AuditEvent.objects.count() == 1, "the same features are no change"
    history = staff.get(f"{LIST}{license_key.pk}/history/")
    assert history.status_code == 200
    assert "seats" in history.content.decode()


@pytest.mark.parametrize("features", ["export", "[1]", '{"export": {"deep": 1}}', '{"a": "\\u0000"}', "{" * 5000])
def test_it_shows_what_is_wrong_with_features(staff, features):
    license_key = LicenseKeyFactory()
    answer = edit(staff, license_key, features=features)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()
    license_key.refresh_from_db()
    assert license_key.features == {}


def test_it_adds_a_license_key_with_features(staff):
    data = {"product": ProductFactory().pk, "activation_limit": "1", "validity_days": "0", "features": '{"seats": 2}'}
    assert staff.post(LIST + "add/", data).status_code == 302
    assert LicenseKey.objects.get().features == {"seats": 2}


def test_it_shows_the_contract(staff):
    contract = ContractFactory(name="Reseller North")
    license_key = LicenseKeyFactory(product=contract.product, contract=contract)
    source = staff.get(f"{LIST}{license_key.pk}/change/").content.decode()
    assert f'<a href="/admin/licenses/contract/{contract.pk}/change/">Reseller North</a>' in source


def test_it_shows_the_history_of_a_license_key_that_a_program_destroyed(staff):
    from licenses.services.license_keys import destroy_license_key
    from tests.factories import ACTOR

    license_key = LicenseKeyFactory(assigned=True)
    ActivationFactory(license_key=license_key, identifier="shop.example.com")
    destroy_license_key(license_key=license_key.license_key, actor=ACTOR)
    source = staff.get("/admin/licenses/auditevent/").content.decode()
    assert "License key deleted" in source


def test_it_leaves_what_changes_through_actions(staff):
    license_key = LicenseKeyFactory()
    crafted = {"status": "assigned", "owner": OwnerFactory().pk, "license_key": "OTHER", "product": "1", "text": "X"}
    staff.post(f"{LIST}{license_key.pk}/change/", form_of(license_key) | crafted)
    after = LicenseKey.objects.get(pk=license_key.pk)
    assert (after.status, after.owner, after.license_key) == ("available", None, license_key.license_key)
    assert not AuditEvent.objects.exists()


def test_it_shows_the_limit_that_does_not_fit_as_an_error_of_its_field(staff):
    license_key = LicenseKeyFactory(assigned=True, activation_limit=3)
    ActivationFactory.create_batch(3, license_key=license_key)
    answer = edit(staff, license_key, activation_limit="1")
    assert answer.status_code == 200
    assert "3 activations are live. Deactivate 2 of them first." in answer.content.decode()


def test_it_says_so_when_somebody_else_was_faster(staff, monkeypatch):
    """The form was fine when it was checked; the service, which locks, sees one more activation."""
    license_key = LicenseKeyFactory(assigned=True, activation_limit=3)
    ActivationFactory.create_batch(3, license_key=license_key)
    monkeypatch.setattr("licenses.admin.license_keys.require_limit_fits", lambda found, limit: None)
    answer = edit(staff, license_key, activation_limit="1")
    assert answer.headers["Location"] == f"{LIST}{license_key.pk}/change/"
    assert said(answer) == [
        "Nothing was saved. 3 activations are live. Deactivate 2 of them first. Look at it again.",
    ]
    license_key.refresh_from_db()
    assert license_key.activation_limit == 3


@pytest.mark.parametrize(
    "changes",
    [
        {"activation_limit": "-1"},
        {"activation_limit": "9" * 30},
        {"validity_days": "99999999"},
        {"expires_at_0": "soon"},
        {"reference": "x" * 256},
        {"reference": "\0"},
    ],
)
def test_it_shows_what_is_wrong_with_a_value(staff, changes):
    answer = edit(staff, LicenseKeyFactory(assigned=True), **changes)
    assert answer.status_code == 200
    assert "errorlist" in answer.content.decode()


def test_it_edits_metadata_with_an_audit_row_each(staff):
    license_key = LicenseKeyFactory(assigned=True)
    old, gone = license_key.metadata.create(name="old", value="1"), license_key.metadata.create(name="gone", value="1")
    rows = {
        "metadata-TOTAL_FORMS": "3",
        "metadata-INITIAL_FORMS": "2",
        **{"metadata-0-id": old.pk, "metadata-0-name": "old", "metadata-0-value": "2"},
        **{"metadata-1-id": gone.pk, "metadata-1-name": "gone", "metadata-1-value": "1", "metadata-1-DELETE": "on"},
        **{"metadata-2-name": "new", "metadata-2-value": "3"},
    }
    rows |= {f"metadata-{number}-license_key": license_key.pk for number in range(3)}
    assert edit(staff, license_key, **rows).status_code == 302
    assert dict(license_key.metadata.values_list("name", "value")) == {"old": "2", "new": "3"}
    events = AuditEvent.objects.filter(object_type="licensekey", object_id=license_key.pk).order_by("pk")
    assert [(event.kind, event.before, event.after) for event in events] == [
        ("metadata.deleted", {"gone": "1"}, {}),
        ("metadata.updated", {"old": "1"}, {"old": "2"}),
        ("metadata.created", {}, {"new": "3"}),
    ]


def test_it_edits_metadata_that_newer_rows_pushed_off_the_page(staff):
    license_key = LicenseKeyFactory(assigned=True)
    rows = [license_key.metadata.create(name=f"name {number}", value="1") for number in range(25)]
    posted = {
        "metadata-TOTAL_FORMS": "1",
        "metadata-INITIAL_FORMS": "1",
        "metadata-0-id": rows[0].pk,
        "metadata-0-license_key": license_key.pk,
        "metadata-0-name": "name 0",
        "metadata-0-value": "2",
    }
    assert edit(staff, license_key, **posted).status_code == 302
    rows[0].refresh_from_db()
    assert rows[0].value == "2"


def test_it_deletes_a_license_key_nobody_had(staff):
    license_key = LicenseKeyFactory()
    assert staff.post(f"{LIST}{license_key.pk}/delete/", {"post": "yes"}).status_code == 302
    assert not LicenseKey.objects.exists()
    assert AuditEvent.objects.get().kind == "license_key.deleted"


def test_it_keeps_a_license_key_with_a_history(staff):
    used = LicenseKeyFactory()
    ActivationFactory(license_key=used, deactivated_at=timezone.now())
    for license_key in (used, LicenseKeyFactory(assigned=True), LicenseKeyFactory(status="blocked")):
        assert staff.post(f"{LIST}{license_key.pk}/delete/", {"post": "yes"}).status_code == 403
    assert LicenseKey.objects.count() == 3


def test_it_leaves_django_no_way_to_delete_in_bulk(staff, one_of_each):
    do(staff, "delete_selected", *one_of_each, post="yes")
    assert LicenseKey.objects.count() == 4


def test_it_offers_products_by_autocomplete_not_by_a_list(staff):
    ProductFactory(name="Aurora Editor")
    source = staff.get(LIST + "add/").content.decode()
    assert "Aurora Editor" not in source
    data = {"app_label": "licenses", "model_name": "licensekey", "field_name": "product", "term": "auro"}
    found = staff.get(reverse("admin:autocomplete"), data).json()
    assert [row["text"] for row in found["results"]] == ["Aurora Editor"]
