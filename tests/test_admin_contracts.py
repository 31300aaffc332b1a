"""Contracts in the admin: the form, the list, what staff generate and revoke."""

import re

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db import connection
from django.test.utils import CaptureQueriesContext

from licenses.models import Activation, ApiKey, AuditEvent, Contract, LicenseKey
from tests.factories import (
    ActivationFactory,
    ContractFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    ProductFactory,
    api_key_text,
)

pytestmark = pytest.mark.django_db
CONTRACTS = "/admin/licenses/contract/"


def page(contract):
    return f"{CONTRACTS}{contract.pk}/change/"


def contract_form(contract=None, **changes):
    product = contract.product if contract else ProductFactory()
    return {
        "name": "Reseller",
        "information": "Until the end of the year.",
        "product": product.pk,
        "license_keys_quantity": "10",
        "status": "active",
        "contract_key": contract.contract_key if contract else "the-key-of-a-reseller",
        "can_get_info": "on",
        "can_generate": "on",
    } | changes


def act(client, contract, verb, **fields):
    return client.post(
        CONTRACTS, {"action": verb, "_selected_action": contract.pk, "confirmed": "1"} | fields, follow=True
    )


def staff_with(client, *permissions):
    user = get_user_model().objects.create_user("colleague", password="a-long-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client.force_login(user)
    return client


def test_it_creates_a_contract_with_a_generated_contract_key(staff):
    source = staff.get(CONTRACTS + "add/").content.decode()
    suggested = re.search(r'name="contract_key" value="([0-9a-f-]{36})"', source).group(1)
    assert staff.post(CONTRACTS + "add/", contract_form(contract_key=suggested)).status_code == 302
    contract = Contract.objects.get()
    assert (contract.contract_key, contract.can_generate, contract.can_destroy) == (suggested, True, False)
    event = AuditEvent.objects.get(kind="contract.created")
    assert (event.door, event.actor, event.after["license_keys_quantity"]) == ("admin", "root", 10)
    assert suggested not in str(event.after)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"contract_key": ""}, "This field is required."),
        ({"information": " "}, "This field is required."),
        ({"license_keys_quantity": "0"}, "The quota of a contract is 1 or more."),
        ({"product": "999"}, "Select a valid choice."),
        ({"status": "gone"}, "Select a valid choice."),
    ],
)
def test_it_says_what_is_wrong(staff, changes, words):
    assert words in staff.post(CONTRACTS + "add/", contract_form(**changes)).content.decode()
    assert not Contract.objects.exists()


def test_it_refuses_a_second_contract_of_the_same_contract_key(staff):
    ContractFactory(contract_key="the-key-of-a-reseller")
    assert "already exists" in staff.post(CONTRACTS + "add/", contract_form()).content.decode()


def test_it_edits_with_an_audit_row(staff):
    contract = ContractFactory(name="Old", license_keys_quantity=5)
    assert staff.post(page(contract), contract_form(contract, information=contract.information)).status_code == 302
    contract.refresh_from_db()
    assert (contract.name, contract.license_keys_quantity, contract.can_destroy) == ("Reseller", 10, False)
    event = AuditEvent.objects.get(kind="contract.updated")
    assert (event.before["name"], event.after["license_keys_quantity"]) == ("Old", 10)


def test_the_quota_holds_what_exists_and_the_product_stays(staff):
    contract = ContractFactory()
    LicenseKeyFactory.create_batch(3, product=contract.product, contract=contract)
    answer = staff.post(page(contract), contract_form(contract, license_keys_quantity="2"))
    assert "3 license keys exist under this contract; the quota holds them all." in answer.content.decode()
    other = ProductFactory()
    staff.post(page(contract), contract_form(contract, product=other.pk, license_keys_quantity="3"))
    product = contract.product
    contract.refresh_from_db()
    assert (contract.product, contract.license_keys_quantity) == (product, 3)


def test_the_service_looks_again_with_the_contract_locked(staff, monkeypatch):
    """Its holder generates between the check of the form and the save."""
    from licenses.admin import contracts

    contract = ContractFactory()
    LicenseKeyFactory.create_batch(3, product=contract.product, contract=contract)
    monkeypatch.setattr(contracts, "problems_with", lambda *args, **kwargs: {})
    answer = staff.post(page(contract), contract_form(contract, license_keys_quantity="2"), follow=True)
    assert "Nothing was saved. 3 license keys exist" in answer.content.decode()
    contract.refresh_from_db()
    assert contract.license_keys_quantity == 10


