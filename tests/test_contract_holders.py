"""contracts/get-info, contracts/generate, contracts/destroy and contracts/destroy-all, as a contract's holder calls."""

import pytest

from licenses.models import Activation, ApiKey, AuditEvent, Contract, LicenseKey
from licenses.services import contract_holders as service
from licenses.services.products import create_product
from tests.factories import (
    ACTOR,
    ActivationFactory,
    ContractFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    ProductFactory,
    api_key_text,
)
from tests.protocol import Portal
from tests.test_contracts import LISTED

pytestmark = pytest.mark.django_db

RIGHTS = {
    "contracts/get-info": "can_get_info",
    "contracts/generate": "can_generate",
    "contracts/destroy": "can_destroy",
    "contracts/destroy-all": "can_destroy_all",
}
CALLS = list(RIGHTS)


@pytest.fixture
def contract():
    product = create_product(name="Own key", own_signing_key=True, actor=ACTOR)
    GeneratorFactory(product=product, activation_limit=3, validity_days=365)
    return ContractFactory(product=product, license_keys_quantity=5)


@pytest.fixture
def holder(client, global_key, contract) -> Portal:
    """A program whose API key is bound to the contract."""
    return Portal(client, api_key_text(*CALLS, name="Holder", contract=contract))


def keys_of(contract, count=1, **fields):
    return LicenseKeyFactory.create_batch(count, product=contract.product, contract=contract, **fields)


def summary(answer):
    return answer["code"], answer["message"]


# Which contract


def test_the_api_keys_own_contract_needs_no_name(holder, contract):
    answer = holder("contracts/get-info")
    assert list(answer) == ["code", "message", "contract", "timestamp"]
    assert (*summary(answer), holder.label) == (1204, "Contract found", "global")
    assert list(answer["contract"]) == LISTED
    assert (answer["contract"]["id"], answer["contract"]["license_keys_quantity"]) == (contract.pk, 5)
    assert (answer["contract"]["can_get_info"], answer["contract"]["license_keys_count"]) == (1, 0)


def test_a_get_reads_it_too(holder, contract):
    http = holder.client.get("/api/v1/contracts/get-info", headers={"Authorization": f"Bearer {holder.api_key}"})
    assert holder.read(http)["contract"]["contract_key"] == contract.contract_key


@pytest.mark.parametrize("name", ["contract_key", "contract_uuid"])
def test_an_api_key_without_one_names_the_contract(portal, contract, name):
    assert portal("contracts/get-info", **{name: contract.contract_key})["contract"]["id"] == contract.pk


@pytest.mark.parametrize("path", CALLS)
def test_it_is_never_named_by_its_id(portal, contract, path):
    """Ids could be counted through; a contract key is as good as a secret."""
    for params in ({"contract_id": contract.pk}, {"contract_key": contract.pk}, {}, {"contract_uuid": ""}):
        answer = portal(path, **params)
        assert list(answer) == ["code", "message", "timestamp"]
        assert (*summary(answer), portal.label) == (1200, "Contract not found", "global")


@pytest.mark.parametrize("path", CALLS)
def test_a_bound_api_key_reaches_no_other_contract(holder, contract, path):
    other = ContractFactory()
    key, other_key = keys_of(contract)[0], keys_of(other)[0]
    for name in ("contract_key", "contract_uuid"):
        answer = holder(path, **{name: other.contract_key}, quantity=1, license_key=other_key.license_key)
        assert answer["code"] == 1200
    assert set(LicenseKey.objects.all()) == {key, other_key}


@pytest.mark.parametrize("path", CALLS)
def test_a_bound_api_key_may_name_its_own(holder, contract, path):
    key = keys_of(contract)[0]
    answer = holder(path, contract_uuid=contract.contract_key, quantity=1, license_key=key.license_key)
    assert answer["code"] in (1204, 1300, 1400, 1500)


@pytest.mark.parametrize("path", CALLS)
def test_an_inactive_contract_is_not_found(holder, contract, path):
    Contract.objects.update(status="inactive", can_get_info=False, can_generate=False)
    assert holder(path)["code"] == 1200
    assert holder.http.status_code == 200


@pytest.mark.parametrize("path", CALLS)
def test_a_missing_right_of_the_contract_is_102(holder, contract, path):
    key = keys_of(contract)[0]
    Contract.objects.update(**{RIGHTS[path]: False})
    answer = holder(path, quantity=1, license_key=key.license_key)
    assert (answer["code"], holder.http.status_code, holder.label) == (102, 401, "global")
    assert list(LicenseKey.objects.all()) == [key]


