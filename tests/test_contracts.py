"""create-contract, update-contract, delete-contract and get-all-contracts: what the vendor does to contracts."""

import json

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection
from django.test.utils import CaptureQueriesContext

from licenses.models import ApiKey, AuditEvent, Contract, LicenseKey
from licenses.services import contracts as service
from tests.factories import (
    ActivationFactory,
    ContractFactory,
    LicenseKeyFactory,
    OwnerFactory,
    ProductFactory,
    api_key_text,
)
from tests.protocol import Portal

pytestmark = pytest.mark.django_db

TEXTS = {
    "contract_key": "Contract key is required and must be unique.",
    "contract_name": "Contract name is required.",
    "contract_information": "Contract information is required.",
    "product_id": "Product Id must be a valid product Id.",
    "license_keys_quantity": "License keys quantity must be 1 or more.",
    "status": "Status must be active or inactive",
    "can_get_info": "Can get info must be 1 for true or 0 for false",
    "can_generate": "Can generate must be 1 for true or 0 for false",
    "can_destroy": "Can destroy must be 1 for true or 0 for false",
    "can_destroy_all": "Can destroy all must be 1 for true or 0 for false",
}
CREATED = [
    "contract_key",
    "name",
    "information",
    "product_id",
    "license_keys_quantity",
    "status",
    "can_get_info",
    "can_generate",
    "can_destroy",
    "can_destroy_all",
    "updated_at",
    "created_at",
    "id",
    "license_keys_count",
]
LISTED = [
    "id",
    "name",
    "information",
    "contract_key",
    "license_keys_quantity",
    "product_id",
    "can_get_info",
    "can_generate",
    "can_destroy",
    "can_destroy_all",
    "status",
    "created_at",
    "updated_at",
    "license_keys_count",
]
FLAGS = LISTED[6:10]


@pytest.fixture
def product():
    return ProductFactory()


@pytest.fixture
def sent(product):
    return {
        "contract_key": "6dabe9fa-3512-49b4-beb5-7f837b510ec3-1234",
        "contract_name": "Test Contract",
        "contract_information": "Test information",
        "product_id": str(product.pk),
        "license_keys_quantity": "65",
        "status": "active",
        **dict.fromkeys(FLAGS, "1"),
    }


def summary(answer):
    return answer["code"], answer["message"]


# create-contract


def test_it_creates_and_echoes_what_a_form_sent(portal, sent, product):
    answer = portal("create-contract", **sent)
    assert list(answer) == ["code", "message", "contract", "timestamp"]
    assert (*summary(answer), portal.label, portal.http.status_code) == (841, "contract created", "global", 200)
    contract, row = answer["contract"], Contract.objects.get()
    assert list(contract) == CREATED
    assert {name: contract[name] for name in (*FLAGS, "product_id", "license_keys_quantity", "status")} == {
        name: sent[name] for name in (*FLAGS, "product_id", "license_keys_quantity", "status")
    }
    assert (contract["contract_key"], contract["name"]) == (sent["contract_key"], "Test Contract")
    assert contract["information"] == "Test information"
    assert (contract["id"], contract["license_keys_count"]) == (row.pk, 0)
    assert contract["created_at"] == contract["updated_at"] == row.created_at.strftime("%Y-%m-%dT%H:%M:%S.000000Z")
    assert (row.product, row.license_keys_quantity, row.is_active) == (product, 65, True)
    assert all(getattr(row, flag) for flag in FLAGS)
    assert row.created_by == ApiKey.objects.get()


def test_it_echoes_json_in_its_own_types(portal, sent, product):
    typed = {"product_id": product.pk, "license_keys_quantity": 65, **dict.fromkeys(FLAGS, 1), "can_destroy": False}
    contract = portal.json("create-contract", sent | typed)["contract"]
    assert {name: contract[name] for name in typed} == typed
    assert [type(contract[name]) for name in typed] == [type(value) for value in typed.values()]


def test_the_audit_tells_what_was_created_without_the_contract_key(portal, sent, product):
    portal("create-contract", **sent)
    event = AuditEvent.objects.get(kind="contract.created")
    assert (event.door, event.after["product"], event.after["license_keys_quantity"]) == ("api", product.pk, 65)
    assert sent["contract_key"] not in json.dumps([event.before, event.after, event.object_label])


