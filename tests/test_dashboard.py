"""The first page: figures, charts and what needs attention, each for whoever may see it and with its list."""

import json
import re
import time
from datetime import timedelta

import pytest
from django.db import OperationalError, connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses.audit_chain import link_all
from licenses.models import Assignment, AuditEvent, Figures, LicenseKey, SigningKey
from licenses.models import figures as figures_model
from licenses.services import activity
from licenses.services.daily_counts import Counted, add_to_daily_counts
from licenses.services.figures import refresh_figures
from licensing_portal import health_page
from tests.audit import make_chain
from tests.factories import (
    ContractFactory,
    LicenseKeyFactory,
    OwnerFactory,
    ProductFactory,
    QueuedAssignmentFactory,
)
from tests.test_admin_pages import fill
from tests.test_roles import staff_in

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def nothing_wrong_with_the_installation(monkeypatch):
    """As the health page remembers it for half a minute: no worker runs beside these tests."""
    monkeypatch.setattr(health_page, "_seen", (time.monotonic(), []))


def first_page(client):
    answer = client.get("/admin/")
    assert answer.status_code == 200
    return answer


def titles(client) -> list[str]:
    return [line.title for line in first_page(client).context["attention"]]


def happened(name: str, *numbers: int, product: int = 0) -> None:
    """So often on the last days, today last."""
    today = timezone.now().date()
    counts = {Counted(today - timedelta(days=ago), name, product): n for ago, n in enumerate(reversed(numbers))}
    add_to_daily_counts(counts)


# Charts


def test_every_number_of_license_keys_has_its_list(staff, global_key):
    now, owner = timezone.now(), OwnerFactory()
    for product in ProductFactory.create_batch(2):
        LicenseKeyFactory.create_batch(3, product=product)
        LicenseKeyFactory(product=product, contract=ContractFactory(product=product))
        LicenseKeyFactory(product=product, status="reserved")
        LicenseKeyFactory(product=product, status="blocked")
        for days in (None, -1, 5, 90):
            ends = now + timedelta(days=days) if days else None
            LicenseKeyFactory(product=product, status="assigned", owner=owner, assigned_at=now, expires_at=ends)
    chart = first_page(staff).context["charts"]["products"]
    assert [series.name for series in chart.series] == ["In force", "Expired", "Available", "Reserved", "Blocked"]
    for series in chart.series:
        assert staff.get(series.url).context["cl"].result_count == sum(point.value for point in series.points)
        for point in series.points:
            assert staff.get(point.url).context["cl"].result_count == point.value > 0
    assert sum(point.value for series in chart.series for point in series.points) == LicenseKey.objects.count()


def test_many_products_are_eight_bars_and_one(staff):
    for number in range(12):
        LicenseKeyFactory.create_batch(13 - number, product=ProductFactory(name=f"Product {number}"))
    chart = first_page(staff).context["charts"]["products"]
    assert [label for label, _, _ in chart.rows] == [*(f"Product {n}" for n in range(8)), "4 other products"]
    assert [points[0].value for _, _, points in chart.rows] == [13, 12, 11, 10, 9, 8, 7, 6, 5 + 4 + 3 + 2]


def test_refusals_stand_by_reason_in_words(staff):
    happened("refused.210", 3, 4)
    happened("refused.302", 9)
    for number in range(8):
        happened(f"refused.{9000 + number}", 1)
    chart = first_page(staff).context["charts"]["refused"]
    named = [(label, points[0].value) for label, _, points in chart.rows]
    assert named[:2] == [("License key reached activation limit (302)", 9), ("Invalid license key (210)", 7)]
    assert named[-1] == ("2 other reasons", 2)
    assert len(named) == 9
    assert chart.about.startswith("24 calls were refused")


def test_activity_counts_what_just_happened(staff, global_key):
    fill()
    link_all()
    happened("license_key.assigned", 5, 0, 7, product=1)
    chart = first_page(staff).context["charts"]["activity"]
    assigned = next(series for series in chart.series if series.name == "Assigned")
    of_today = AuditEvent.objects.filter(kind="license_key.assigned").count()
    assert [point.value for point in assigned.points] == [*[0] * 27, 5, 0, 7 + of_today]
    assert staff.get(assigned.url).context["cl"].result_count == of_today > 0


def test_the_numbers_are_a_table_and_data_for_the_script(staff):
    happened("refused.210", 1234)
    source = first_page(staff).content.decode()
    assert "<td>1,234</td>" in source
    data = json.loads(re.search(r'<script id="refused-data" type="application/json">(.*?)</script>', source)[1])
    assert (data["labels"], data["series"][0]["values"]) == (["Invalid license key (210)"], [1234])
    assert re.search(r'<canvas data-chart="refused-data" role="img" aria-label="[^"]+1,234 calls', source)


