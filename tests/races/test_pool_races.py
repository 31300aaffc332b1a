"""Pools: many callers take from one stock, or from one generator, at the same time, over HTTP."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from licenses.codes import Refused
from licenses.models import AuditEvent, LicenseKey, Owner, Product
from licenses.services.random_assignment import assign_from_stock_or_generate
from tests.factories import ACTOR, GeneratorFactory, LicenseKeyFactory, ProductFactory, api_key_text
from tests.races.callers import HTTP_ROUNDS, ROUNDS, Job
from tests.server import Server

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

CALLERS = 50


def rounds(number: int) -> int:
    """SQLite has one writer at a time: there is less to find."""
    return number if connection.vendor == "postgresql" else max(1, number // 10)


def stock_up(product: Product) -> list[LicenseKey]:
    """60 available license keys."""
    return LicenseKey.objects.bulk_create(LicenseKeyFactory.build_batch(60, product=product))


def assign_at_once(server: Server, calls: int, **params: Any) -> list[dict[str, Any]]:
    """The answers to as many equal calls, each of another buyer, made by up to 50 threads at the same time."""
    api_key = api_key_text()

    def call(number: int) -> dict[str, Any]:
        sent = {"api_key": api_key, "owner_email": f"buyer{number}@example.com", **params}
        http = server.request("POST", "/api/v1/random-assign-license-keys", fields=sent, encode_multipart=False)
        return http.json()["response"]

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(call, range(calls)))


def texts(answers: list[dict[str, Any]]) -> list[str]:
    return [row["license_key"] for answer in answers if answer["code"] == 803 for row in answer["license_keys"]]


def take(product: Product, number: int) -> dict[str, Any]:
    """As the endpoint answers."""
    owner = {"owner_email": f"buyer{number}@example.com", "actor": ACTOR}
    try:
        keys = assign_from_stock_or_generate(product=product, quantity=1, generate=False, **owner)
    except Refused as refused:
        return {"code": refused.code.value.number, **refused.fields}
    return {"code": 803, "license_keys": [{"license_key": found.license_key} for found in keys]}


@pytest.mark.statement("S5")
def test_100_assignments_over_a_pool_of_60_hand_out_60_license_keys(server, callers):
    for round_number in range(max(1, ROUNDS // 2)):
        product = ProductFactory()
        keys = stock_up(product)
        if round_number < HTTP_ROUNDS:
            answers = assign_at_once(server, 100, product_id=product.pk)
        else:
            answers = callers([Job(take, {"product": product, "number": number}) for number in range(100)])
        handed_out = texts(answers)
        assert sorted(handed_out) == sorted(key.license_key for key in keys)
        refusals = [answer for answer in answers if answer["code"] != 803]
        assert [answer["code"] for answer in refusals] == [802] * 40
        assert {answer["available_quantity"] for answer in refusals} == {0}
        owners = LicenseKey.objects.filter(product=product, status="assigned").values_list("owner", flat=True)
        assert len(set(owners)) == 60
        events = AuditEvent.objects.filter(kind="license_key.assigned", object_id__in=[key.pk for key in keys])
        assert events.count() == 60


def test_assignments_of_several_take_all_or_nothing_and_never_wait_for_each_other(server):
    """Each wants 7 of 60, so that two that come short hold what the other waits for, unless they let go of it."""
    for _ in range(rounds(2)):
        product = ProductFactory()
        stock_up(product)
        answers = assign_at_once(server, 40, product_id=product.pk, quantity=7)
        assert {answer["code"] for answer in answers} == {803, 802}
        handed_out = texts(answers)
        assert len(handed_out) == len(set(handed_out)) == 56
        assert LicenseKey.objects.filter(product=product).available().count() == 4


def test_a_small_space_is_never_handed_out_twice(server):
    """Many draw the same texts at the same time: the constraint decides, the losers draw again."""
    for _ in range(rounds(2)):
        fields = {"charset": "0123456789", "number_of_chunks": 1, "chunk_length": 2}
        generator = GeneratorFactory(method="chunk-system", prefix=f"{ProductFactory().pk}-", **fields)
        answers = assign_at_once(server, 60, product_id=generator.product_id, generate=1)
        assert {answer["code"] for answer in answers} <= {803, 802}
        handed_out = texts(answers)
        assert len(handed_out) == len(set(handed_out)) >= 30
        owners = Owner.objects.filter(license_keys__product=generator.product)
        assert owners.distinct().count() == len(handed_out)
