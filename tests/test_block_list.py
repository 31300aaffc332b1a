"""150: addresses, networks and identifiers on the block list, on every endpoint; and the list in the admin."""

from unittest.mock import Mock

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.core.exceptions import ValidationError
from django.db import IntegrityError
from hypothesis import given
from hypothesis import strategies as st

from licenses.api.fields import LICENSE_ALIASES
from licenses.api.urls import ENDPOINTS
from licenses.models import Activation, AuditEvent, BlockListEntry
from licenses.models.block_list import networks_around
from licenses.services import block_list as service
from licenses.services.block_list import block_identifier
from licenses.services.records import delete_record, save_record
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory, api_key_text
from tests.protocol import Portal

pytestmark = pytest.mark.django_db
BLOCK_LIST, ACTIVATIONS = "/admin/licenses/blocklistentry/", "/admin/licenses/activation/"

CALLS = [(method, path) for row in ENDPOINTS for path in row.paths for method in row.methods]
NAMES = ["identifier", *LICENSE_ALIASES["identifier"], "hwid", "activation_identifier", "user_identifier"]


def block(value, kind="identifier"):
    entry = BlockListEntry(kind=kind, value=value)
    save_record(entry, actor=ACTOR)
    return entry


def blocked(answer, portal) -> bool:
    """Whether it is the one answer, in its documented form."""
    if answer["code"] != 150:
        return False
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["message"], portal.http.status_code, portal.label) == ("Access denied", 403, "global")
    return True


def from_address(portal, address):
    return portal.read(portal.client.post("/v1/verify", {"api_key": portal.api_key}, REMOTE_ADDR=address))


# What a caller gets


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_every_endpoint_refuses_an_identifier_and_an_address(portal, method, path):
    block("stolen-device")
    block("203.0.113.7", "address")
    path = "/api/v1/" + "/".join("x" if "<" in part else part for part in path.split("/"))
    send = getattr(portal.client, method)
    sent = {"api_key": portal.api_key}
    before = AuditEvent.objects.count()
    assert blocked(portal.read(send(path, sent | {"identifier": "stolen-device"})), portal)
    assert blocked(portal.read(send(path, sent, REMOTE_ADDR="203.0.113.7")), portal)
    assert AuditEvent.objects.count() == before


@pytest.mark.parametrize("name", NAMES)
def test_an_identifier_is_refused_under_every_name(portal, name):
    block("stolen-device")
    assert blocked(portal("verify", **{name: "stolen-device"}), portal)
    assert blocked(portal.json("verify", {name: "  stolen-device "}), portal)
    assert portal("verify", **{name: "Stolen-Device"})["code"] == 210, "compared exactly"
    assert portal("verify", **{name: "stolen-device-2"})["code"] == 210


def test_one_blocked_identifier_among_several_is_enough(portal):
    block("stolen-device")
    assert blocked(portal("verify", identifier="fine", hwid="stolen-device"), portal)


@pytest.mark.parametrize(
    ("value", "sent"), [("4711", 4711), ("1.5", 1.5), ("a\u00a0b", "a\u00a0b"), ("x\u200f", "x\u200f"), ("€/ü", "€/ü")]
)
def test_it_knows_every_text_that_an_identifier_may_be(portal, value, sent):
    found = LicenseKeyFactory(assigned=True)
    params = {"license_key": found.license_key, "identifier": sent}
    assert portal.json("activate", params)["code"] == 300
    block(value)
    assert blocked(portal.json("verify", params), portal)


@pytest.mark.parametrize("value", ["a\x00b", "\ud800", ["a"], {"a": 1}, True, None, "x" * 300])
def test_what_cannot_be_an_identifier_is_no_crash(portal, value):
    assert portal.json("verify", {"identifier": value})["code"] in (162, 210)


