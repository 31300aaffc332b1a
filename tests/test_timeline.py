"""The timeline of a license key and of an owner: audit events and refused calls, the newest first, in pages."""

import re
from datetime import UTC, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses.models import AuditEvent, RefusedCall
from licenses.reports.timeline import Position, happened_at, timeline_of
from licenses.services.activations import activate_license
from licenses.services.license_keys import block_license_key, extend_license_key, unblock_license_key
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory, OwnerFactory
from tests.test_roles import staff_in

pytestmark = pytest.mark.django_db
KEYS, OWNERS = "/admin/licenses/licensekey/", "/admin/licenses/owner/"


def refuse(license_key, *, minutes=0, code=205, count=1, **fields):
    at = timezone.now() - timedelta(minutes=minutes)
    fields = {"endpoint": "verify", "identifier": f"host-{minutes}"} | fields
    day = at.astimezone(UTC).date()
    return RefusedCall.objects.create(
        license_key=license_key, day=day, code=code, count=count, first_at=at, last_at=at, **fields
    )


def entries(context):
    return [entry for day in context["days"] for entry in day.entries]


def test_it_merges_changes_and_refusals_by_time(staff):
    found = LicenseKeyFactory(assigned=True, expires_at=timezone.now() + timedelta(days=5))
    activate_license(license_key=found.license_key, identifier="studio", actor=ACTOR)
    refuse(found, code=302, count=1400, endpoint="activate", identifier="laptop", address="203.0.113.7", api_key="Shop")
    extend_license_key(license_key=found.license_key, days=30, actor=ACTOR)
    answer = staff.get(f"{KEYS}{found.pk}/change/")
    assert [(entry.tone, entry.title) for entry in entries(answer.context)] == [
        ("info", "License key extended"),
        ("bad", "Refused 1,400 times: License key reached activation limit (302)"),
        ("good", "Activation activated"),
    ]
    source = answer.content.decode()
    assert re.search(r"laptop.*activate · Shop · 203\.0\.113\.7.*studio.*tests · Command", source, re.DOTALL)
    assert "Latest changes" not in source


def test_each_day_stands_there_once_and_the_newest_first(staff):
    found = LicenseKeyFactory(assigned=True)
    for days in (0, 1, 1, 3):
        refuse(found, minutes=days * 1440 + RefusedCall.objects.count())
    context = staff.get(f"{KEYS}{found.pk}/history/").context
    dates = [day.date for day in context["days"]]
    assert dates == sorted(set(dates), reverse=True)
    assert [len(day.entries) for day in context["days"]] == [1, 2, 1]


def test_the_history_pages_through_all_of_it(staff):
    found, now = LicenseKeyFactory(assigned=True), timezone.now()
    for minutes in range(0, 200, 2):
        refuse(found, minutes=minutes)
    same = now - timedelta(minutes=31)  # as many at the very same moment, to page through
    RefusedCall.objects.filter(identifier__in=[f"host-{minutes}" for minutes in range(40, 60, 2)]).update(last_at=same)
    for _ in range(60):
        block_license_key(license_key=found.license_key, actor=ACTOR)
        unblock_license_key(license_key=found.license_key, actor=ACTOR)
    seen, url = [], f"{KEYS}{found.pk}/history/"
    for _ in range(5):
        answer = staff.get(url)
        seen += [(entry.title, entry.at, str(entry.changes)) for entry in entries(answer.context)]
        older = re.search(r'href="(\?after=[\d.]+)"', answer.content.decode())
        if not older:
            break
        url = f"{KEYS}{found.pk}/history/{older[1]}"
    assert len(seen) == 220
    refused = [changes for title, _, changes in seen if title.startswith("Refused")]
    assert (len(refused), len(set(refused))) == (100, 100)


def test_any_size_of_page_gives_everything_once():
    found = LicenseKeyFactory(assigned=True)
    for minutes in range(7):
        refuse(found, minutes=minutes)
    for _ in range(4):
        block_license_key(license_key=found.license_key, actor=ACTOR)
        unblock_license_key(license_key=found.license_key, actor=ACTOR)
    whole = timeline_of(found, size=100).entries
    assert len(whole) == 15
    assert [happened_at(entry) for entry in whole] == sorted(map(happened_at, whole), reverse=True)
    for size in (1, 2, 5, 14, 15):
        pieces, page = [], timeline_of(found, size=size)
        while True:
            pieces += page.entries
            if not page.more:
                break
            page = timeline_of(found, size=size, after=Position.of(str(page.end)))
        assert pieces == whole, size


@pytest.mark.parametrize(
    "text", ["", "x", "1.2", "1.2.3.4", "-1.0.0", "9" * 60, "1.999999999999999999.1", "\u0661.\u0662.\u0663"]
)
def test_a_place_that_is_none_is_the_beginning(staff, text):
    found = LicenseKeyFactory(assigned=True)
    refuse(found)
    assert len(entries(staff.get(f"{KEYS}{found.pk}/history/", {"after": text}).context)) == 1


def test_the_page_shows_the_newest_and_leads_to_the_rest(staff):
    found = LicenseKeyFactory(assigned=True)
    for minutes in range(30):
        refuse(found, minutes=minutes)
    answer = staff.get(f"{KEYS}{found.pk}/change/")
    assert len(entries(answer.context)) == 12
    assert f'<a href="{KEYS}{found.pk}/history/">Show all</a>' in answer.content.decode()


# An owner's page


