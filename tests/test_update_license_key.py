"""update-license-key: what a shop's program changes of a license key in one call."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from licenses.models import AuditEvent, LicenseKey, Owner
from licenses.services.products import create_product
from tests.factories import ACTOR, ActivationFactory, ContractFactory, LicenseKeyFactory, OwnerFactory, ProductFactory

pytestmark = pytest.mark.django_db
PATH = "update-license-key"
ASSIGNED_AT = datetime(2024, 1, 8, 21, 17, 32, 829115, tzinfo=UTC)


@pytest.fixture
def key():
    """Assigned, for a year, active at two places of three."""
    found = LicenseKeyFactory(
        assigned=True,
        product=create_product(name="Own key", actor=ACTOR),
        owner=OwnerFactory(name="Test User", email="test@domain.ltd"),
        activation_limit=3,
        validity_days=365,
        assigned_at=ASSIGNED_AT,
        expires_at=ASSIGNED_AT + timedelta(days=365),
    )
    ActivationFactory.create_batch(2, license_key=found)
    return found


def update(portal, found, **params):
    return portal(PATH, license_key=found.license_key, **params)


def row(found):
    return LicenseKey.objects.select_related("owner").get(pk=found.pk)


def facts(found):
    return LicenseKey.objects.filter(pk=found.pk).values().get()


def events(found):
    return list(AuditEvent.objects.filter(object_type="licensekey", object_id=found.pk).order_by("pk"))


def incorrect(answer):
    assert list(answer) == ["code", "message", "errors", "timestamp"]
    assert (answer["code"], answer["message"]) == (951, "Incorrect data found")
    return answer["errors"]


def test_it_answers_as_documented(portal, key):
    answer = portal(
        PATH,
        license_key=key.license_key,
        product_id=str(key.product_id),
        owner_name="Test Userx",
        owner_email="email@domain.ltd",
        activation_limit="0",
        validity="0",
        status="assigned",
        assigned_at="2024-01-08 21:17:32",
    )
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (950, "License keys updated")
    assert (portal.label, portal.http.status_code) == ("product", 200)
    found = row(key)
    assert (found.owner.name, found.owner.email) == ("Test Userx", "email@domain.ltd")
    assert (found.activation_limit, found.validity_days, found.expires_at) == (0, 0, None)
    assert found.assigned_at == ASSIGNED_AT, "the same second is the same moment"
    assert found.activations.live().count() == 2


def test_nothing_to_change_writes_nothing(portal, key):
    before = facts(key)
    assert update(portal, key)["code"] == 950
    assert update(portal, key, status="assigned", activation_limit="3", validity="365", owner_email="")["code"] == 950
    same = {"owner_email": "TEST@domain.ltd", "owner_name": "Test User", "product_id": key.product_id}
    assert update(portal, key, **same, assigned_at="2024-01-08 21:17:32")["code"] == 950
    assert facts(key) == before
    assert not events(key)


@pytest.mark.parametrize("params", [{"license_key": "unknown"}, {"license_key": ""}, {"license_key": "\x00"}, {}])
def test_952_for_an_unknown_license_key(portal, params):
    answer = portal.json(PATH, params | {"status": "blocked"})
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (952, "License key not found", "global")


def test_one_audit_row_says_what_changed(portal, key):
    update(portal, key, activation_limit=5)
    (event,) = events(key)
    assert (event.kind, event.door) == ("license_key.updated", "api")
    assert (event.before, event.after) == ({"activation_limit": 3}, {"activation_limit": 5})


def test_sdks_send_other_names(portal, key):
    sent = {"license_key": key.license_key, "validity_days": 730, "customer_email": "new@domain.ltd", "metadata": {}}
    assert portal.json(PATH, sent)["code"] == 950
    found = row(key)
    assert (found.validity_days, found.owner.email) == (730, "new@domain.ltd")


# Status


@pytest.mark.parametrize("status", ["available", "reserved"])
def test_it_is_taken_back(portal, key, status):
    answer = update(portal, key, status=status, owner_email="other@domain.ltd", assigned_at="2024-01-01 00:00:00")
    assert answer["code"] == 950
    found = row(key)
    assert (found.status, found.owner, found.assigned_at, found.expires_at) == (status, None, None, None)
    assert not found.activations.live().exists()
    assert found.activations.count() == 2
    assert not Owner.objects.filter(email="other@domain.ltd").exists()
    assert [event.kind for event in events(key)] == ["license_key.updated", *["activation.deactivated"] * 2]
    assert events(key)[0].before["owner"] == key.owner_id


@pytest.mark.statement("S4")
def test_it_is_blocked_and_runs_nowhere(portal, key):
    assert update(portal, key, status="blocked")["code"] == 950
    found = row(key)
    assert (found.status, found.owner, found.expires_at) == ("blocked", key.owner, key.expires_at)
    assert not found.activations.live().exists()
    assert [event.kind for event in events(key)] == ["license_key.blocked", *["activation.deactivated"] * 2]
    assert update(portal, key, status="blocked")["code"] == 950
    assert len(events(key)) == 3


def test_it_is_unblocked_to_the_owner_it_had(portal, key):
    update(portal, key, status="blocked")
    assert update(portal, key, status="assigned")["code"] == 950
    found = row(key)
    assert (found.status, found.owner, found.assigned_at) == ("assigned", key.owner, ASSIGNED_AT)
    assert events(key)[-1].kind == "license_key.unblocked"


@pytest.mark.parametrize("status", ["available", "reserved", "blocked"])
def test_it_is_assigned_from_any_status(portal, status):
    key = LicenseKeyFactory(status=status, validity_days=30)
    before = timezone.now()
    assert update(portal, key, status="assigned", owner_name="New", owner_email="new@domain.ltd")["code"] == 950
    found = row(key)
    assert (found.status, found.owner.name, found.owner.email) == ("assigned", "New", "new@domain.ltd")
    assert before <= found.assigned_at <= timezone.now()
    assert found.expires_at == found.assigned_at + timedelta(days=30)
    kind = "license_key.unblocked" if status == "blocked" else "license_key.assigned"
    assert [event.kind for event in events(key)] == [kind]
    assert events(key)[0].after["owner"] == found.owner_id


def test_assigned_without_an_owner_gets_one_of_its_own(portal):
    key = LicenseKeyFactory()
    assert update(portal, key, status="assigned")["code"] == 950
    assert row(key).owner == Owner.objects.get()


@pytest.mark.parametrize("status", ["available", "reserved"])
def test_it_is_blocked_without_an_owner(portal, status):
    key = LicenseKeyFactory(status=status)
    assert update(portal, key, status="blocked", validity=10)["code"] == 950
    found = row(key)
    assert (found.status, found.owner, found.assigned_at, found.expires_at) == ("blocked", None, None, None)


def test_a_blocked_one_may_get_an_owner(portal):
    key = LicenseKeyFactory(status="blocked")
    assert update(portal, key, owner_email="a@domain.ltd", assigned_at="2024-01-08 00:00:00", validity=1)["code"] == 950
    found = row(key)
    assert (found.status, found.owner.email) == ("blocked", "a@domain.ltd")
    assert found.expires_at == datetime(2024, 1, 9, tzinfo=UTC)


@pytest.mark.parametrize(
    ("name", "value"), [("owner_name", "A"), ("owner_email", "a@b.ltd"), ("assigned_at", "2024-01-08 00:00:00")]
)
@pytest.mark.parametrize("status", ["available", "reserved"])
def test_what_nobody_owns_gets_no_owner_without_a_status(portal, status, name, value):
    key = LicenseKeyFactory(status=status)
    errors = incorrect(update(portal, key, **{name: value}))
    assert list(errors) == [name]
    assert "Send the status assigned" in errors[name][0]
    assert not Owner.objects.exists()


# Owner


def test_an_address_gives_it_to_another_owner(portal, key):
    other = OwnerFactory(name="Known", email="other@domain.ltd")
    assert update(portal, key, owner_email="OTHER@domain.ltd")["code"] == 950
    assert row(key).owner == other
    assert row(key).activations.live().count() == 2, "it changes hands, not places"
    assert (events(key)[0].before, events(key)[0].after) == ({"owner": key.owner_id}, {"owner": other.pk})


def test_a_name_renames_the_owner(portal, key):
    assert update(portal, key, owner_name="Test Userx")["code"] == 950
    assert row(key).owner == key.owner
    assert row(key).owner.name == "Test Userx"
    event = AuditEvent.objects.get(kind="owner.updated")
    assert (event.before, event.after) == ({"name": "Test User"}, {"name": "Test Userx"})


def test_a_text_that_is_no_address_leaves_the_owner(portal, key):
    assert update(portal, key, owner_email="Not set")["code"] == 950
    assert row(key).owner == key.owner
    assert (row(key).owner.name, row(key).owner.email) == ("Test User", "test@domain.ltd")


# Dates and terms


def test_the_expiry_follows_the_validity(portal, key):
    update(portal, key, validity=10)
    assert row(key).expires_at == ASSIGNED_AT + timedelta(days=10)
    update(portal, key, validity=0)
    assert row(key).expires_at is None


def test_the_expiry_follows_the_assignment(portal, key):
    update(portal, key, assigned_at="2025-06-01 12:00:00")
    assert row(key).assigned_at == datetime(2025, 6, 1, 12, tzinfo=UTC)
    assert row(key).expires_at == datetime(2026, 6, 1, 12, tzinfo=UTC)


def test_an_expiry_that_staff_moved_stays(portal, key):
    moved = datetime(2040, 1, 1, tzinfo=UTC)
    LicenseKey.objects.update(expires_at=moved)
    update(portal, key, activation_limit=9, validity=365, assigned_at="2024-01-08 21:17:32", status="assigned")
    assert row(key).expires_at == moved


def test_a_date_as_rows_carry_it_is_read(portal, key):
    update(portal, key, assigned_at="2025-06-01T12:00:00.000000Z")
    assert row(key).assigned_at == datetime(2025, 6, 1, 12, tzinfo=UTC)


def test_stock_has_a_validity_and_no_expiry(portal):
    key = LicenseKeyFactory()
    update(portal, key, validity=10)
    assert (row(key).validity_days, row(key).expires_at) == (10, None)


def test_the_limit_goes_down_to_what_is_live_and_no_further(portal, key):
    assert update(portal, key, activation_limit=2)["code"] == 950
    errors = incorrect(update(portal, key, activation_limit=1, owner_email="new@domain.ltd", status="assigned"))
    assert errors == {"activation_limit": ["2 activations are live. Deactivate 1 of them first."]}
    assert row(key).activation_limit == 2
    assert not Owner.objects.filter(email="new@domain.ltd").exists(), "all of it or nothing"


def test_a_limit_fits_when_the_same_call_ends_the_activations(portal, key):
    assert update(portal, key, activation_limit=1, status="available")["code"] == 950


@pytest.mark.parametrize("limit", ["0", "-1"])
def test_no_limit(portal, key, limit):
    update(portal, key, activation_limit=limit)
    assert row(key).activation_limit == 0


def test_it_moves_to_another_product(portal, key):
    other = ProductFactory()
    assert update(portal, key, product_id=other.uuid)["code"] == 950
    assert row(key).product == other
    assert events(key)[0].before == {"product": "Own key"}


def test_a_license_key_of_a_contract_stays_with_its_product(portal):
    contract = ContractFactory()
    key = LicenseKeyFactory(product=contract.product, contract=contract)
    assert update(portal, key, product_id=contract.product_id)["code"] == 950
    assert list(incorrect(update(portal, key, product_id=ProductFactory().pk))) == ["product_id"]


def test_it_sets_features(portal, key):
    sent = {"license_key": key.license_key, "features": {"export": True, "seats": 5}}
    assert portal.json(PATH, sent)["code"] == 950
    assert row(key).features == {"export": True, "seats": 5}
    assert update(portal, key, features='{"export": false}')["code"] == 950
    assert row(key).features == {"export": False}
    assert update(portal, key)["code"] == 950
    assert row(key).features == {"export": False}, "what is not sent stays"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("product_id", "999999"),
        ("product_id", "no-such-slug"),
        ("activation_limit", "-2"),
        ("activation_limit", 1.5),
        ("validity", 36_526),
        ("status", "expired"),
        ("status", ["blocked"]),
        ("assigned_at", "soon"),
        ("assigned_at", "0001-01-01 00:00:00"),
        ("owner_email", "x" * 255),
        ("owner_name", "\ud800"),
        ("features", ["export"]),
        ("features", {"export": {"deep": 1}}),
        ("features", {"export": "a\x00b"}),
        ("features", {"\ud800": 1}),
        ("features", {"seats": 10**400}),
        ("features", "{"),
    ],
)
def test_951_names_the_parameter_and_changes_nothing(portal, key, name, value):
    before = facts(key)
    errors = incorrect(portal.json(PATH, {"license_key": key.license_key, "status": "blocked", name: value}))
    assert list(errors) == [name]
    assert type(errors[name]) is list
    assert portal.label == "global"
    assert facts(key) == before


def test_an_idempotency_key_makes_the_second_call_the_first(portal, key):
    sent = {"license_key": key.license_key, "status": "blocked"}
    first = portal.json(PATH, sent, **{"Idempotency-Key": "once"})
    update(portal, key, status="assigned")
    assert portal.json(PATH, sent, **{"Idempotency-Key": "once"}) == first
    assert row(key).status == "assigned"


def test_extra_parameters_change_nothing(portal, key):
    before = facts(key)
    update(portal, key, id=1, expires_at="2040-01-01 00:00:00", reference="x", contract_id=1, owner_id=1, owner=1)
    assert facts(key) == before