def test_nothing_sent_names_all_ten_rules_in_the_documented_order(portal):
    answer = portal("create-contract")
    assert list(answer) == ["code", "message", "errors", "timestamp"]
    assert (*summary(answer), portal.label) == (825, "Incorrect data found", "global")
    assert list(answer["errors"].items()) == list(TEXTS.items())
    assert not Contract.objects.exists()
    assert not AuditEvent.objects.filter(object_type="contract").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("contract_key", ""),
        ("contract_key", "x" * 256),
        ("contract_key", "a\x00b"),
        ("contract_name", "  "),
        ("contract_name", "x" * 256),
        ("contract_name", ["a"]),
        ("contract_information", " \n "),
        ("contract_information", "x" * 65_536),
        ("contract_information", "\ud800"),
        ("product_id", ""),
        ("product_id", "0"),
        ("product_id", "999999"),
        ("product_id", "9" * 40),
        ("product_id", "no-such-slug"),
        ("product_id", {"a": 1}),
        ("license_keys_quantity", ""),
        ("license_keys_quantity", "0"),
        ("license_keys_quantity", "-1"),
        ("license_keys_quantity", "many"),
        ("license_keys_quantity", 1.5),
        ("license_keys_quantity", True),
        ("license_keys_quantity", 2**31),
        ("license_keys_quantity", "٣"),
        ("status", ""),
        ("status", "Active"),
        ("status", "deleted"),
        ("can_get_info", ""),
        ("can_generate", "2"),
        ("can_destroy", None),
        ("can_destroy_all", [1]),
    ],
)
@pytest.mark.parametrize("endpoint", ["create-contract", "update-contract"])
def test_one_broken_rule_is_named_alone(portal, sent, endpoint, name, value):
    known = {"contract_id": ContractFactory().pk} if endpoint == "update-contract" else {}
    before = list(Contract.objects.values())
    answer = portal.json(endpoint, sent | known | {name: value})
    assert (answer["code"], answer["errors"]) == (825, {name: TEXTS[name]})
    assert list(Contract.objects.values()) == before


def test_a_deleted_product_is_no_valid_product(portal, sent, product):
    product.status = "deleted"
    product.save()
    assert portal("create-contract", **sent)["errors"] == {"product_id": TEXTS["product_id"]}


def test_it_takes_a_product_by_uuid_and_answers_its_id(portal, sent, product):
    del sent["product_id"]
    contract = portal("create-contract", **sent, product_uuid=str(product.uuid))["contract"]
    assert contract["product_id"] == product.pk


def test_the_same_create_again_returns_the_contract_that_exists(portal, sent):
    """D13: a shop whose first answer got lost sends it again."""
    first = portal("create-contract", **sent)["contract"]
    second = portal("create-contract", **sent)
    assert (second["code"], second["contract"]) == (841, first)
    assert Contract.objects.count() == AuditEvent.objects.filter(kind="contract.created").count() == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [("contract_name", "Other"), ("license_keys_quantity", "66"), ("status", "inactive"), ("can_destroy_all", "0")],
)
def test_a_known_contract_key_with_other_terms_is_refused(portal, sent, name, value):
    portal("create-contract", **sent)
    answer = portal("create-contract", **(sent | {name: value}))
    assert (answer["code"], answer["errors"]) == (825, {"contract_key": TEXTS["contract_key"]})
    assert Contract.objects.count() == 1


def test_a_contract_key_of_another_program_is_refused(portal, client, sent):
    portal("create-contract", **sent)
    answer = Portal(client, api_key_text())("create-contract", **sent)
    assert (answer["code"], answer["errors"]) == (825, {"contract_key": TEXTS["contract_key"]})


def test_a_taken_contract_key_is_named_among_the_other_rules(portal, sent):
    portal("create-contract", **sent)
    answer = portal("create-contract", contract_key=sent["contract_key"], status="active")
    assert list(answer["errors"]) == [name for name in TEXTS if name != "status"]


@pytest.mark.parametrize("error", [IntegrityError(), ValidationError("taken")])
def test_a_contract_key_taken_meanwhile_is_looked_at_again(portal, sent, monkeypatch, error):
    """Another transaction stores the key between the check and the insert."""
    real, calls = service.save_record, []

    def late(instance, **options):
        calls.append(instance)
        if len(calls) > 1:
            return real(instance, **options)
        raise error

    monkeypatch.setattr(service, "save_record", late)
    assert portal("create-contract", **sent)["code"] == 841
    assert len(calls) == 2


def test_an_idempotency_key_answers_the_same_again(portal, sent):
    headers = {"Idempotency-Key": "once"}
    first = portal.json("create-contract", sent, **headers)
    assert portal.json("create-contract", sent, **headers) == first
    assert portal.json("create-contract", sent | {"contract_name": "Other"}, **headers)["code"] == 161


# update-contract


