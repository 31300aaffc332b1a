""" "What would this license key answer?": what the endpoints do, and what mends it. Asking changes nothing."""

import json
import random
import re
from datetime import timedelta

import pytest
from django.apps import apps
from django.contrib.messages import get_messages
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from licenses.admin.license_key_state import state_of
from licenses.codes import Code
from licenses.models import Activation, BlockListEntry, LicenseKey, Product, RefusedCall
from licenses.services.activations import deactivate_license
from licenses.services.license_keys import block_license_key
from licenses.services.why import CALLS, would_answer
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory, ProductFactory
from tests.test_roles import staff_in

pytestmark = pytest.mark.django_db
LIST = "/admin/licenses/licensekey/"
SEEDS = range(24)
HOSTS = ("host-a", "host-b", "Host-A", "ünï.example", "x" * 255)


def page_of(license_key, **query):
    return f"{LIST}{license_key.pk}/change/", query


def tables():
    """Every row of every table of the portal."""
    models = [*apps.get_app_config("licenses").get_models(), *apps.get_app_config("auth").get_models()]
    return {model._meta.label: list(model.objects.order_by("pk").values()) for model in models}


def shown(client, license_key, identifier=None):
    """The codes on the page, by endpoint; and the page."""
    url, query = page_of(license_key, **({} if identifier is None else {"identifier": identifier}))
    answer = client.get(url, query)
    assert answer.status_code == 200
    return {each.endpoint: each.code.value.number for each in answer.context["answers"]}, answer


def any_license_key(chance):
    """A license key in a state that chance chose, with everything that the rules look at."""
    product = ProductFactory(
        status=chance.choice(["active"] * 4 + ["inactive", "deleted"]), require_non_expired=chance.random() < 0.6
    )
    status = chance.choice(["assigned"] * 5 + ["available", "reserved", "blocked"])
    traits = {"assigned": True} if status == "assigned" or (status == "blocked" and chance.random() < 0.5) else {}
    expiry = chance.choice([None, timedelta(days=-1), timedelta(seconds=-1), timedelta(days=9)]) if traits else None
    found = LicenseKeyFactory(
        product=product,
        **traits,
        expires_at=timezone.now() + expiry if expiry else None,
        activation_limit=chance.choice([0, 1, 1, 2, 3]),
    )
    LicenseKey.objects.filter(pk=found.pk).update(status=status)
    if status == "assigned":
        for host in chance.sample(HOSTS, chance.randint(0, min(3, found.activation_limit or 3))):
            ended = timezone.now() if chance.random() < 0.4 else None
            ActivationFactory(license_key=found, identifier=host, deactivated_at=ended)
    for host in HOSTS:
        if chance.random() < 0.1:
            BlockListEntry.objects.get_or_create(kind="identifier", value=host)
    return LicenseKey.objects.get(pk=found.pk)


@pytest.mark.parametrize("seed", SEEDS)
def test_the_panel_says_what_the_endpoints_then_answer(portal, settings, seed):
    for name in ("ADDRESS", "API_KEY", "LICENSE_KEY"):
        setattr(settings, f"{name}_REQUESTS_PER_MINUTE", 0)
    chance = random.Random(seed)
    found = any_license_key(chance)
    for _ in range(4):
        identifier, endpoint = chance.choice(("", *HOSTS)), chance.choice(list(CALLS))
        found = LicenseKey.objects.get(pk=found.pk)
        expected = would_answer(endpoint, found, identifier).value.number
        sent = {"license_key": found.license_key, "identifier": identifier}
        assert portal(endpoint, **sent)["code"] == expected, (seed, endpoint, identifier)


def test_the_states_that_chance_chooses_reach_every_answer(global_key):
    seen = set()
    for seed in range(150):
        found = any_license_key(random.Random(seed))
        seen |= {would_answer(endpoint, found, host) for endpoint in CALLS for host in ("", *HOSTS)}
        BlockListEntry.objects.all().delete()
    numbers = {code.value.number for code in seen}
    assert numbers == {150, 200, 201, 202, 203, 204, 205, 215, 300, 301, 302}


@pytest.mark.parametrize("seed", range(6))
def test_the_page_says_the_same_and_writes_nothing(staff, seed):
    chance = random.Random(seed + 1000)
    found = any_license_key(chance)
    before = tables()
    for identifier in (None, *HOSTS):
        codes, answer = shown(staff, found, identifier)
        expected = {each: would_answer(each, found, identifier or "").value.number for each in CALLS}
        assert codes == expected
        source = answer.content.decode()
        responses = [
            json.loads(text.replace("&quot;", '"')) for text in re.findall(r"<pre>(.*?)</pre>", source, re.DOTALL)
        ]
        assert [list(response) for response in responses] == [["code", "message", "timestamp"]] * 2
        assert [response["code"] for response in responses] == list(expected.values())
    assert tables() == before