def test_the_product_may_change_while_there_is_no_license_key(staff):
    contract, other = ContractFactory(), ProductFactory()
    assert staff.post(page(contract), contract_form(contract, product=other.pk)).status_code == 302
    contract.refresh_from_db()
    assert contract.product == other


def test_it_generates_up_to_the_quota(staff):
    contract = ContractFactory(license_keys_quantity=5)
    assert "has no active generator" in act(staff, contract, "generate", quantity="1").content.decode()
    GeneratorFactory(product=contract.product)
    assert "1 contract got 3 new license keys." in act(staff, contract, "generate", quantity="3").content.decode()
    assert contract.license_keys.filter(status="available").count() == 3
    assert "The quota leaves room for 2." in act(staff, contract, "generate", quantity="3").content.decode()
    assert "less than or equal to 1000" in act(staff, contract, "generate", quantity="1001").content.decode()
    assert contract.license_keys.count() == 3
    assert AuditEvent.objects.filter(kind="license_key.created", door="admin").count() == 3


def test_it_generates_nothing_where_the_contract_or_its_product_is_inactive(staff):
    contract = GeneratorFactory().product.contracts.create(
        contract_key="k", name="Contract", information="x", license_keys_quantity=5, status="inactive"
    )
    assert "The contract is inactive." in act(staff, contract, "generate", quantity="1").content.decode()
    Contract.objects.update(status="active")
    contract.product.status = "inactive"
    contract.product.save()
    assert "is not active." in act(staff, contract, "generate", quantity="1").content.decode()
    assert not LicenseKey.objects.exists()


def test_it_revokes_all_license_keys_of_a_contract(staff):
    contract = ContractFactory()
    under_it = {"product": contract.product, "contract": contract}
    activation = ActivationFactory(license_key=LicenseKeyFactory(**under_it, assigned=True))
    LicenseKeyFactory(**under_it)
    stranger = ActivationFactory()
    asked = staff.post(CONTRACTS, {"action": "block_license_keys", "_selected_action": contract.pk})
    assert "2 license keys are blocked, and their activations end now." in asked.content.decode()
    assert (
        "1 contract was revoked: all license keys under it are blocked."
        in act(staff, contract, "block_license_keys").content.decode()
    )
    assert set(contract.license_keys.values_list("status", flat=True)) == {"blocked"}
    assert list(Activation.objects.live()) == [stranger]
    assert AuditEvent.objects.filter(kind="license_key.blocked").count() == 2
    event = AuditEvent.objects.get(kind="activation.deactivated")
    assert (event.object_id, event.before) == (activation.license_key_id, {"identifier": activation.identifier})
    assert "without an open license key" in act(staff, contract, "block_license_keys").content.decode()
    assert AuditEvent.objects.filter(kind="license_key.blocked").count() == 2
    event = AuditEvent.objects.get(kind="contract.updated")
    assert (event.object_id, event.after, event.door) == (contract.pk, {"license_keys_blocked": 2}, "admin")
    assert "license keys blocked" in staff.get(f"{CONTRACTS}{contract.pk}/history/").content.decode()


def test_it_deletes_and_says_before_what_becomes_of_the_rest(staff):
    contract = ContractFactory()
    key = LicenseKeyFactory(product=contract.product, contract=contract)
    api_key_text(contract=contract)
    source = staff.get(f"{CONTRACTS}{contract.pk}/delete/").content.decode()
    assert "Those that nobody has yet become reserved" in source
    assert staff.post(f"{CONTRACTS}{contract.pk}/delete/", {"post": "yes"}).status_code == 302
    key.refresh_from_db()
    assert (key.status, key.contract) == ("reserved", None)
    assert not ApiKey.objects.get().is_active
    assert not Contract.objects.exists()


def test_it_links_to_its_license_keys_and_api_keys(staff):
    contract = ContractFactory()
    key = LicenseKeyFactory(product=contract.product, contract=contract)
    LicenseKeyFactory()
    api_key_text(name="Bound", contract=contract)
    api_key_text(name="Other")
    source = staff.get(page(contract)).content.decode()
    for model, row in (("licensekey", key), ("apikey", ApiKey.objects.get(name="Bound"))):
        url = f"/admin/licenses/{model}/?contract__id__exact={contract.pk}"
        assert f'href="{url}"' in source
        assert list(staff.get(url).context["cl"].result_list) == [row]
    assert "1 of 10" in source