# What needs attention


def test_nothing_needs_attention_where_all_is_well(staff, global_key):
    fill()
    answer = first_page(staff)
    assert answer.context["attention"] == []
    assert "All well" in answer.content.decode()


def test_every_line_leads_to_what_it_is_about(staff, global_key, monkeypatch):
    monkeypatch.setenv("LICENSE_KEY", "RTM0X-GFPH5-J2T8B-N0WWV-Y4G21")
    product, soon = ProductFactory(name="Photo Editor"), timezone.now() + timedelta(days=3)
    LicenseKeyFactory(product=product)
    LicenseKeyFactory(product=product, contract=ContractFactory(product=product))
    LicenseKeyFactory(product=product, assigned=True, expires_at=soon)
    happened("license_key.assigned", 6, product=product.pk)
    happened("refused.210", 64)
    done = {"code": 803, "envelope": {"response": {}}, "product": product}
    QueuedAssignmentFactory.create_batch(2, state="failed", **done)
    QueuedAssignmentFactory(state="uncertain", **done)
    SigningKey.objects.update(activated_at=timezone.now() - timedelta(days=400))
    lines = first_page(staff).context["attention"]
    assert [(line.tone, line.title) for line in lines] == [
        ("bad", "2 queued assignments not delivered"),
        ("warn", "1 delivery uncertain"),
        ("warn", "Photo Editor: 1 license key left, enough for about 5 days"),
        ("warn", "Refused far more often than usual: Invalid license key (210)"),
        ("info", "1 license key expires soon and has gone quiet"),
        ("info", "The global signing key has signed for 13 months"),
        ("info", "License Key is locked"),
    ]
    counts = {}
    for line in lines:
        answer = first_page(staff) if line.url.startswith("#") else staff.get(line.url)
        assert answer.status_code == 200, line
        if "cl" in answer.context:
            counts[line.title] = answer.context["cl"].result_count
    assert list(counts.values()) == [2, 1, 1, 1]
    assert "RTM0X" not in first_page(staff).content.decode()


def test_an_empty_stock_is_worse_than_a_small_one(staff, global_key):
    product = ProductFactory(name="Photo Editor")
    happened("license_key.assigned", 6, product=product.pk)
    assert [line.tone for line in first_page(staff).context["attention"]] == ["bad"]
    assert titles(staff) == ["Photo Editor: no license key is left to assign"]


def test_many_dry_stocks_are_five_lines_and_one(staff, global_key):
    for product in ProductFactory.create_batch(8):
        happened("license_key.assigned", 6, product=product.pk)
    assert len(titles(staff)) == 6
    assert "3 more products running dry" in titles(staff)


def test_a_portal_that_cannot_sign_says_so(staff):
    assert titles(staff) == ["There is no global signing key"]


def test_what_is_wrong_with_the_installation_stands_here_too(staff, global_key, monkeypatch):
    monkeypatch.setattr(health_page, "_seen", None)
    lines = [line for line in first_page(staff).context["attention"] if line.title.startswith("Worker")]
    assert [(line.tone, line.title, line.url) for line in lines] == [("warn", "Worker: None runs", "/admin/health/")]
    assert "manage.py run_worker" in lines[0].text


def test_nothing_is_said_twice(staff, monkeypatch):
    """A queue, a file and a signing key that both pages look at."""
    monkeypatch.setattr(health_page, "_seen", None)
    monkeypatch.setenv("LICENSE_KEY", "RTM0X-GFPH5-J2T8B-N0WWV-Y4G21")
    QueuedAssignmentFactory(state="failed", code=803, envelope={"response": {}})
    Assignment.objects.create(digest="a", source="a.csv", state="failed")
    found = titles(staff)
    for word in ("not delivered", "bulk assignment", "global signing key", "License Key"):
        assert len([title for title in found if word.lower() in title.lower()]) == 1, (word, found)


def test_bulk_assignments_that_failed_lately_or_stand_still(global_key):
    rows = [("failed", 0), ("failed", 3), ("failed", 9), ("paused", 9), ("done", 0)]
    for number, (state, days) in enumerate(rows):
        made = Assignment.objects.create(digest=str(number), source=f"{number}.csv", state=state)
        Assignment.objects.filter(pk=made.pk).update(started_at=timezone.now() - timedelta(days=days))
    manager = staff_in("License manager")
    assert titles(manager) == ["2 bulk assignments failed", "1 bulk assignment paused"]
    for line in first_page(manager).context["attention"]:
        assert manager.get(line.url).status_code == 200
    assert titles(staff_in(name="clerk", codenames=["view_owner", "view_licensekey"])) == []