@pytest.mark.parametrize(
    ("entry", "inside", "outside"),
    [
        ("203.0.113.7", ["203.0.113.7", "::ffff:203.0.113.7"], ["203.0.113.8", "::203.0.113.7"]),
        (" 203.0.113.7/32 ", ["203.0.113.7"], ["203.0.113.6"]),
        ("203.0.113.0/24", ["203.0.113.0", "203.0.113.255", "::ffff:203.0.113.9"], ["203.0.114.0", "203.0.112.255"]),
        ("203.0.113.9/24", ["203.0.113.1"], ["203.0.114.1"]),
        ("::ffff:203.0.113.7", ["203.0.113.7", "::ffff:203.0.113.7"], ["203.0.113.8"]),
        ("::ffff:203.0.113.0/120", ["203.0.113.255"], ["203.0.114.0"]),
        ("2001:db8::/32", ["2001:db8::7", "2001:DB8:1::"], ["2001:db9::7", "203.0.113.7"]),
        ("2001:db8::7", ["2001:db8:0::7"], ["2001:db8::8"]),
        ("fe80::7%eth0", ["fe80::7", "fe80::7%eth1"], ["fe80::8"]),
        ("203.0.0.0/8", ["203.0.113.7"], ["2001:db8::7"]),
    ],
)
def test_addresses_and_networks_of_both_families(portal, entry, inside, outside):
    block(entry, "address")
    for address in inside:
        assert blocked(from_address(portal, address), portal), address
    for address in outside:
        assert from_address(portal, address)["code"] == 210, address


@pytest.mark.parametrize("address", ["", "unix:", "unknown"])
def test_a_caller_without_an_address_is_on_no_list(portal, address):
    block("127.0.0.0/8", "address")
    assert from_address(portal, address)["code"] == 210


def test_an_address_is_no_identifier_and_the_other_way_round(portal):
    block("203.0.113.7", "identifier")
    assert from_address(portal, "203.0.113.7")["code"] == 210
    block("198.51.100.7", "address")
    assert portal("verify", identifier="198.51.100.7")["code"] == 210


@given(st.ip_addresses())
def test_an_address_is_always_inside_its_own_entry(address):
    entry = BlockListEntry(kind="address", value=str(address))
    entry.clean()
    assert entry.value in networks_around(str(address))


def test_it_comes_after_103_and_before_everything_else(client, global_key):
    block("stolen-device")
    portal = Portal(client, api_key_text("verify", allowed_networks=["203.0.113.7"]))
    sent = {"api_key": portal.api_key, "identifier": "stolen-device", "license_key": "unknown"}

    def code(path, address):
        return portal.read(client.post(f"/v1/{path}", sent, REMOTE_ADDR=address))["code"]

    assert code("activate", "127.0.0.1") == 102
    assert code("verify", "127.0.0.1") == 103
    assert code("verify", "203.0.113.7") == 150
    sent["identifier"] = "fine"
    assert code("verify", "203.0.113.7") == 210


def test_it_comes_before_the_check_of_parameters_and_the_replay(portal):
    found = LicenseKeyFactory(assigned=True)
    params = {"license_key": found.license_key, "identifier": "device"}
    once = {"Idempotency-Key": "once"}
    assert portal.json("activate", params, **once)["code"] == 300
    block("device")
    assert blocked(portal.json("activate", params, **once), portal)
    assert blocked(portal.json("verify", {"identifier": "bad\x00", "hwid": "device"}), portal)


def test_taking_it_off_the_list_works_at_once(portal):
    entry = block("device")
    assert blocked(portal("verify", identifier="device"), portal)
    delete_record(entry, actor=ACTOR)
    assert portal("verify", identifier="device")["code"] == 210


# The list in the admin


def entry_form(**changes):
    return {"kind": "address", "value": "203.0.113.9/24", "reason": "Too many tries"} | changes


def test_it_adds_edits_and_deletes_an_entry(staff, portal):
    assert staff.post(BLOCK_LIST + "add/", entry_form()).status_code == 302
    entry = BlockListEntry.objects.get()
    assert (entry.value, entry.reason) == ("203.0.113.0/24", "Too many tries")
    assert blocked(from_address(portal, "203.0.113.200"), portal)
    page = f"{BLOCK_LIST}{entry.pk}/"
    assert staff.post(page + "change/", entry_form(value="2001:DB8::/32")).status_code == 302
    assert blocked(from_address(portal, "2001:db8::1"), portal)
    assert from_address(portal, "203.0.113.200")["code"] == 210
    assert staff.post(page + "delete/", {"post": "yes"}).status_code == 302
    assert from_address(portal, "2001:db8::1")["code"] == 210
    events = AuditEvent.objects.filter(object_type="blocklistentry").order_by("pk")
    assert [(event.kind, event.before.get("value"), event.after.get("value")) for event in events] == [
        ("block_list_entry.created", None, "203.0.113.0/24"),
        ("block_list_entry.updated", "203.0.113.0/24", "2001:db8::/32"),
        ("block_list_entry.deleted", "2001:db8::/32", None),
    ]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"value": "example.com"}, "Write 203.0.113.7, 203.0.113.0/24 or 2001:db8::/32."),
        ({"value": "203.0.113.7/33"}, "Write 203.0.113.7"),
        ({"value": ""}, "This field is required."),
        ({"kind": "country"}, "Select a valid choice."),
    ],
)
def test_it_says_what_is_wrong_with_an_entry(staff, changes, words):
    assert words in staff.post(BLOCK_LIST + "add/", entry_form(**changes)).content.decode()
    assert not BlockListEntry.objects.exists()