def test_the_api_key_needs_the_capability_too(client, global_key, contract):
    portal = Portal(client, api_key_text("contracts/get-info", contract=contract))
    assert [portal(path)["code"] for path in CALLS] == [1204, 102, 102, 102]


# contracts/get-info


def test_a_contract_of_a_deleted_product_is_1202(holder, contract):
    contract.product.status = "inactive"
    contract.product.save()
    assert holder("contracts/get-info")["code"] == 1204
    contract.product.status = "deleted"
    contract.product.save()
    answer = holder("contracts/get-info")
    assert (*summary(answer), holder.label) == (1202, "Product not found", "global")


# contracts/generate


def test_it_generates_under_the_contract(holder, contract):
    answer = holder.json("contracts/generate", {"contract_uuid": contract.contract_key, "quantity": 2})
    assert list(answer) == ["code", "message", "license_keys", "license_keys_count", "remaining", "timestamp"]
    assert (*summary(answer), holder.label) == (1300, "Contract license keys generated", "product")
    made = LicenseKey.objects.all()
    assert sorted(answer["license_keys"]) == sorted(key.license_key for key in made)
    assert (answer["license_keys_count"], answer["remaining"]) == (2, 3)
    assert {(key.status, key.contract, key.product) for key in made} == {("available", contract, contract.product)}
    assert {(key.activation_limit, key.validity_days) for key in made} == {(3, 365)}
    assert AuditEvent.objects.filter(kind="license_key.created", door="api").count() == 2
    assert not LicenseKey.objects.available().exists(), "its holder's, not the shop's"


def test_it_generates_by_the_address_of_the_portal_page(portal, contract):
    answer = portal(f"contracts/{contract.contract_key}/generate", count="3")
    assert (answer["code"], len(answer["license_keys"])) == (1300, 3)
    assert portal("contracts/unknown/generate", count="1")["code"] == 1200


def test_the_quota_is_all_or_nothing(holder, contract):
    assert holder("contracts/generate", quantity=3)["remaining"] == 2
    answer = holder("contracts/generate", quantity=3)
    assert list(answer) == ["code", "message", "remaining", "timestamp"]
    assert (*summary(answer), holder.label) == (1205, "License keys limit reached", "global")
    assert answer["remaining"] == 2
    assert LicenseKey.objects.count() == 3
    assert holder("contracts/generate", quantity=2)["remaining"] == 0
    assert holder("contracts/generate", quantity=1)["code"] == 1205


@pytest.mark.parametrize("quantity", ["", "0", "-1", "1001", "x", "1.5", 10**30, True, [1], {"a": 1}, None, "²"])
def test_a_quantity_that_cannot_be_is_1206(holder, contract, quantity):
    Contract.objects.update(license_keys_quantity=5000)
    answer = holder.json("contracts/generate", {"quantity": quantity})
    assert list(answer) == ["code", "message", "timestamp"]
    assert (*summary(answer), holder.label) == (1206, "Cannot generate this quantity", "global")
    assert not LicenseKey.objects.exists()


def test_a_thousand_is_the_most_at_once(holder, contract):
    Contract.objects.update(license_keys_quantity=1000)
    assert len(holder("contracts/generate", quantity="1000")["license_keys"]) == 1000


@pytest.mark.parametrize("status", ["inactive", "deleted"])
def test_it_generates_nothing_for_a_product_that_is_not_active(holder, contract, status):
    contract.product.generators.update(is_active=False)
    contract.product.status = status
    contract.product.save()
    answer = holder("contracts/generate", quantity=0)
    assert (*summary(answer), holder.label) == (1202, "Product not found", "global")


def test_it_generates_nothing_without_an_active_generator(holder, contract):
    contract.product.generators.update(is_active=False)
    answer = holder("contracts/generate", quantity=0)
    assert (*summary(answer), holder.label) == (1203, "Generator not found", "global")
    GeneratorFactory(product=ProductFactory())
    assert holder("contracts/generate", quantity=1)["code"] == 1203


def test_a_generator_that_has_no_text_left_is_1206(holder, contract):
    tiny = {"method": "chunk-system", "charset": "A", "number_of_chunks": 1, "chunk_length": 1}
    contract.product.generators.update(**tiny)
    assert holder("contracts/generate", quantity=1)["code"] == 1300
    assert holder("contracts/generate", quantity=1)["code"] == 1206
    assert LicenseKey.objects.count() == 1