def test_it_updates_and_echoes_in_the_order_of_the_list(portal, sent, product):
    contract = ContractFactory(product=product, license_keys_quantity=10)
    answer = portal("update-contract", **sent, contract_id=contract.pk)
    assert (*summary(answer), portal.label) == (842, "contract updated", "global")
    row = answer["contract"]
    assert list(row) == LISTED
    assert (row["id"], row["name"], row["license_keys_quantity"]) == (contract.pk, "Test Contract", "65")
    assert (row["product_id"], row["can_get_info"]) == (str(product.pk), "1")
    contract.refresh_from_db()
    assert (contract.name, contract.license_keys_quantity) == ("Test Contract", 65)
    assert contract.contract_key == sent["contract_key"]
    event = AuditEvent.objects.get(kind="contract.updated")
    assert (event.before["license_keys_quantity"], event.after["license_keys_quantity"]) == (10, 65)
    assert "contract_key" not in event.before | event.after


def test_it_finds_a_contract_by_its_contract_key_too(portal, sent):
    contract = ContractFactory()
    assert portal("update-contract", **sent, contract_uuid=contract.contract_key)["code"] == 842


def test_it_never_takes_a_contract_key_for_an_id(portal, sent):
    ContractFactory(contract_key="123456")
    assert portal("update-contract", **sent, contract_id="123456")["code"] == 844
    assert portal("delete-contract", contract_id="123456")["code"] == 844


def test_the_same_update_again_changes_nothing(portal, sent):
    contract = ContractFactory()
    first = portal("update-contract", **sent, contract_id=contract.pk)["contract"]
    assert portal("update-contract", **sent, contract_id=contract.pk)["contract"] == first
    assert AuditEvent.objects.filter(kind="contract.updated").count() == 1


def test_an_update_names_all_ten_rules_too(portal):
    answer = portal("update-contract", contract_id=ContractFactory().pk)
    assert list(answer["errors"].items()) == list(TEXTS.items())


@pytest.mark.parametrize("endpoint", ["update-contract", "delete-contract"])
@pytest.mark.parametrize("contract_id", ["", "0", "999999", "9" * 40, "-1", "x", "\x00", "²", "٣"])
def test_an_unknown_contract_is_844(portal, sent, endpoint, contract_id):
    answer = portal(endpoint, **sent, contract_id=contract_id)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (*summary(answer), portal.label) == (844, "Contract not found", "global")


def test_a_contract_key_stays_unique_when_it_is_updated(portal, sent):
    taken, contract = ContractFactory.create_batch(2)
    answer = portal("update-contract", **(sent | {"contract_key": taken.contract_key}), contract_id=contract.pk)
    assert answer["errors"] == {"contract_key": TEXTS["contract_key"]}


def test_the_quota_never_falls_below_what_exists(portal, sent, product):
    contract = ContractFactory(product=product)
    LicenseKeyFactory.create_batch(3, product=product, contract=contract)
    answer = portal("update-contract", **(sent | {"license_keys_quantity": "2"}), contract_id=contract.pk)
    assert answer["errors"] == {"license_keys_quantity": TEXTS["license_keys_quantity"]}
    answer = portal("update-contract", **(sent | {"license_keys_quantity": "3"}), contract_id=contract.pk)
    assert (answer["code"], answer["contract"]["license_keys_count"]) == (842, 3)


def test_the_product_stays_once_there_are_license_keys(portal, sent):
    contract = ContractFactory()
    assert portal("update-contract", **sent, contract_id=contract.pk)["code"] == 842, "none yet"
    LicenseKeyFactory(product_id=int(sent["product_id"]), contract=contract)
    other = sent | {"product_id": str(ProductFactory().pk)}
    answer = portal("update-contract", **other, contract_id=contract.pk)
    assert answer["errors"] == {"product_id": TEXTS["product_id"]}


# delete-contract


def test_it_deletes_and_keeps_the_license_keys(portal):
    contract = ContractFactory()
    under_it = {"product": contract.product, "contract": contract}
    available, assigned = LicenseKeyFactory(**under_it), LicenseKeyFactory(**under_it, assigned=True)
    blocked = LicenseKeyFactory(**under_it, status="blocked")
    stranger = LicenseKeyFactory(product=contract.product)
    activation = ActivationFactory(license_key=assigned)
    answer = portal("delete-contract", contract_id=contract.pk)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (*summary(answer), portal.label) == (843, "contract deleted", "global")
    assert not Contract.objects.exists()
    rows = {row.pk: (row.status, row.contract_id, row.owner_id) for row in LicenseKey.objects.all()}
    assert rows == {
        available.pk: ("reserved", None, None),
        assigned.pk: ("assigned", None, assigned.owner_id),
        blocked.pk: ("blocked", None, None),
        stranger.pk: ("available", None, None),
    }
    activation.refresh_from_db()
    assert activation.is_live
    assert list(LicenseKey.objects.available()) == [stranger]
    events = AuditEvent.objects.filter(kind="license_key.updated").order_by("object_id")
    assert [(event.object_id, event.before, event.after) for event in events] == [
        (
            available.pk,
            {"contract": contract.pk, "status": "available"},
            {"contract": None, "status": "reserved"},
        ),
        (assigned.pk, {"contract": contract.pk}, {"contract": None}),
        (blocked.pk, {"contract": contract.pk}, {"contract": None}),
    ]
    assert AuditEvent.objects.get(kind="contract.deleted").object_id == contract.pk
    assert portal("delete-contract", contract_id=contract.pk)["code"] == 844


