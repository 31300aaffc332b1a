"""Actions say what they would do before they do it, from the services themselves, and what they did afterwards."""

import re
from datetime import timedelta

import pytest
from django import forms
from django.contrib import admin
from django.contrib.messages import get_messages
from django.db import DatabaseError, OperationalError, connection
from django.test import Client
from django.utils import timezone

from licenses.admin import verb_runs
from licenses.events import Kind
from licenses.models import Activation, AuditChain, AuditEvent, LicenseKey, Owner
from licenses.services.license_keys import block_license_key
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory, OwnerFactory, ProductFactory

pytestmark = pytest.mark.django_db
LIST = "/admin/licenses/licensekey/"


def send(client, verb, *rows, url=LIST, **fields):
    return client.post(url, {"action": verb, "_selected_action": [row.pk for row in rows], **fields})


def hidden(answer) -> dict[str, list[str]]:
    """What the page's form sends back, as a browser would."""
    found: dict[str, list[str]] = {}
    source = answer.content.decode().partition('id="content-main"')[2]
    for name, value in re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', source):
        found.setdefault(name, []).append(value)
    found.pop("csrfmiddlewaretoken", None)
    return found


def confirm(client, answer, url=LIST, **fields):
    return client.post(url, hidden(answer) | fields)


def said(answer) -> list[str]:
    return [str(message) for message in get_messages(answer.wsgi_request)]


def text_of(answer) -> str:
    """The page as it is read."""
    source = answer.content.decode().partition('id="content-main"')[2]
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", source))


def stored() -> list:
    models = (LicenseKey, Activation, Owner, AuditEvent)
    return [list(model.objects.order_by("pk").values()) for model in models]


# The preview


def test_it_asks_then_shows_before_and_after_then_does_it(staff):
    expires_at = timezone.make_aware(timezone.datetime(2031, 5, 3, 12))
    license_key = LicenseKeyFactory(assigned=True, expires_at=expires_at)
    before = stored()
    asked = send(staff, "extend", license_key)
    assert "Show what will change" in asked.content.decode()
    assert "preview" not in hidden(asked)
    shown = confirm(staff, asked, days="30")
    assert "expires at 3 May 2031, 12:00 → 2 Jun 2031, 12:00" in text_of(shown)
    assert 'value="Extend: 1 license key"' in shown.content.decode()
    assert stored() == before, "nothing is written by a page that shows"
    done = confirm(staff, shown)
    license_key.refresh_from_db()
    assert license_key.expires_at == expires_at + timedelta(days=30)
    assert said(done) == ["1 license key was extended by 30 days."]
    assert AuditEvent.objects.get().actor == "root"


def test_it_shows_the_activations_that_a_block_ends(staff):
    license_key = LicenseKeyFactory(assigned=True)
    ActivationFactory.create_batch(2, license_key=license_key)
    before = stored()
    shown = text_of(send(staff, "block", license_key))
    assert "status assigned → blocked" in shown
    assert "2 activations end" in shown
    assert stored() == before


def test_it_shows_the_owner_by_name(staff):
    OwnerFactory(email="ann@example.com", name="Ann")
    first, second = LicenseKeyFactory(), LicenseKeyFactory()
    sent = {"owner_email": "ann@example.com", "asked": "1"}
    shown = text_of(send(staff, "assign", first, **sent))
    assert "owner — → ann@example.com" in shown
    assert "— → —" not in shown, "an empty reference stays empty"
    shown = text_of(send(staff, "assign", first, second, **sent | {"owner_email": "new@example.com"}))
    assert shown.count("owner — → new@example.com") == 2
    assert shown.count("A new owner is made") == 1, "the second one gets the owner that the first one made"
    assert not Owner.objects.filter(email="new@example.com").exists()


def test_it_counts_what_stays_and_what_is_refused_by_reason(staff):
    free, endless = LicenseKeyFactory.create_batch(3), LicenseKeyFactory(status="blocked")
    taken = LicenseKeyFactory.create_batch(2, assigned=True)
    sent = {"owner_email": "ann@example.com", "asked": "1"}
    shown = text_of(send(staff, "assign", *free, endless, *taken, **sent))
    assert "Will change 3 license keys" in shown
    assert "Refused 3 license keys: Invalid or already assigned license key" in shown
    assert "The numbers above are about all of them: 1 more." in shown
    shown = text_of(send(staff, "block", free[0], endless))
    assert "Stays as before 1 license key: blocked already" in shown


def test_it_offers_no_button_when_nothing_would_change(staff):
    source = send(staff, "block", LicenseKeyFactory(status="blocked")).content.decode()
    assert "0 license keys" in source
    assert 'type="submit" value="Block' not in source


def test_it_goes_back_to_the_form_with_what_was_typed(staff):
    shown = send(staff, "extend", LicenseKeyFactory(expired=True), days="45", asked="1")
    form = confirm(staff, shown, edit="1")
    assert 'name="days" value="45"' in form.content.decode()
    assert "Show what will change" in form.content.decode()