def test_asking_is_no_call(staff, refusals):
    from licenses.services import refused_calls

    found = LicenseKeyFactory(expired=True)
    shown(staff, found, "host")
    assert not refused_calls.waiting.counts


# In one sentence


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (LicenseKeyFactory, "is refused everywhere: it is available and belongs to nobody (201)."),
        (lambda: LicenseKeyFactory(status="reserved"), "it is reserved and belongs to nobody (201)."),
        (
            lambda: LicenseKeyFactory(assigned=True, product__status="inactive"),
            "is refused everywhere: its product is inactive (203).",
        ),
        (
            lambda: LicenseKeyFactory(assigned=True, expires_at="2026-05-03T12:00Z"),
            "is refused everywhere: it expired on 3 May 2026 (205).",
        ),
        (
            lambda: LicenseKeyFactory(
                assigned=True, expires_at="2026-05-03T12:00Z", product__require_non_expired=False
            ),
            "It expired on 3 May 2026, but its product lets expired license keys work.",
        ),
        (lambda: LicenseKeyFactory(assigned=True, activation_limit=5), "active nowhere yet: 5 places are free."),
        (
            lambda: ActivationFactory(license_key__activation_limit=5).license_key,
            "This license key works in 1 of 5 places.",
        ),
        (
            lambda: ActivationFactory(license_key__activation_limit=1).license_key,
            "This license key works in 1 of 1 place. It is taken: another one is refused (302).",
        ),
        (
            lambda: ActivationFactory(license_key__activation_limit=0).license_key,
            "This license key works in 1 place, without a limit.",
        ),
    ],
)
def test_the_first_line_says_it_all(staff, make, words):
    _, answer = shown(staff, make())
    assert words in answer.context["state"].sentence
    assert words in answer.content.decode()


def test_a_block_says_when_and_by_whom(staff):
    found = LicenseKeyFactory(assigned=True)
    block_license_key(license_key=found.license_key, actor=ACTOR)
    _, answer = shown(staff, found, "host")
    state = answer.context["state"]
    assert state.sentence.endswith(f"it was blocked on {timezone.now():%-d %B %Y} (204).")
    assert "It was blocked by tests (Command)." in answer.content.decode()


# What mends it


def buttons(answer, endpoint="activate"):
    reason = next(each.reason for each in answer.context["answers"] if each.endpoint == endpoint)
    return [(mend.label, mend.about) for mend in reason.mends]


def press(client, answer, label, **fields):
    """The button, and yes on the page that asks: two clicks. Returns where that leads."""
    found = [*answer.context["state"].mends, *(m for each in answer.context["answers"] for m in each.reason.mends)]
    mend = next(mend for mend in found if mend.label == label)
    form = {"action": mend.verb, "_selected_action": mend.row, "from_object": "1", "back": answer.context["back"]}
    asked = client.post(mend.url, form)
    assert "admin/verb.html" in [template.name for template in asked.templates]
    assert f'name="back" value="{answer.context["back"]}"' in asked.content.decode()
    done = client.post(mend.url, form | {"confirmed": "1"} | fields)
    assert done.status_code == 302, [str(message) for message in get_messages(asked.wsgi_request)]
    return done.headers["Location"]


@pytest.mark.parametrize(
    ("make", "label", "fields"),
    [
        (LicenseKeyFactory, "Assign", {"owner_email": "ada@example.com"}),
        (lambda: LicenseKeyFactory(assigned=True, status="blocked"), "Unblock", {}),
        (lambda: LicenseKeyFactory(expired=True), "Extend", {"days": "30"}),
        (lambda: LicenseKeyFactory(assigned=True, product__status="inactive"), "Make active", {}),
        (lambda: LicenseKeyFactory(assigned=True, product__status="deleted"), "Make active", {}),
    ],
)
def test_two_clicks_mend_what_refuses_everywhere(staff, make, label, fields):
    found = make()
    _, answer = shown(staff, found, "host")
    assert [mend.label for mend in answer.context["state"].mends] == [label]
    back = press(staff, answer, label, **fields)
    assert back == f"{LIST}{found.pk}/change/?identifier=host"
    after = staff.get(back).context
    assert (after["state"].tone, after["answers"][1].code) == ("good", Code.LICENSE_KEY_ACTIVATED)


def test_at_the_limit_an_activation_is_ended_or_the_limit_raised(staff):
    found = LicenseKeyFactory(assigned=True, activation_limit=2)
    for host, days in (("old", 50), ("new", 1)):
        seen = timezone.now() - timedelta(days=days)
        ActivationFactory(license_key=found, identifier=host, activated_at=seen, last_verified_at=seen)
    codes, answer = shown(staff, found, "third")
    assert codes == {"verify": 202, "activate": 302}
    assert buttons(answer) == [("Deactivate", "old"), ("Deactivate", "new"), ("Raise the limit", "")]
    press(staff, answer, "Deactivate")
    assert list(Activation.objects.live().values_list("identifier", flat=True)) == ["new"]
    assert shown(staff, found, "third")[0]["activate"] == 300