def test_a_generator_whose_function_is_gone_is_1203(holder, contract):
    contract.product.generators.update(method="custom", function_name="gone")
    assert holder("contracts/generate", quantity=1)["code"] == 1203


def test_an_idempotency_key_generates_once(holder, contract):
    first = holder.json("contracts/generate", {"quantity": 2}, **{"Idempotency-Key": "once"})
    assert holder.json("contracts/generate", {"quantity": 2}, **{"Idempotency-Key": "once"}) == first
    assert LicenseKey.objects.count() == 2


# contracts/destroy


@pytest.mark.parametrize("fields", [{}, {"assigned": True}, {"status": "blocked"}])
def test_it_destroys_a_license_key_and_gives_the_quota_back(holder, contract, fields):
    key, *_ = keys_of(contract, 5, **fields)
    assert holder("contracts/generate", quantity=1)["code"] == 1205
    answer = holder("contracts/destroy", license_key=key.license_key)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (*summary(answer), holder.label) == (1400, "License key deleted", "product")
    assert not LicenseKey.objects.filter(pk=key.pk).exists()
    event = AuditEvent.objects.get(kind="license_key.deleted")
    assert (event.object_id, event.before["contract"]) == (key.pk, contract.pk)
    assert holder("contracts/generate", quantity=1)["code"] == 1300


def test_it_destroys_activations_with_it(holder, contract):
    activation = ActivationFactory(license_key=keys_of(contract, assigned=True)[0])
    assert holder("contracts/destroy", license_key=activation.license_key.license_key)["code"] == 1400
    assert not Activation.objects.exists()
    assert holder("contracts/destroy", license_key=activation.license_key.license_key)["code"] == 1401


def test_it_destroys_no_license_key_of_others(holder, contract):
    keys = [*keys_of(ContractFactory(product=contract.product)), LicenseKeyFactory(product=contract.product)]
    for text in (*(key.license_key for key in keys), "unknown", "", "\x00"):
        answer = holder("contracts/destroy", license_key=text)
        assert list(answer) == ["code", "message", "timestamp"]
        assert (*summary(answer), holder.label) == (1401, "License key not found", "global")
    assert set(LicenseKey.objects.all()) == set(keys)


# contracts/destroy-all


def test_it_destroys_all_of_them_and_nothing_else(holder, contract, monkeypatch):
    monkeypatch.setattr(service, "MOST_AT_ONCE", 2)
    keys_of(contract, 2)
    ActivationFactory(license_key=keys_of(contract, assigned=True)[0])
    stranger = LicenseKeyFactory(product=contract.product)
    answer = holder("contracts/destroy-all", contract_uuid=contract.contract_key)
    assert list(answer) == ["code", "message", "deleted", "timestamp"]
    assert (*summary(answer), holder.label) == (1500, "License keys deleted", "product")
    assert answer["deleted"] == 3
    assert list(LicenseKey.objects.all()) == [stranger]
    assert AuditEvent.objects.filter(kind="license_key.deleted").count() == 3
    answer = holder("contracts/destroy-all")
    assert list(answer) == ["code", "message", "timestamp"]
    assert (*summary(answer), holder.label) == (1501, "No license keys found", "global")


def test_it_destroys_in_few_statements(holder, contract, django_assert_max_num_queries):
    rows = [LicenseKey(product=contract.product, contract=contract, license_key=f"K{n}") for n in range(500)]
    LicenseKey.objects.bulk_create(rows)
    with django_assert_max_num_queries(90):  # so many for each hundred, not for each license key
        assert holder("contracts/destroy-all")["deleted"] == 500


def test_the_holder_is_named_in_the_audit(holder, contract):
    holder("contracts/generate", quantity=1)
    event = AuditEvent.objects.get(kind="license_key.created")
    assert event.actor == str(ApiKey.objects.get(name="Holder"))
    assert event.address == "127.0.0.1"


def test_the_contract_in_the_path_wins_over_the_one_in_the_body(portal):
    named, other = (ContractFactory(contract_key=key) for key in ("named", "other"))
    for contract in (named, other):
        GeneratorFactory(product=contract.product)
    answer = portal(f"contracts/{named.contract_key}/generate", contract_key=other.contract_key, count=1)
    assert answer["code"] == 1300
    assert (named.license_keys.count(), other.license_keys.count()) == (1, 0)
