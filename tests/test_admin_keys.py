"""API keys, signing keys, activations and the audit trail in the admin."""

import pytest
from django.contrib.auth import get_user_model

from licenses.audit_chain import link_all
from licenses.models import Activation, ApiKey, AuditEvent, Capability, SigningKey
from licenses.models.api_keys import digest_of
from licenses.services.api_keys import create_api_key
from licenses.services.signing_keys import create_signing_key
from tests.factories import ACTOR, ActivationFactory, ProductFactory, api_key_text

pytestmark = pytest.mark.django_db
API_KEYS, SIGNING_KEYS = "/admin/licenses/apikey/", "/admin/licenses/signingkey/"


def api_key_form(**changes):
    return {
        "name": "Shop",
        "capabilities": ["verify", "activate"],
        "allowed_networks": "203.0.113.7\r\n\r\n 198.51.100.0/24 ",
        "expires_at_0": "2031-01-31",
        "expires_at_1": "12:00",
        "profile": "documented",
    } | changes


# API keys


@pytest.mark.statement("S17")
def test_it_shows_the_text_of_an_api_key_once(staff):
    answer = staff.post(API_KEYS + "add/", api_key_form())
    text = answer.context["text"]
    api_key = ApiKey.objects.get()
    assert answer.status_code == 200
    assert answer.content.decode().count(text) == 1
    assert "no-store" in answer.headers["Cache-Control"]
    assert api_key.digest == digest_of(text)
    assert api_key.capabilities == ["verify", "activate"]
    assert api_key.allowed_networks == ["203.0.113.7", "198.51.100.0/24"]
    assert api_key.expires_at.year == 2031
    for url in (API_KEYS, f"{API_KEYS}{api_key.pk}/change/", f"{API_KEYS}{api_key.pk}/history/", "/admin/"):
        assert text not in staff.get(url).content.decode()
    assert text not in str(dict(staff.session)) + str(staff.cookies)
    assert text not in str(list(AuditEvent.objects.values()))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"name": ""}, "This field is required."),
        ({"capabilities": []}, "This field is required."),
        ({"capabilities": ["everything"]}, "Select a valid choice."),
        ({"allowed_networks": "example.com"}, "“example.com” is not a network"),
        ({"expires_at_0": "never"}, "Enter a valid date."),
    ],
)
def test_it_says_what_is_wrong_with_an_api_key(staff, changes, words):
    answer = staff.post(API_KEYS + "add/", api_key_form(**changes))
    assert words in answer.content.decode()
    assert not ApiKey.objects.exists()


def test_it_edits_an_api_key_with_an_audit_row(staff):
    api_key_text("verify", name="Shop", allowed_networks=["203.0.113.7"])
    api_key = ApiKey.objects.get()
    page = f"{API_KEYS}{api_key.pk}/change/"
    form = api_key_form(name="New shop", allowed_networks="203.0.113.7", capabilities=["verify"])
    assert staff.post(page, form | {"digest": "x", "is_active": ""}).status_code == 302
    after = ApiKey.objects.get()
    assert (after.name, after.is_active, after.digest) == ("New shop", True, api_key.digest)
    event = AuditEvent.objects.get(kind="api_key.updated")
    assert (event.before["name"], event.after["name"]) == ("Shop", "New shop")
    assert set(event.after) == {"name", "expires_at"}


def test_the_limits_of_an_api_key_are_set_by_hand(staff):
    staff.post(API_KEYS + "add/", api_key_form(requests_per_minute="600"))
    api_key = ApiKey.objects.get()
    assert (api_key.requests_per_minute, api_key.wrong_keys_per_minute) == (600, None)
    assert AuditEvent.objects.get(kind="api_key.created").after["requests_per_minute"] == 600
    page = f"{API_KEYS}{api_key.pk}/change/"
    shown = staff.get(page).content.decode()
    assert "Calls a minute, from all addresses together." in shown and "Unknown license keys a minute" in shown
    staff.post(page, api_key_form(requests_per_minute="", wrong_keys_per_minute="0"))
    api_key.refresh_from_db()
    assert (api_key.requests_per_minute, api_key.wrong_keys_per_minute) == (None, 0)
    event = AuditEvent.objects.get(kind="api_key.updated")
    assert event.before == {"requests_per_minute": 600, "wrong_keys_per_minute": None}
    assert event.after == {"requests_per_minute": None, "wrong_keys_per_minute": 0}


