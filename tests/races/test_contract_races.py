"""A contract's quota under parallel generation, and other calls about one contract at the same time."""

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest

from licenses.models import ApiKey, AuditEvent, Contract, LicenseKey
from licenses.services.contract_holders import generate_license_keys
from tests.factories import ACTOR, ContractFactory, GeneratorFactory, LicenseKeyFactory, ProductFactory, api_key_text
from tests.races.callers import HTTP_ROUNDS, ROUNDS, Job

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

CALLERS = 50
FEW = max(1, ROUNDS // 10)


@pytest.fixture
def product():
    return GeneratorFactory(product=ProductFactory()).product


def at_once(call: Callable[[int], int | str], numbers: Iterable[int]) -> Counter[int | str]:
    with ThreadPoolExecutor(CALLERS) as pool:
        return Counter(pool.map(call, numbers))


def generate(api_key: ApiKey, contract_key: str, quantity: int) -> int:
    generate_license_keys(api_key=api_key, contract_key=contract_key, quantity=quantity, actor=ACTOR)
    return 1300


@pytest.mark.statement("S8")
@pytest.mark.parametrize(("quantity", "made", "refused"), [(1, 10, 40), (3, 3, 17)])
def test_exactly_the_quota_is_generated_and_then_refused(server, callers, product, quantity, made, refused):
    """A quantity is generated as a whole or not at all."""
    text = api_key_text()
    api_key = ApiKey.objects.from_text(text)
    for round_number in range(max(1, ROUNDS // 2)):
        contract = ContractFactory(product=product, license_keys_quantity=10)
        named = {"contract_key": contract.contract_key, "quantity": quantity}
        if round_number < HTTP_ROUNDS:
            call = partial(server.code, "contracts/generate", text, **named)
            codes = at_once(lambda _, call=call: call(), range(made + refused))
        else:
            codes = callers.count([Job(generate, named | {"api_key": api_key})] * (made + refused))
        assert codes == {1300: made, 1205: refused}
        assert contract.license_keys.count() == made * quantity


@pytest.mark.statement("S8")
def test_the_quota_holds_while_license_keys_are_destroyed(server, product):
    """Every slot is given back once, however often a license key is destroyed."""
    api_key = api_key_text()
    for _ in range(FEW):
        contract = ContractFactory(product=product, license_keys_quantity=10)
        keys = LicenseKeyFactory.create_batch(10, product=product, contract=contract)
        named = {"contract_key": contract.contract_key}
        work = [partial(server.code, "contracts/generate", api_key, **named, quantity="1") for _ in range(20)]
        for key in keys[:5] * 2:
            work.append(partial(server.code, "contracts/destroy", api_key, **named, license_key=key.license_key))
        codes = at_once(lambda number, work=work: work[number * 7 % 30](), range(30))
        assert (codes[1400], codes[1401]) == (5, 5)
        assert codes[1300] + codes[1205] == 20
        assert contract.license_keys.count() == 5 + codes[1300] <= 10


def test_50_creates_of_one_contract_are_one_contract(server, product):
    api_key, stranger = api_key_text(), api_key_text(name="Stranger")
    for number in range(FEW):
        sent = {
            "contract_key": f"the-same-{number}",
            "contract_name": "Contract",
            "contract_information": "Information",
            "product_id": str(product.pk),
            "license_keys_quantity": "5",
            "status": "active",
            **dict.fromkeys(("can_get_info", "can_generate", "can_destroy", "can_destroy_all"), "1"),
        }
        codes = at_once(lambda number, sent=sent: server.code("create-contract", api_key, **sent), range(50))
        assert codes == {841: 50}
        assert at_once(lambda number, sent=sent: server.code("create-contract", stranger, **sent), range(5)) == {825: 5}
    assert Contract.objects.count() == AuditEvent.objects.filter(kind="contract.created").count() == FEW


def test_nothing_is_generated_under_a_contract_that_goes(server, product):
    api_key = api_key_text()
    for _ in range(FEW):
        contract = ContractFactory(product=product, license_keys_quantity=1000)
        named = {"contract_key": contract.contract_key, "quantity": "1"}
        work = [partial(server.code, "contracts/generate", api_key, **named) for _ in range(20)]
        work.insert(5, partial(server.code, "delete-contract", api_key, contract_id=str(contract.pk)))
        codes = at_once(lambda number, work=work: work[number](), range(21))
        assert codes[843] == 1
        assert codes[1300] + codes[1200] == 20
    assert set(LicenseKey.objects.values_list("status", "contract")) <= {("reserved", None)}
