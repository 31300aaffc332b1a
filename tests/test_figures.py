"""The figures of the first page: right against counting one by one, and counted by whom and when."""

import random
from collections import Counter
from datetime import timedelta

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone

from licenses.models import Activation, DailyCount, Figures, LicenseKey, Owner, Product
from licenses.models import figures as model
from licenses.services import figures
from licenses.services.daily_counts import Counted, add_to_daily_counts
from licenses.services.figures import count_figures, current_figures, keep_figures, refresh_figures
from tests.audit import make_chain
from tests.commands import run
from tests.factories import (
    ActivationFactory,
    ContractFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    OwnerFactory,
    ProductFactory,
    QueuedAssignmentFactory,
)

pytestmark = pytest.mark.django_db


def state_of(license_key, now) -> str:
    if license_key.is_assigned:
        return "expired" if license_key.is_expired(now) else "in_force"
    return license_key.status


def a_portal(now) -> None:
    """License keys of twelve products in every state, some of contracts, with activations of every age."""
    chance = random.Random(5)
    owner, products = OwnerFactory(), ProductFactory.create_batch(12)
    contract = ContractFactory(product=products[0])
    for number in range(240):
        status = chance.choice(LicenseKey.Status.values)
        has_owner = status == "assigned" or (status == "blocked" and number % 2)
        days = chance.choice([None, -400, -1, 5, 29, 31, 400]) if has_owner else None
        license_key = LicenseKeyFactory(
            product=products[int(12 * chance.random() ** 2)],
            status=status,
            owner=owner if has_owner else None,
            assigned_at=now if has_owner else None,
            expires_at=now + timedelta(days=days) if days else None,
            contract=contract if number % 9 == 0 else None,
        )
        for _ in range(chance.choice([0, 0, 1, 2]) if status == "assigned" else 0):
            ago = [timedelta(days=chance.choice([1, 13, 15, 90])) for _ in range(2)]
            ActivationFactory(
                license_key=license_key,
                activated_at=now - max(ago),
                last_verified_at=now - min(ago),
                deactivated_at=chance.choice([None, None, now]),
            )


def test_they_are_what_counting_one_by_one_gives():
    now = timezone.now()
    a_portal(now)
    keys = list(LicenseKey.objects.prefetch_related("activations"))
    states = Counter(state_of(key, now) for key in keys)
    soon = [
        key for key in keys if key.is_assigned and key.expires_at and now < key.expires_at <= now + timedelta(days=30)
    ]
    heard_of = [
        key
        for key in soon
        if any(max(it.activated_at, it.last_verified_at) >= now - timedelta(days=14) for it in key.activations.all())
    ]
    assert soon and heard_of and len(heard_of) < len(soon)
    found = count_figures(now)
    assert {name: found[name] for name in states} == states
    assert found["license_keys"] == 240
    assert found["assigned"] == states["in_force"] + states["expired"]
    assert found["expiring"] == len(soon)
    assert found["silent"] == len(soon) - len(heard_of)
    assert found["activations"] == sum(activation.is_live for activation in Activation.objects.all())
    assert (found["owners"], found["products"]) == (Owner.objects.count(), 12)
    check_products(found, keys, now)


def check_products(found, keys, now) -> None:
    by_product = {product.pk: Counter() for product in Product.objects.all()}
    for key in keys:
        by_product[key.product_id][state_of(key, now)] += 1
    ranked = sorted((row for row in by_product.items() if row[1]), key=lambda row: (-row[1].total(), row[0]))
    assert [(product, +Counter(states)) for product, states in found["by_product"]] == ranked[:8]
    assert found["other_products"] == len(ranked[8:]) > 1
    assert +Counter(found["others"]) == sum((states for _, states in ranked[8:]), Counter())


def test_a_portal_without_anything_has_figures_too():
    found = count_figures(timezone.now())
    assert (found["license_keys"], found["by_product"], found["dry"], found["jobs"]) == (0, [], [], {})


def sell(product, number, days_ago=1) -> None:
    day = timezone.now().date() - timedelta(days=days_ago)
    add_to_daily_counts({Counted(day, "license_key.assigned", product.pk): number})