def test_it_revokes_an_api_key(staff):
    api_key_text()
    api_key = ApiKey.objects.get()
    for count in (1, 1):
        staff.post(API_KEYS, {"action": "revoke", "_selected_action": api_key.pk, "confirmed": "1"})
        assert AuditEvent.objects.filter(kind="api_key.revoked").count() == count
    api_key.refresh_from_db()
    assert not api_key.is_active
    assert staff.post(f"{API_KEYS}{api_key.pk}/delete/", {"post": "yes"}).status_code == 403


# Signing keys


def test_it_asks_before_it_replaces_a_signing_key(staff):
    old = create_signing_key(product=None, actor=ACTOR)
    asked = staff.post(SIGNING_KEYS + "add/", {"product": "", "bits": "3072"})
    assert f"It replaces the active key {old.fingerprint[:12]}" in asked.content.decode()
    assert SigningKey.objects.count() == 1
    answer = staff.post(SIGNING_KEYS + "add/", {"product": "", "bits": "3072", "confirmed": "1"})
    new = SigningKey.objects.get(status="active")
    assert answer.headers["Location"] == f"{SIGNING_KEYS}{new.pk}/change/"
    old.refresh_from_db()
    assert (new.bits, old.status) == (3072, "retired")


def test_it_makes_a_signing_key_for_a_product(staff):
    product = ProductFactory()
    assert (
        "no active one yet" in staff.post(SIGNING_KEYS + "add/", {"product": product.pk, "bits": 2048}).content.decode()
    )
    staff.post(SIGNING_KEYS + "add/", {"product": product.pk, "bits": 2048, "confirmed": "1"})
    assert product.signing_keys.get().status == "active"


@pytest.mark.parametrize("form", [{"bits": "1024"}, {"bits": ""}, {"product": "999", "bits": "2048"}, {"product": "x"}])
def test_it_refuses_a_signing_key_that_cannot_be(staff, form):
    answer = staff.post(SIGNING_KEYS + "add/", form | {"confirmed": "1"})
    assert "errorlist" in answer.content.decode()
    assert not SigningKey.objects.exists()


@pytest.mark.statement("S26")
def test_it_downloads_the_public_key_as_a_file(staff):
    signing_key = create_signing_key(product=None, actor=ACTOR)
    answer = staff.get(f"{SIGNING_KEYS}{signing_key.pk}/public-key/")
    assert answer.content.decode() == signing_key.public_key
    assert answer.headers["Content-Type"] == "application/x-pem-file"
    name = f"global-{signing_key.fingerprint[:12]}.pem"
    assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}"'
    assert staff.get(f"{SIGNING_KEYS}999/public-key/").status_code == 404


def test_it_lets_nobody_edit_or_delete_a_signing_key(staff):
    signing_key = create_signing_key(product=None, actor=ACTOR)
    for path in ("change/", "delete/"):
        answer = staff.post(f"{SIGNING_KEYS}{signing_key.pk}/{path}", {"status": "retired", "post": "yes"})
        assert answer.status_code == 403
    assert SigningKey.objects.get().status == "active"


# Activations


def test_it_deactivates_one_activation(staff):
    activation, other = ActivationFactory.create_batch(2)
    staff.post(
        "/admin/licenses/activation/",
        {"action": "deactivate_license", "_selected_action": activation.pk, "confirmed": "1"},
    )
    assert list(Activation.objects.live()) == [other]
    assert AuditEvent.objects.get().kind == "activation.deactivated"