def test_an_activation_that_runs_can_be_ended(staff):
    activation = ActivationFactory(identifier="lost-laptop")
    codes, answer = shown(staff, activation.license_key, "  lost-laptop ")
    assert codes == {"verify": 200, "activate": 301}
    press(staff, answer, "Deactivate")
    assert not Activation.objects.live().exists()
    deactivated = shown(staff, activation.license_key, "lost-laptop")[1].content.decode()
    assert "It was active there, and was deactivated." in deactivated


def test_the_block_lists_entry_is_one_click_away(staff):
    entry = BlockListEntry.objects.create(kind="identifier", value="stolen", reason="Ticket <7>")
    found = LicenseKeyFactory(assigned=True)
    codes, answer = shown(staff, found, "stolen")
    assert codes == {"verify": 150, "activate": 150}
    source = answer.content.decode()
    assert f'href="/admin/licenses/blocklistentry/{entry.pk}/change/"' in source
    assert "Ticket &lt;7&gt;" in source


@pytest.mark.parametrize(("role", "may"), [("Support", False), ("License manager", True), ("Auditor", False)])
def test_only_buttons_that_may_be_pressed_are_shown(global_key, role, may):
    client, found = staff_in(role), LicenseKeyFactory(assigned=True, product__status="inactive")
    _, answer = shown(client, found, "host")
    assert bool(answer.context["state"].mends) is may
    LicenseKey.objects.filter(pk=found.pk).update(status="blocked")
    Product.objects.update(status="active")
    _, answer = shown(client, found, "host")
    assert bool(answer.context["state"].mends) is (role != "Auditor")
    BlockListEntry.objects.create(kind="identifier", value="host")
    assert buttons(shown(client, found, "host")[1]) == [("Show the entry", "")]


def test_an_action_leads_back_into_the_admin_alone(staff):
    found = LicenseKeyFactory(assigned=True)
    form = {"action": "block", "_selected_action": found.pk, "from_object": "1", "confirmed": "1"}
    for back in ("https://evil.example/", "//evil.example/admin/", "/api/docs/", "javascript:alert(1)"):
        assert staff.post(LIST, form | {"back": back}).headers["Location"] == f"{LIST}{found.pk}/change/"


# The field


@pytest.mark.parametrize("text", ["x" * 256, "a\nb", "a\0b", "a\x7fb"])
def test_what_can_be_no_identifier_is_said_to_be_none(staff, text):
    found = LicenseKeyFactory(assigned=True)
    codes, answer = shown(staff, found, text)
    assert codes == {}
    assert answer.context["problems"]
    assert answer.context["state"].tone == "good"


def test_markup_in_an_identifier_stays_text(staff):
    found = LicenseKeyFactory(assigned=True)
    source = shown(staff, found, '"><script>alert(1)</script>')[1].content.decode()
    assert "<script>alert(1)" not in source


def test_it_offers_where_it_runs_and_where_it_was_refused(staff):
    found, now = LicenseKeyFactory(assigned=True), timezone.now()
    ActivationFactory(license_key=found, identifier="runs-here")
    for minutes, host in ((1, "newest & best"), (2, "older"), (3, "newest & best")):
        at = now - timedelta(minutes=minutes)
        fields = {"day": at.date(), "first_at": at, "last_at": at, "count": 1}
        RefusedCall.objects.create(license_key=found, endpoint=f"e{minutes}", code=202, identifier=host, **fields)
    _, answer = shown(staff, found)
    assert answer.context["offered"] == ["newest & best", "older", "runs-here"]
    assert [call.identifier for call in answer.context["lately"]] == ["newest & best", "older"]
    assert "?identifier=newest%20%26%20best#why" in answer.content.decode()


def test_the_page_costs_the_same_for_few_and_many(staff):
    few, many = (
        LicenseKeyFactory(assigned=True, activation_limit=1),
        LicenseKeyFactory(assigned=True, activation_limit=60),
    )
    ActivationFactory(license_key=few, identifier="host-0")
    now = timezone.now()
    for number in range(60):
        ActivationFactory(license_key=many, identifier=f"host-{number}")
    for found, number in ((few, 1), (many, 60)):
        for host in range(number):
            fields = {"day": now.date(), "first_at": now, "last_at": now, "count": 1, "code": 302}
            RefusedCall.objects.create(license_key=found, endpoint="activate", identifier=f"r-{host}", **fields)
        deactivate_license(license_key=found.license_key, identifier="host-0", actor=ACTOR)
        ActivationFactory(license_key=found, identifier="again")
    costs = []
    for found in (few, many, few, many):
        with CaptureQueriesContext(connection) as captured:
            shown(staff, found, "elsewhere")
        costs.append(len(captured))
    assert costs[2] == costs[3] <= 30


def test_state_of_many_places_is_counted_to_an_end():
    found = LicenseKeyFactory(assigned=True, activation_limit=0)
    found.live_count = 1001
    assert "works in 1,000+ places" in state_of(found, None).sentence
