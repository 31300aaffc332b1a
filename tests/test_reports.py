"""Reads behind lists and the overview: right, bounded, and from indexes on either database."""

from datetime import timedelta

import pytest
from django.conf import settings
from django.db import connection
from django.db.models import Value
from django.db.models.functions import Lower
from django.utils import timezone

from licenses.models import Activation, AuditEvent, LicenseKey, Owner, Product
from licenses.reports import counting, fragments, lists, overview, search
from licenses.services.daily_counts import Counted, add_to_daily_counts
from tests.factories import ActivationFactory, LicenseKeyFactory, OwnerFactory, ProductFactory

pytestmark = pytest.mark.django_db


def plan(rows) -> str:
    """How the database finds these rows when it may not simply read a small table from end to end."""
    if connection.vendor == "postgresql":
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL enable_seqscan = off")
    return rows.order_by().explain()


@pytest.mark.parametrize(
    ("rows", "field", "index"),
    [
        (LicenseKey.objects, "license_key", "license_key"),
        (LicenseKey.objects, "reference", "reference"),
        (Activation.objects, "identifier", "activation_by_identifier"),
        (AuditEvent.objects, "actor", "audit_event_by_actor"),
    ],
)
def test_it_finds_a_beginning_by_index(rows, field, index):
    steps = plan(rows.filter(fragments.starts_with(field, "abc")))
    assert index in steps
    assert "Index Cond" in steps or "SEARCH" in steps


@pytest.mark.parametrize(("field", "index"), [("email", "owner_by_email"), ("name", "owner_by_name")])
def test_it_finds_an_owner_without_case_by_index(field, index):
    folded = Owner.objects.alias(folded=Lower(field))
    steps = plan(folded.filter(fragments.starts_with("folded", Lower(Value("ABC")))))
    assert index in steps or "owner_one_per_email" in steps
    assert "Index Cond" in steps or "SEARCH" in steps


def test_it_finds_a_kind_of_event_by_index():
    assert "audit_event_by_kind" in plan(AuditEvent.objects.filter(kind="license_key.blocked"))


@pytest.mark.skipif("sqlite" in settings.DATABASES["default"]["ENGINE"], reason="SQLite uses no partial index here")
def test_it_finds_what_people_did_by_an_index_that_calls_of_programs_do_not_fill():
    assert "audit_event_not_by_api" in plan(AuditEvent.objects.filter(door="admin"))


def test_it_stops_a_search_at_its_cap_and_says_so():
    Owner.objects.bulk_create([Owner(name=f"The Ada {number}") for number in range(fragments.MATCH_CAP + 1)])
    matches = search.Search("Ada").owners
    assert (len(matches.pks), matches.cut) == (fragments.MATCH_CAP, True)
    license_key = LicenseKeyFactory(assigned=True, owner=Owner.objects.first())
    assert search.Search("Ada").license_keys.cut
    assert search.Search(license_key.license_key).license_keys == ({license_key.pk}, False)


def test_of_too_many_those_that_begin_so_are_found():
    Owner.objects.bulk_create([Owner(name=f"The Ada {number}") for number in range(fragments.MATCH_CAP + 1)])
    begins = OwnerFactory(name="ada lovelace", email="")
    assert begins.pk in search.Search("Ada").owners.pks


def test_it_counts_up_to_a_cap():
    ProductFactory.create_batch(3)
    counts = [counting.count_up_to(Product.objects.all(), cap) for cap in (2, 3, 4)]
    assert [str(count) for count in counts] == ["2+", "3", "3"]


def test_it_counts_in_rows_by_subquery():
    product = ProductFactory()
    LicenseKeyFactory.create_batch(2, product=product)
    active = LicenseKeyFactory(product=product, assigned=True)
    ActivationFactory.create_batch(2, license_key=active)
    ActivationFactory(license_key=active, deactivated_at=timezone.now())
    counted = lists.with_stock(lists.with_license_key_counts(Product.objects.all(), "product")).get()
    assert (counted.license_key_count, counted.available_count) == (3, 2)
    assert lists.with_live_activations(LicenseKey.objects.filter(pk=active.pk)).get().live_count == 2
    assert lists.live_activations_of([active]) == 2


def test_it_reads_the_last_thirty_days_of_utc_and_adds_up_products():
    at = timezone.now().replace(hour=23, minute=59)
    today = at.date()
    numbers = {(0, 0): 1, (0, 7): 2, (29, 0): 4, (30, 0): 8}
    rows = {
        Counted(today - timedelta(days=ago), "license_key.assigned", product): n
        for (ago, product), n in numbers.items()
    }
    add_to_daily_counts(rows | {Counted(today, "owner.created"): 1})
    days = overview.last_days(at, ["license_key.assigned"])
    assert days.of("license_key.assigned") == [4, *[0] * 28, 3]
    assert list(days.counts) == ["license_key.assigned"]


def refused(*numbers: int, name: str = "refused.210") -> overview.Days:
    """What happened on the last days, today last."""
    today = timezone.now().date()
    add_to_daily_counts({Counted(today - timedelta(days=ago), name): n for ago, n in enumerate(reversed(numbers))})
    return overview.last_days(timezone.now(), [])


def test_it_ranks_refusals_of_the_last_thirty_days():
    refused(1, 2)
    refused(*[5] * 31, name="refused.302")
    assert refused(0, name="refused.nonsense").refusals() == [(302, 150), (210, 3)]


@pytest.mark.parametrize(
    ("numbers", "spike"),
    [
        ([*[10] * 28, 0, 30], (30, 10.0, True)),
        ([*[10] * 28, 30, 29], (30, 10.0, False)),
        ([*[10] * 28, 29, 29], None),
        ([20], (20, 0.0, True)),
        ([19], None),
    ],
)
def test_it_knows_a_spike_from_a_busy_day(numbers, spike):
    expected = [overview.Spike(210, *spike)] if spike else []
    assert refused(*numbers).spikes() == expected