def test_it_finds_an_activation_by_identifier_and_license_key(staff):
    activation, _ = ActivationFactory.create_batch(2)
    for text in (activation.identifier, activation.license_key.license_key[:20]):
        rows = staff.get("/admin/licenses/activation/", {"q": text}).context["cl"].result_list
        assert list(rows) == [activation]


# Permission


@pytest.mark.statement("S12")
def test_it_shows_staff_without_rights_neither_figures_nor_pages(client):
    user = get_user_model().objects.create_user("nobody", password="a-long-password-1", is_staff=True)
    client.force_login(user)
    signing_key = create_signing_key(product=None, actor=ACTOR)
    answer = client.get("/admin/")
    assert answer.context["figures"] == []
    assert answer.context["lines"] == []
    assert client.get(f"{SIGNING_KEYS}{signing_key.pk}/public-key/").status_code == 403
    assert client.get("/admin/licenses/auditevent/").status_code == 403


# The audit trail


@pytest.mark.parametrize("path", ["add/", "{pk}/change/", "{pk}/delete/"])
def test_it_lets_nobody_write_the_audit_trail(staff, path):
    create_signing_key(product=None, actor=ACTOR)
    event = AuditEvent.objects.get()
    answer = staff.post("/admin/licenses/auditevent/" + path.format(pk=event.pk), {"actor": "x", "post": "yes"})
    assert answer.status_code == 403
    assert list(AuditEvent.objects.values_list("actor", flat=True)) == ["tests"]


def test_it_says_where_an_audit_event_stands_in_the_chain(staff):
    create_signing_key(product=None, actor=ACTOR)
    event = AuditEvent.objects.get(kind="signing_key.created")
    page = f"/admin/licenses/auditevent/{event.pk}/change/"
    assert "None yet: it is linked right after the change" in staff.get(page).content.decode()
    link_all()
    event.refresh_from_db()
    text = staff.get(page).content.decode()
    assert f'Event {event.position} of the chain, <code class="mono">{event.digest[:16]}…</code>' in text
    assert event.digest not in text


def test_it_finds_audit_events_by_who_and_about_what(staff):
    activation = ActivationFactory()
    staff.post(
        "/admin/licenses/activation/",
        {"action": "deactivate_license", "_selected_action": activation.pk, "confirmed": "1"},
    )
    create_signing_key(product=None, actor=ACTOR)
    for text, kinds in (
        ("root", ["activation.deactivated"]),
        (activation.license_key.license_key, ["activation.deactivated"]),
        ("tests", ["signing_key.created"]),
        ("nobody", []),
    ):
        rows = staff.get("/admin/licenses/auditevent/", {"q": text}).context["cl"].result_list
        assert [row.kind for row in rows] == kinds, text
    filtered = staff.get("/admin/licenses/auditevent/", {"door": "command", "kind": "signing_key.created"})
    assert filtered.context["cl"].result_count == 1


def test_it_names_capabilities_in_a_table_that_the_form_shows_in_full(staff):
    source = staff.get(API_KEYS + "add/").content.decode()
    assert [name for name in Capability.values if f'value="{name}"' not in source] == []


def test_the_history_counts_many_capabilities_and_keeps_them_behind_a_click(staff):
    names = list(Capability.values)
    api_key, _ = create_api_key(name="All", capabilities=names, actor=ACTOR)
    form = api_key_form(name="All", capabilities=names[1:])
    assert staff.post(f"{API_KEYS}{api_key.pk}/change/", form).status_code == 302
    source = staff.get(f"{API_KEYS}{api_key.pk}/history/").content.decode()
    assert f"<ins>{len(names)} capabilities</ins>" in source
    assert f"<del>{len(names)} capabilities</del>" in source
    assert f"<summary>Show them</summary>Removed: {names[0]}.</details>" in source
    assert source.count(names[5]) == 1, "all of them once, where the API key was made"