@pytest.mark.django_db(transaction=True)
def test_a_preview_leaves_the_audit_chain_as_it_was(staff):
    license_key = LicenseKeyFactory(expired=True)
    chain, events = AuditChain.objects.values(), AuditEvent.objects.count()
    before = list(chain)
    send(staff, "block", license_key)
    assert (list(chain.all()), AuditEvent.objects.count()) == (before, events)
    assert not connection.in_atomic_block
    confirm(staff, send(staff, "block", license_key))
    event = AuditEvent.objects.get(kind=Kind.LICENSE_KEY_BLOCKED)
    assert event.position is not None, "done for good, it is linked"


def test_it_looks_at_as_many_as_there_is_time_for(staff, monkeypatch):
    monkeypatch.setattr(verb_runs, "PREVIEW_SECONDS", -1)
    monkeypatch.setattr(verb_runs, "PREVIEW_CHUNK", 2)
    rows = LicenseKeyFactory.create_batch(5, product=ProductFactory())
    shown = send(staff, "block", *rows)
    assert "Not looked at 3 license keys" in text_of(shown)
    confirm(staff, shown)
    assert LicenseKey.objects.filter(status="blocked").count() == 5


def test_every_preview_is_shown_for_the_verbs_that_say_so(staff):
    """Those without one make something anew each time: what they showed would not be what comes."""
    without = {
        verb.name for page in admin.site._registry.values() for verb in getattr(page, "verbs", ()) if not verb.previewed
    }
    assert without == {"generate", "compromised"}


# Doing it


def test_a_double_click_extends_once(staff):
    expires_at = timezone.now() + timedelta(days=5)
    license_key = LicenseKeyFactory(assigned=True, expires_at=expires_at)
    page = confirm(staff, send(staff, "extend", license_key), days="30")
    confirm(staff, page)
    again = confirm(staff, page)
    license_key.refresh_from_db()
    assert license_key.expires_at == expires_at + timedelta(days=30)
    assert "It was not done a second time." in said(again)[-1]
    confirm(staff, confirm(staff, send(staff, "extend", license_key), days="30"))
    license_key.refresh_from_db()
    assert license_key.expires_at == expires_at + timedelta(days=60), "another page is another try"


def test_it_does_all_that_match_without_naming_each(staff, monkeypatch):
    monkeypatch.setattr(verb_runs, "CHUNK", 2)
    product = ProductFactory()
    rows, other = LicenseKeyFactory.create_batch(5, product=product), LicenseKeyFactory()
    url = f"{LIST}?product={product.pk}"
    shown = send(staff, "block", rows[0], url=url, select_across="1")
    assert hidden(shown)["expected"] == ["5"]
    assert len(hidden(shown)["_selected_action"]) == 1
    done = confirm(staff, shown, url=url)
    assert said(done) == ["5 license keys were blocked."]
    other.refresh_from_db()
    assert other.status == "available"


def test_it_says_so_when_the_list_has_become_another_one(staff):
    product = ProductFactory()
    rows = LicenseKeyFactory.create_batch(2, product=product)
    url = f"{LIST}?product={product.pk}"
    shown = send(staff, "block", rows[0], url=url, select_across="1")
    LicenseKeyFactory(product=product)
    again = confirm(staff, shown, url=url)
    assert "the list has become another one meanwhile. It has 3 license keys now, and had 2 before." in (
        again.content.decode()
    )
    assert not LicenseKey.objects.filter(status="blocked").exists()
    confirm(staff, again, url=url)
    assert LicenseKey.objects.filter(status="blocked").count() == 3


def test_it_does_nothing_for_all_that_match_when_nobody_was_shown_how_many(staff):
    send(staff, "block", LicenseKeyFactory(), select_across="1", confirmed="1")
    assert not LicenseKey.objects.filter(status="blocked").exists()


def test_it_stops_in_time_and_says_how_many_are_left(staff, monkeypatch):
    monkeypatch.setattr(verb_runs, "SECONDS", -1)
    monkeypatch.setattr(verb_runs, "CHUNK", 2)
    rows = LicenseKeyFactory.create_batch(5, product=ProductFactory())
    done = send(staff, "block", *rows, confirmed="1")
    assert said(done) == [
        "2 license keys were blocked.",
        "3 license keys were not changed, because it took longer than -1 seconds. Do it again for those.",
    ]
    assert LicenseKey.objects.filter(status="blocked").count() == 2


def test_it_says_how_many_were_done_when_the_database_fails(staff, monkeypatch):
    monkeypatch.setattr(verb_runs, "CHUNK", 2)
    rows, calls = LicenseKeyFactory.create_batch(3, product=ProductFactory()), []

    def together(*args):
        calls.append(args)
        if len(calls) > 1:
            raise DatabaseError("gone")
        return real(*args)

    real = verb_runs._together
    monkeypatch.setattr(verb_runs, "_together", together)
    done = send(staff, "block", *rows, confirmed="1")
    assert (
        said(done)[-1] == "1 license key was not changed, because the database did not answer. Do it again for those."
    )
    assert LicenseKey.objects.filter(status="blocked").count() == 2