def owner_with(number):
    owner = OwnerFactory(name="Ada", email="ada@example.com")
    for found in LicenseKeyFactory.create_batch(number, assigned=True, owner=owner, activation_limit=0):
        ActivationFactory(license_key=found)
        refuse(found, count=3)
        extend_license_key(license_key=found.license_key, days=1, actor=ACTOR)
        block_license_key(license_key=found.license_key, actor=ACTOR)
        unblock_license_key(license_key=found.license_key, actor=ACTOR)
        ActivationFactory(license_key=found)
    return owner


def test_an_owners_page_has_all_that_a_call_needs(staff):
    owner = OwnerFactory(name="Ada Lovelace", email="ada@example.com")
    good = ActivationFactory(license_key__owner=owner, license_key__activation_limit=3, identifier="studio")
    LicenseKeyFactory(expired=True, owner=owner)
    blocked = LicenseKeyFactory(assigned=True, owner=owner)
    block_license_key(license_key=blocked.license_key, actor=ACTOR)
    refuse(blocked, count=17, code=204)
    answer = staff.get(f"{OWNERS}{owner.pk}/change/")
    figures = {name: str(figure) for name, figure in answer.context["figures"].items()}
    assert figures == {"license_keys": "3", "expired": "1", "blocked": "1", "places": "1"}
    rows = answer.context["license_keys"]
    assert [(row.code, row.refused, [verb.label for verb in row.verbs]) for row in rows] == [
        (204, 17, ["Unblock"]),
        (205, 0, ["Extend", "Block"]),
        ("", 0, ["Block"]),
    ]
    assert rows[2].places == "1 of 3"
    assert [row.activation for row in answer.context["places"]] == [good]
    assert [entry.title for entry in entries(answer.context)] == ["License key blocked"]
    source = answer.content.decode()
    assert 'data-copy="owner-email"' in source and 'href="mailto:ada@example.com"' in source
    assert f'<a href="{KEYS}{blocked.pk}/change/" class="mono">' in source


def test_the_figures_lead_to_just_these_rows(staff):
    owner = owner_with(2)
    LicenseKeyFactory(expired=True, owner=owner)
    ActivationFactory(), LicenseKeyFactory(expired=True)
    source = staff.get(f"{OWNERS}{owner.pk}/change/").content.decode()
    links = [link.replace("&amp;", "&") for link in re.findall(r'<dd><a href="([^"]+)"', source)]
    assert [staff.get(link).context["cl"].result_count for link in links] == [3, 1, 0, 2]


def test_an_owners_verbs_lead_back_to_the_owner(staff):
    owner = owner_with(1)
    answer = staff.get(f"{OWNERS}{owner.pk}/change/")
    for mend in (*answer.context["license_keys"][0].verbs, *answer.context["places"][0].verbs):
        form = {"action": mend.verb, "_selected_action": mend.row, "back": answer.context["back"], "confirmed": "1"}
        done = staff.post(mend.url, form | {"days": "3"})
        assert done.headers["Location"] == f"{OWNERS}{owner.pk}/change/"
    assert not owner.license_keys.filter(status="assigned").exists()


def test_an_owners_page_shows_no_more_than_its_reader_may_see(db):
    owner = owner_with(1)
    client = staff_in(codenames=["view_owner"])
    answer = client.get(f"{OWNERS}{owner.pk}/change/")
    source = answer.content.decode()
    assert "Where they run" not in source and str(owner.license_keys.get()) not in source
    assert [entry.title for entry in entries(answer.context)] == []
    assert entries(client.get(f"{OWNERS}{owner.pk}/history/").context) == []
    both = staff_in(codenames=["view_owner", "view_licensekey"], name="both")
    page = both.get(f"{OWNERS}{owner.pk}/change/").context
    assert (page["license_keys"][0].verbs, page.get("places")) == ((), None)


def test_an_owners_page_costs_the_same_for_few_and_many(staff):
    few, costs = owner_with(1), []
    few.email = "few@example.com"
    few.save()
    many = owner_with(60)
    for owner in (few, many, few, many):
        with CaptureQueriesContext(connection) as captured:
            context = staff.get(f"{OWNERS}{owner.pk}/change/").context
        costs.append(len(captured))
    assert costs[2] == costs[3] <= 25
    assert (len(context["license_keys"]), len(context["places"]), context["more_license_keys"]) == (10, 10, True)
    assert AuditEvent.objects.count() > 100


@pytest.mark.parametrize("name", ["", "   "])
def test_an_owner_has_a_name_or_an_address(staff, name):
    answer = staff.post(f"{OWNERS}add/", {"name": name, "email": ""})
    assert answer.context["errors"] == [["Give an e-mail address, or at least a name."]]
    assert staff.post(f"{OWNERS}add/", {"name": "Ada", "email": ""}).status_code == 302
    assert staff.post(f"{OWNERS}add/", {"name": "", "email": "b@example.com"}).status_code == 302
    wrong = staff.post(f"{OWNERS}add/", {"name": "", "email": "nonsense"})
    assert wrong.context["errors"] == [["Enter a valid email address."]]


def test_an_owner_whom_a_shop_sent_without_both_can_still_be_looked_at(staff):
    owner = OwnerFactory(name="", email="")
    assert staff.get(f"{OWNERS}{owner.pk}/change/").status_code == 200
    assert staff.post(f"{OWNERS}{owner.pk}/change/", {"name": "", "email": ""}).status_code == 302