def test_the_list_costs_the_same_with_thirty(staff):
    contract = ContractFactory()
    LicenseKeyFactory(product=contract.product, contract=contract)
    staff.get(CONTRACTS)
    with CaptureQueriesContext(connection) as few:
        staff.get(CONTRACTS)
    ContractFactory.create_batch(29, product=contract.product)
    with CaptureQueriesContext(connection) as many:
        source = staff.get(CONTRACTS).content.decode()
    assert len(many) == len(few)
    assert "read, generate, destroy one, destroy all" in source


@pytest.mark.statement("S12")
def test_staff_who_may_only_look_see_no_contract_key_and_change_nothing(client):
    viewer = staff_with(client, "view_contract", "view_licensekey", "view_apikey")
    contract = ContractFactory()
    LicenseKeyFactory(product=contract.product, contract=contract)
    GeneratorFactory(product=contract.product)
    for url in (CONTRACTS, page(contract), f"{CONTRACTS}{contract.pk}/history/"):
        answer = viewer.get(url)
        assert answer.status_code == 200
        assert contract.contract_key not in answer.content.decode()
    before = AuditEvent.objects.count()
    act(viewer, contract, "generate", quantity="1")
    act(viewer, contract, "block_license_keys")
    assert viewer.post(page(contract), contract_form(contract)).status_code == 403
    assert viewer.post(f"{CONTRACTS}{contract.pk}/delete/", {"post": "yes"}).status_code == 403
    assert AuditEvent.objects.count() == before


@pytest.mark.statement("S12")
@pytest.mark.parametrize(
    ("right", "made", "blocked"),
    [("view_licensekey", 0, 0), ("add_licensekey", 1, 0), ("change_licensekey", 0, 1)],
)
def test_it_takes_the_right_to_add_license_keys_to_make_and_to_change_them_to_block_them(client, right, made, blocked):
    colleague = staff_with(client, "view_contract", "change_contract", right)
    contract = ContractFactory()
    LicenseKeyFactory(product=contract.product, contract=contract)
    GeneratorFactory(product=contract.product)
    source = colleague.get(page(contract)).content.decode()
    assert contract.contract_key in source
    assert [text in source for text in ("Generate license keys", "Revoke its license keys")] == [made, blocked]
    act(colleague, contract, "block_license_keys")
    act(colleague, contract, "generate", quantity="1")
    assert LicenseKey.objects.count() == 1 + made
    assert LicenseKey.objects.filter(status="blocked").count() == blocked


# API keys for holders and SDKs


def api_key_form(**changes):
    return {"name": "Holder", "capabilities": ["contracts/get-info"], "profile": "documented"} | changes


def test_it_binds_an_api_key_to_a_contract_and_a_profile(staff):
    contract = ContractFactory(name="Reseller")
    answer = staff.post("/admin/licenses/apikey/add/", api_key_form(contract=contract.pk, profile="sdk"))
    assert answer.status_code == 200
    api_key = ApiKey.objects.get()
    assert (api_key.contract, api_key.profile) == (contract, "sdk")
    event = AuditEvent.objects.get(kind="api_key.created")
    assert (event.after["profile"], event.after["contract"]) == ("sdk", contract.pk)
    source = staff.get("/admin/licenses/apikey/").content.decode()
    assert "SDK, Reseller" in source


def test_it_changes_the_profile_and_the_contract_of_an_api_key(staff):
    contract = ContractFactory()
    api_key_text("contracts/get-info", name="Holder", contract=contract)
    url = f"/admin/licenses/apikey/{ApiKey.objects.get().pk}/change/"
    assert staff.post(url, api_key_form(profile="sdk", contract="")).status_code == 302
    api_key = ApiKey.objects.get()
    assert (api_key.contract, api_key.profile) == (None, "sdk")
    event = AuditEvent.objects.get(kind="api_key.updated")
    assert event.before == {"profile": "documented", "contract": contract.pk}
    assert event.after == {"profile": "sdk", "contract": None}


def test_it_knows_no_other_profile(staff):
    answer = staff.post("/admin/licenses/apikey/add/", api_key_form(profile="other"))
    assert "Select a valid choice." in answer.content.decode()
    assert not ApiKey.objects.exists()
