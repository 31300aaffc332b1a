"""delete-license-key: gone for good, in any state; the audit keeps what it was."""

import pytest

from licenses.models import Activation, AssignmentRow, AuditEvent, LicenseKey, LicenseKeyMetadata
from licenses.services.assignments import assign_batch, begin_assignment
from licenses.services.license_keys import destroy_many
from licenses.services.products import create_product
from licenses.services.rows import RequestedRow
from tests.factories import ACTOR, ActivationFactory, ContractFactory, LicenseKeyFactory, ProductFactory

pytestmark = pytest.mark.django_db
PATH = "delete-license-key"


def test_it_answers_as_documented(portal):
    key = LicenseKeyFactory(product=create_product(name="Own key", actor=ACTOR))
    answer = portal(PATH, license_key=key.license_key)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (850, "License key deleted", "product")
    assert not LicenseKey.objects.exists()


@pytest.mark.parametrize("options", [{}, {"assigned": True}, {"status": "reserved"}, {"status": "blocked"}])
def test_it_deletes_in_any_state(portal, options):
    assert portal(PATH, entitlement_key=LicenseKeyFactory(**options).license_key)["code"] == 850
    assert not LicenseKey.objects.exists()


@pytest.mark.parametrize("params", [{"license_key": "unknown"}, {"license_key": ""}, {"license_key": "\x00"}, {}])
def test_851_for_an_unknown_license_key(portal, params):
    answer = portal.json(PATH, params)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"], portal.label) == (851, "License key not found", "global")


def test_it_deletes_once(portal):
    key = LicenseKeyFactory()
    assert [portal(PATH, license_key=key.license_key)["code"] for _ in range(2)] == [850, 851]


def test_an_idempotency_key_makes_the_second_call_the_first(portal):
    sent = {"license_key": LicenseKeyFactory().license_key}
    first = portal.json(PATH, sent, **{"Idempotency-Key": "once"})
    assert portal.json(PATH, sent, **{"Idempotency-Key": "once"}) == first


def test_the_text_can_be_used_again(portal):
    key = LicenseKeyFactory(license_key="AGAIN-1")
    portal(PATH, license_key="AGAIN-1")
    assert portal("create-license-keys", license_keys='["AGAIN-1"]', product_id=key.product_id)["code"] == 900
    assert LicenseKey.objects.get().pk != key.pk


def test_the_audit_keeps_what_it_was(portal):
    contract = ContractFactory()
    key = LicenseKeyFactory(
        expired=True, product=contract.product, contract=contract, reference="order 7", features={"export": True}
    )
    ActivationFactory(license_key=key, identifier="a.example")
    ActivationFactory(license_key=key, identifier="b.example", deactivated_at=key.assigned_at)
    LicenseKeyMetadata.objects.create(license_key=key, name="seat", value="12")
    portal(PATH, license_key=key.license_key)
    assert not Activation.objects.exists()
    assert not LicenseKeyMetadata.objects.exists()
    event = AuditEvent.objects.get(kind="license_key.deleted")
    assert (event.object_id, event.door, event.after) == (key.pk, "api", {})
    assert event.before == {
        "product": contract.product.name,
        "status": "assigned",
        "activation_limit": 1,
        "validity_days": 30,
        "assigned_at": key.assigned_at.isoformat(),
        "expires_at": key.expires_at.isoformat(),
        "reference": "order 7",
        "features": {"export": True},
        "owner": key.owner_id,
        "owner_email": key.owner.email,
        "contract": contract.pk,
        "activations": ["b.example", "a.example"],
        "metadata": {"seat": "12"},
    }
    assert key.license_key not in str(list(AuditEvent.objects.values()))


def test_the_audit_keeps_a_hundred_of_each(portal):
    key = LicenseKeyFactory(assigned=True, activation_limit=0)
    ActivationFactory.create_batch(101, license_key=key)
    LicenseKeyMetadata.objects.bulk_create(
        LicenseKeyMetadata(license_key=key, name=f"n{number}", value="x") for number in range(101)
    )
    portal(PATH, license_key=key.license_key)
    before = AuditEvent.objects.get(kind="license_key.deleted").before
    assert (len(before["activations"]), len(before["metadata"])) == (100, 100)


def test_many_take_as_few_statements_as_one(django_assert_max_num_queries):
    product = ProductFactory()
    keys = LicenseKeyFactory.create_batch(30, product=product, assigned=True)
    for key in keys:
        ActivationFactory(license_key=key)
    with django_assert_max_num_queries(20):
        destroy_many(keys, actor=ACTOR)
    assert not LicenseKey.objects.exists()
    assert AuditEvent.objects.filter(kind="license_key.deleted").count() == 30


def test_a_bulk_assignment_that_goes_on_takes_the_row_as_done(portal):
    """Its license key was deleted since; the owner must not get another one."""
    product = ProductFactory()
    LicenseKeyFactory.create_batch(3, product=product)
    assignment = begin_assignment(digest="x", source="orders.csv", rows_total=2)
    named = LicenseKeyFactory(license_key="NAMED-1", product=product)
    rows = [RequestedRow(2, owner_email="a@domain.ltd"), RequestedRow(3, "NAMED-1", owner_email="b@domain.ltd")]
    work = {"rows": rows, "product": product, "assignment": assignment, "actor": ACTOR}
    first, _ = assign_batch(**work)
    for text in (first.license_key, named.license_key):
        assert portal(PATH, license_key=text)["code"] == 850
    assert [(done.outcome, done.license_key) for done in assign_batch(**work)] == [
        ("assigned", ""),
        ("assigned", "NAMED-1"),
    ]
    assert LicenseKey.objects.filter(status="available").count() == 2
    assert set(AssignmentRow.objects.values_list("outcome", "license_key")) == {("assigned", None)}


def test_the_admin_shows_a_bulk_assignment_without_it(staff, portal):
    key = LicenseKeyFactory()
    assignment = begin_assignment(digest="x", source="orders.csv", rows_total=1)
    rows = [RequestedRow(2, key.license_key, owner_email="a@domain.ltd")]
    assign_batch(rows=rows, assignment=assignment, actor=ACTOR)
    portal(PATH, license_key=key.license_key)
    assert staff.get(f"/admin/licenses/assignment/{assignment.pk}/change/").status_code == 200
    assert staff.get("/admin/licenses/assignmentrow/").status_code == 200