# For whom, and at what cost


@pytest.mark.parametrize(
    ("name", "figures", "lines"),
    [
        ("Support", 8, ["Refused", "1 license key"]),
        ("License manager", 8, ["1 queued", "Refused", "1 license key"]),
        ("Auditor", 8, ["1 queued", "Refused", "1 license key", "The global", "License Key"]),
        ("Administrator", 8, ["1 queued", "Refused", "1 license key", "The global", "License Key"]),
    ],
)
def test_each_role_sees_its_own(global_key, monkeypatch, name, figures, lines):
    monkeypatch.setenv("LICENSE_KEY", "RTM0X-GFPH5-J2T8B-N0WWV-Y4G21")
    LicenseKeyFactory(assigned=True, expires_at=timezone.now() + timedelta(days=3))
    happened("refused.210", 64)
    QueuedAssignmentFactory(state="failed", code=803, envelope={"response": {}})
    SigningKey.objects.update(activated_at=timezone.now() - timedelta(days=400))
    client = staff_in(name)
    found = titles(client)
    assert len(found) == len(lines)
    assert all(title.startswith(line) for title, line in zip(found, lines, strict=True)), found
    assert len(first_page(client).context["figures"]) == figures
    for line in first_page(client).context["attention"]:
        assert client.get(line.url.partition("#")[0] or "/admin/").status_code == 200, line


def test_whoever_may_see_owners_alone_sees_owners_alone(global_key):
    OwnerFactory()
    LicenseKeyFactory()
    happened("refused.210", 64)
    answer = first_page(staff_in(name="clerk", codenames=["view_owner"]))
    assert [figure["title"] for figure in answer.context["figures"]] == ["Owners"]
    assert answer.context["charts"] is answer.context["attention"] is None
    assert "canvas" not in answer.content.decode()
    assert "chart-4.6.1" not in answer.content.decode()


def test_without_the_audit_trail_activity_has_no_links_to_it(global_key):
    happened("license_key.assigned", 1)
    client = staff_in(name="clerk", codenames=["view_licensekey"])
    chart = first_page(client).context["charts"]["activity"]
    assert [series.url for series in chart.series] == [""]


def test_an_empty_portal_says_what_to_do(staff):
    source = first_page(staff).content.decode()
    for text in ("No license keys yet.", "No call was refused", "Nothing was assigned or activated", "First steps"):
        assert text in source
    assert "<canvas" not in source


@pytest.mark.parametrize("size", ["small", "large"])
def test_it_asks_the_database_equally_often_for_one_product_and_for_fifty(staff, global_key, monkeypatch, size):
    if size == "large":
        monkeypatch.setattr(figures_model, "SMALL", 0)

    def queries() -> int:
        refresh_figures()
        Figures.objects.update(claimed_at=None)
        while activity.roll_up_activity():
            pass
        with CaptureQueriesContext(connection) as captured:
            first_page(staff)
        return len(captured)

    def sell(product) -> None:
        LicenseKeyFactory(product=product, assigned=True, expires_at=timezone.now() + timedelta(days=3))
        LicenseKeyFactory(product=product)
        QueuedAssignmentFactory(product=product, state="failed", code=803, envelope={"response": {}})
        happened("license_key.assigned", 30, product=product.pk)
        happened("refused.210", 64)

    sell(ProductFactory())
    make_chain(1)
    queries()  # the first page of a process also reads the content types
    few = queries()
    for product in ProductFactory.create_batch(50):
        sell(product)
    make_chain(50)
    assert queries() == few
    assert few <= (23 if size == "small" else 16)


def test_figures_that_were_counted_before_say_so(staff, global_key, monkeypatch):
    LicenseKeyFactory()
    assert "counted-at" not in first_page(staff).content.decode()
    monkeypatch.setattr(figures_model, "SMALL", 0)
    refresh_figures()
    Figures.objects.update(taken_at=timezone.now() - timedelta(minutes=2))
    assert re.search(r"Counted <time [^>]+>2\xa0minutes ago</time>", first_page(staff).content.decode())


def test_it_says_what_nobody_has_counted_yet(staff, monkeypatch):
    monkeypatch.setattr(activity, "BATCH", 2)
    make_chain(9)

    def locked(*, wait):
        raise OperationalError("database is locked")

    assert re.search(r"[78] older changes are not in the activity yet", first_page(staff).content.decode())
    monkeypatch.setattr(activity, "roll_up_activity", locked)
    assert "older changes are not in the activity yet" in first_page(staff).content.decode()
