"""Calls about one product at the same time: one of them wins, the others hear of it, and none crashes."""

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection

from licenses.models import AuditEvent, Product
from tests.factories import ProductFactory, api_key_text

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

CALLERS = 20
ROUNDS = 2 if connection.vendor == "postgresql" else 1


def at_once(call: Callable[[int], int | str]) -> Counter[int | str]:
    with ThreadPoolExecutor(CALLERS) as pool:
        return Counter(pool.map(call, range(CALLERS)))


def test_a_slug_is_taken_once(server):
    api_key = api_key_text()
    sent = {"name": "Editor", "description": "Edits"}
    for number in range(ROUNDS):
        slug = f"editor-{number}"
        codes = at_once(lambda _, slug=slug: server.code("create-product", api_key, **sent, slug=slug))
        assert codes == {750: 1, 751: CALLERS - 1}
        others = ProductFactory.create_batch(CALLERS)
        slug = f"viewer-{number}"
        codes = at_once(
            lambda caller, slug=slug, others=others: server.code(
                "update-product", api_key, product_id=others[caller].pk, slug=slug
            )
        )
        assert codes == {650: 1, 651: CALLERS - 1}


def test_a_product_is_deleted_once(server):
    api_key = api_key_text()
    for _ in range(ROUNDS):
        product = ProductFactory()
        codes = at_once(lambda _, pk=product.pk: server.code("delete-product", api_key, product_id=pk))
        assert codes == {550: 1, 551: CALLERS - 1}
        assert AuditEvent.objects.filter(kind="product.deleted", object_id=product.pk).count() == 1


def test_metadata_is_created_and_deleted_once(server):
    api_key = api_key_text()
    product = ProductFactory()
    sent = {"product_id": product.pk, "key": "colour"}
    for _ in range(ROUNDS):
        codes = at_once(lambda number: server.code("create-product-meta", api_key, **sent, value=str(number)))
        assert codes == {273: 1, 272: CALLERS - 1}
        codes = at_once(lambda _: server.code("delete-product-meta", api_key, **sent))
        assert codes == {482: 1, 481: CALLERS - 1}


def test_no_change_of_a_product_is_lost(server):
    """Each caller sends another field: in the end all of them are there."""
    api_key = api_key_text()
    fields = ("name", "description", "external_reference", "slug")
    for number in range(ROUNDS):
        product = ProductFactory()
        text = f"text-{number}"
        at_once(
            lambda caller, pk=product.pk, text=text: server.code(
                "update-product", api_key, product_id=pk, **{fields[caller % len(fields)]: text}
            )
        )
        found = Product.objects.values(*fields).get(pk=product.pk)
        assert set(found.values()) == {text}
        assert AuditEvent.objects.filter(kind="product.updated", object_id=product.pk).count() == len(fields)