def test_it_says_which_stock_runs_dry():
    """Less than a fortnight at the rate of the last thirty days; the stock of a contract is its holder's."""
    dry, lasting, empty, sold_long_ago = ProductFactory.create_batch(4)
    contract = ContractFactory(product=dry)
    LicenseKeyFactory.create_batch(4, product=dry)
    LicenseKeyFactory.create_batch(3, product=dry, contract=contract)
    LicenseKeyFactory.create_batch(5, product=lasting)
    for product in (dry, lasting, empty):
        sell(product, 10)
    sell(sold_long_ago, 100, days_ago=30)
    found = count_figures(timezone.now())
    assert found["dry"] == [[empty.pk, 0, 10], [dry.pk, 4, 10]]
    assert found["dry_products"] == 2


@pytest.mark.parametrize("kind", ["inactive", "envato", "on demand"])
def test_no_stock_runs_dry_that_is_not_sold_from(kind):
    fields = {"inactive": {"status": "inactive"}, "envato": {"source": "envato"}, "on demand": {}}[kind]
    product = ProductFactory(**fields)
    if kind == "on demand":
        GeneratorFactory(product=product)
    sell(product, 10)
    assert count_figures(timezone.now())["dry"] == []


def test_it_counts_jobs_that_went_wrong():
    for state in ("failed", "failed", "uncertain", "delivered"):
        QueuedAssignmentFactory(state=state, code=803, envelope={"response": {}})
    assert count_figures(timezone.now())["jobs"] == {"failed": 2, "uncertain": 1}


# Who counts, and when


@pytest.fixture
def large(monkeypatch):
    """A portal of two license keys, which is a large one here."""
    monkeypatch.setattr(model, "SMALL", 1)
    LicenseKeyFactory.create_batch(2)


def license_keys() -> int:
    return current_figures().data["license_keys"]


def test_a_small_portal_is_counted_for_every_page_and_stores_nothing():
    refresh_figures()
    LicenseKeyFactory()
    assert license_keys() == 1
    LicenseKeyFactory()
    assert license_keys() == 2
    assert Figures.objects.get().data == {}


def test_a_large_portal_is_counted_by_its_worker(large):
    refresh_figures()
    LicenseKeyFactory()
    assert license_keys() == 2
    refresh_figures()
    assert license_keys() == 2, "a second worker has nothing to do within the minute"
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=False):
        keep_figures()
        assert license_keys() == 3
        assert current_figures().taken_at == timezone.now()


def test_the_worker_counts_what_the_first_page_shows(large):
    make_chain(3)
    assert run("run_worker", "--once").code == 0
    stored = Figures.objects.get()
    assert (stored.data["license_keys"], stored.position) == (2, 3)
    assert DailyCount.objects.get().count == 3


def test_without_a_worker_one_page_in_ten_minutes_counts(large, django_assert_num_queries):
    assert license_keys() == 2
    LicenseKeyFactory()
    with time_machine.travel(timezone.now() + timedelta(minutes=9)), django_assert_num_queries(1):
        assert license_keys() == 2
    with time_machine.travel(timezone.now() + timedelta(minutes=11), tick=False):
        Figures.objects.update(claimed_at=timezone.now())
        assert license_keys() == 2, "somebody else is counting just now"
        Figures.objects.update(claimed_at=timezone.now() - timedelta(minutes=10))
        assert license_keys() == 3, "whoever was counting has died"


def test_a_portal_that_shrank_is_counted_for_every_page_again(large):
    refresh_figures()
    LicenseKey.objects.all().delete()
    with time_machine.travel(timezone.now() + timedelta(minutes=1), tick=False):
        refresh_figures()
        LicenseKeyFactory()
        assert license_keys() == 1


def test_what_takes_longer_to_count_than_a_page_may_is_left_to_the_worker(large, monkeypatch):
    def cut(now):
        raise OperationalError("canceling statement due to statement timeout")

    monkeypatch.setattr(figures, "count_figures", cut)
    assert current_figures().data == {}