def test_it_revokes_the_holders_api_keys(portal, client):
    contract = ContractFactory()
    holder = Portal(client, api_key_text(name="Holder", contract=contract))
    assert holder("contracts/get-info")["code"] == 1204
    portal("delete-contract", contract_id=contract.pk)
    assert holder("contracts/get-info")["code"] == 101
    bound = ApiKey.objects.get(name="Holder")
    assert (bound.is_active, bound.contract) == (False, None)
    event = AuditEvent.objects.get(kind="api_key.revoked")
    assert event.before == {"is_active": True, "contract": contract.pk}


def test_it_deletes_in_as_many_statements_however_many_license_keys(portal, django_assert_max_num_queries):
    contract, owner = ContractFactory(), OwnerFactory()
    keys = [LicenseKey(product=contract.product, contract=contract, license_key=f"K{n}") for n in range(300)]
    LicenseKey.objects.bulk_create(keys)
    assert owner
    with django_assert_max_num_queries(40):
        portal("delete-contract", contract_id=contract.pk)
    assert AuditEvent.objects.filter(kind="license_key.updated").count() == 300


def test_it_goes_through_the_license_keys_in_batches(portal, monkeypatch):
    monkeypatch.setattr(service, "BATCH", 2)
    contract = ContractFactory()
    LicenseKeyFactory.create_batch(5, product=contract.product, contract=contract)
    assert portal("delete-contract", contract_uuid=contract.contract_key)["code"] == 843
    assert set(LicenseKey.objects.values_list("status", "contract")) == {("reserved", None)}


# get-all-contracts


def test_it_lists_all_with_their_counts(portal):
    first = ContractFactory(can_destroy=False, status="inactive")
    second = ContractFactory()
    LicenseKeyFactory.create_batch(2, product=second.product, contract=second)
    answer = portal("get-all-contracts")
    assert list(answer) == ["code", "message", "contracts", "timestamp"]
    assert (*summary(answer), portal.label) == (846, "All contracts", "global")
    rows = answer["contracts"]
    assert [list(row) for row in rows] == [LISTED, LISTED]
    assert [(row["id"], row["license_keys_count"]) for row in rows] == [(first.pk, 0), (second.pk, 2)]
    assert (rows[0]["can_get_info"], rows[0]["can_destroy"], rows[0]["status"]) == (1, 0, "inactive")
    assert {type(rows[0][name]) for name in (*FLAGS, "id", "product_id", "license_keys_quantity")} == {int}
    assert rows[0]["created_at"] == first.created_at.strftime("%Y-%m-%dT%H:%M:%S.000000Z")


def test_there_may_be_none(portal):
    assert portal("get-all-contracts")["contracts"] == []


def test_it_lists_page_by_page_where_asked(portal):
    pks = [contract.pk for contract in ContractFactory.create_batch(3)]

    def listed(**params):
        return [row["id"] for row in portal("get-all-contracts", **params)["contracts"]]

    assert listed(items_per_page=2) == pks[:2]
    assert listed(items_per_page=2, page=2) == pks[2:]
    assert listed(page=9) == []
    assert portal("get-all-contracts", items_per_page=1001)["code"] == 162


def test_the_list_costs_the_same_for_thirty(portal, django_assert_num_queries):
    contract = ContractFactory()
    LicenseKeyFactory(contract=contract, product=contract.product)
    portal("get-all-contracts")
    with CaptureQueriesContext(connection) as one:
        portal("get-all-contracts")
    ContractFactory.create_batch(29)
    with django_assert_num_queries(len(one)):
        assert len(portal("get-all-contracts")["contracts"]) == 30


@pytest.mark.statement("R1")
def test_a_number_and_its_text_are_the_same_under_an_idempotency_key(portal, sent):
    first = portal.json("create-contract", sent | {"license_keys_quantity": 7}, **{"Idempotency-Key": "one"})
    again = portal.json("create-contract", sent | {"license_keys_quantity": "7"}, **{"Idempotency-Key": "one"})
    assert (first["code"], again) == (841, first)