def test_it_lists_an_address_once_however_it_is_written(staff):
    block("203.0.113.0/24", "address")
    answer = staff.post(BLOCK_LIST + "add/", entry_form(value="::ffff:203.0.113.77/120"))
    assert "This is on the block list already." in answer.content.decode()


def test_it_filters_by_kind_and_finds(staff):
    address, identifier = block("203.0.113.7", "address"), block("device")
    for params, row in (({"kind__exact": "address"}, address), ({"q": "devi"}, identifier)):
        assert list(staff.get(BLOCK_LIST, params).context["cl"].result_list) == [row]


# "Block this identifier" on an activation


def act(client, activation, **fields):
    sent = {"action": "block_identifier", "_selected_action": activation.pk, "confirmed": "1"}
    return client.post(ACTIVATIONS, sent | fields, follow=True)


def test_it_blocks_the_identifier_of_an_activation(staff, portal):
    activation = ActivationFactory(identifier="stolen-device")
    elsewhere, other = ActivationFactory(identifier="stolen-device"), ActivationFactory()
    asked = staff.post(ACTIVATIONS, {"action": "block_identifier", "_selected_action": activation.pk})
    assert "until somebody takes it off the block list" in asked.content.decode()
    answer = act(staff, activation, reason="Reported as stolen")
    assert "1 activation was deactivated and its identifier blocked." in answer.content.decode()
    entry = BlockListEntry.objects.get()
    assert (entry.kind, entry.value, entry.reason) == ("identifier", "stolen-device", "Reported as stolen")
    assert set(Activation.objects.live()) == {elsewhere, other}
    params = {"license_key": elsewhere.license_key.license_key, "identifier": "stolen-device"}
    assert blocked(portal("verify", **params), portal)
    kinds = AuditEvent.objects.filter(door="admin").order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["activation.deactivated", "block_list_entry.created"]
    assert "was left as before" in act(staff, activation).content.decode()
    assert "was deactivated and its identifier blocked." in act(staff, elsewhere).content.decode()
    assert BlockListEntry.objects.count() == 1


@pytest.mark.parametrize("error", [IntegrityError, ValidationError("taken")])
def test_somebody_elses_entry_is_as_good(monkeypatch, error):
    """It is added between the look and the insert."""
    activation = ActivationFactory()

    def late(entry, *, actor):
        exists.side_effect = [True, True]
        raise error

    exists = Mock(side_effect=[False])
    same = Mock(exists=exists)
    monkeypatch.setattr(BlockListEntry.objects, "filter", lambda **fields: same)
    monkeypatch.setattr(service, "save_record", late)
    named = {"license_key": activation.license_key.license_key, "identifier": activation.identifier}
    assert block_identifier(**named, actor=ACTOR) is True
    assert block_identifier(**named, actor=ACTOR) is False
    assert not Activation.objects.live().exists()


@pytest.mark.statement("S12")
@pytest.mark.parametrize("right", ["change_licensekey", "add_blocklistentry"])
def test_it_takes_both_rights_to_block_an_identifier(client, right):
    user = get_user_model().objects.create_user("colleague", password="a-long-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=(right, "view_activation")))
    client.force_login(user)
    activation = ActivationFactory()
    act(client, activation)
    assert Activation.objects.live().exists()
    assert not BlockListEntry.objects.exists()


@pytest.mark.parametrize(
    ("network", "allowed"), [("0.0.0.0/0", 0), ("10.0.0.0/7", 0), ("10.0.0.0/8", 1), ("::/0", 0), ("2001::/16", 1)]
)
def test_nobody_blocks_the_world_by_a_slip(network, allowed):
    entry = BlockListEntry(kind="address", value=network)
    if allowed:
        entry.clean()
        return
    with pytest.raises(ValidationError, match="half the world"):
        entry.clean()