def test_a_chunk_that_loses_is_done_row_by_row(staff, monkeypatch):
    rows, busy = LicenseKeyFactory.create_batch(3, product=ProductFactory()), []

    def together(verb, model_admin, chunk, *args):
        if len(chunk) > 1 or chunk[0].pk in busy:
            raise OperationalError("database is locked")
        return real(verb, model_admin, chunk, *args)

    real = verb_runs._together
    busy.append(rows[1].pk)
    monkeypatch.setattr(verb_runs, "_together", together)
    monkeypatch.setattr(verb_runs, "why_lost", str)
    done = send(staff, "block", *rows, confirmed="1")
    assert said(done) == [
        "2 license keys were blocked.",
        f"1 license key was refused. {rows[1]}: the database was busy with other changes; try it again.",
    ]


def test_it_leads_to_the_list_of_those_that_were_refused(staff):
    free, taken = LicenseKeyFactory(), LicenseKeyFactory.create_batch(2, assigned=True)
    done = send(staff, "assign", free, *taken, confirmed="1", owner_email="ann@example.com")
    link = re.search(r'href="([^"]+)">Show them', said(done)[-1])[1]
    found = staff.get(link.replace("&amp;", "&")).context["cl"].result_list
    assert {row.pk for row in found} == {row.pk for row in taken}


# The verbs that came with it


def test_it_sets_the_activation_limit_of_many(staff):
    rows = [LicenseKeyFactory(assigned=True, activation_limit=limit) for limit in (1, 2, 5)]
    ActivationFactory.create_batch(4, license_key=rows[2])
    shown = text_of(send(staff, "set_limit", *rows, asked="1", activation_limit="2"))
    assert "activation limit 1 → 2" in shown
    assert "Refused 1 license key: 4 activations are live. Deactivate 2 of them first" in shown
    done = send(staff, "set_limit", *rows, confirmed="1", activation_limit="2")
    assert said(done)[0] == "1 license key has an activation limit of 2 now."
    assert said(done)[1] == f"1 license key was left as before, with this limit already: {rows[1]}."
    assert list(LicenseKey.objects.order_by("pk").values_list("activation_limit", flat=True)) == [2, 2, 5]


def test_it_sets_and_takes_away_the_reference_of_many(staff):
    rows = LicenseKeyFactory.create_batch(2)
    done = send(staff, "set_reference", *rows, confirmed="1", reference="order 4711")
    assert said(done) == ["2 license keys have the reference “order 4711” now."]
    done = send(staff, "set_reference", *rows, confirmed="1", reference="")
    assert said(done)[-1] == "2 license keys have no reference any more."
    assert set(LicenseKey.objects.values_list("reference", flat=True)) == {""}


def test_it_reserves_and_makes_available_again(staff):
    license_key = LicenseKeyFactory(assigned=True)
    ActivationFactory(license_key=license_key)
    shown = text_of(send(staff, "make_reserved", license_key))
    assert "1 of them has an owner, who loses it. 1 active activation ends now." in shown
    assert "status assigned → reserved" in shown
    assert said(send(staff, "make_reserved", license_key, confirmed="1")) == ["1 license key was reserved."]
    license_key.refresh_from_db()
    assert (license_key.status, license_key.owner, license_key.expires_at) == ("reserved", None, None)
    assert not Activation.objects.live().exists()
    send(staff, "make_available", license_key, confirmed="1")
    license_key.refresh_from_db()
    assert license_key.status == "available"
    assert "1 license key was left as before" in said(send(staff, "make_available", license_key, confirmed="1"))[-1]


def test_who_lost_the_right_meanwhile_is_refused_by_the_writing_request(django_user_model):
    """S12: the page was shown to somebody who might; what it asks is asked for again."""
    from django.contrib.auth.models import Permission

    user = django_user_model.objects.create_user("jo", password="a-long-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=["view_licensekey", "change_licensekey"]))
    client, license_key = Client(), LicenseKeyFactory()
    client.force_login(user)
    page = send(client, "block", license_key)
    user.user_permissions.set(Permission.objects.filter(codename="view_licensekey"))
    confirm(client, page)
    license_key.refresh_from_db()
    assert license_key.status == "available"


def test_the_service_and_its_preview_are_the_same_code():
    """The preview knows no field and no kind by itself: it calls what the verb calls."""
    license_key = LicenseKeyFactory(assigned=True)
    page = admin.site._registry[LicenseKey]
    block = next(verb for verb in page.verbs if verb.name == "block")
    assert block.service is block_license_key
    shown = verb_runs.preview(block, page, [license_key], {})
    block_license_key(license_key=license_key.license_key, actor=ACTOR)
    event = AuditEvent.objects.get()
    assert [(change.field, change.before, change.after) for change in shown.shown[0].changes] == [
        ("status", event.before["status"], event.after["status"])
    ]


def test_every_field_of_every_verb_says_what_to_enter():
    for page in admin.site._registry.values():
        for verb in getattr(page, "verbs", ()):
            form: forms.Form = verb.form()
            assert [name for name, field in form.fields.items() if not field.help_text] == [], verb.name
