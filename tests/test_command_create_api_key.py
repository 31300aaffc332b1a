"""create_api_key: the text alone on standard output, and an API key that may what was asked for."""

import json
from datetime import timedelta

import pytest
from django.utils import timezone

from licenses.models import ApiKey, AuditEvent, Capability
from tests.commands import end, run, start
from tests.factories import ContractFactory
from tests.protocol import Portal

pytestmark = pytest.mark.django_db


def test_it_prints_the_text_alone_and_stores_a_digest():
    ran = run(
        "create_api_key", "Web shop", "--capability", "verify", "--capability", "activate", "--capability", "verify"
    )
    assert ran.code == 0
    assert ran.out.startswith("lp_") and ran.out.count("\n") == 1
    api_key = ApiKey.objects.get()
    assert ApiKey.objects.from_text(ran.out.strip()) == api_key
    assert (api_key.name, api_key.capabilities) == ("Web shop", ["verify", "activate"])
    assert (api_key.allowed_networks, api_key.expires_at) == ([], None)
    assert "Web shop" in ran.err and "lp_" not in ran.err
    event = AuditEvent.objects.get(kind="api_key.created")
    assert event.door == "command"
    assert event.after == {"capabilities": ["verify", "activate"], "profile": "documented", "contract": None}


def test_the_api_key_opens_the_portal(client, global_key):
    text = run("create_api_key", "Shop", "--all").out.strip()
    assert Portal(client, text)("verify", license_key="unknown")["code"] == 210
    text = run("create_api_key", "Shop", "--capability", "activate").out.strip()
    assert Portal(client, text)("verify", license_key="unknown")["code"] == 102


def test_it_takes_networks_and_an_expiry():
    run(
        "create_api_key",
        "Ops",
        "--all",
        "--network",
        "203.0.113.0/24",
        "--network",
        "2001:db8::1",
        "--expires-in-days",
        9,
    )
    api_key = ApiKey.objects.get()
    assert api_key.capabilities == Capability.values
    assert api_key.allowed_networks == ["203.0.113.0/24", "2001:db8::1"]
    assert abs(api_key.expires_at - timezone.now() - timedelta(days=9)) < timedelta(minutes=1)


def test_it_takes_limits():
    run("create_api_key", "Shop", "--all", "--requests-per-minute", 600, "--wrong-keys-per-minute", 0)
    api_key = ApiKey.objects.get()
    assert (api_key.requests_per_minute, api_key.wrong_keys_per_minute) == (600, 0)
    after = AuditEvent.objects.get(kind="api_key.created").after
    assert (after["requests_per_minute"], after["wrong_keys_per_minute"]) == (600, 0)
    assert run("create_api_key", "Shop", "--all", "--requests-per-minute", "-1").code != 0


def test_it_takes_a_client_profile(client, global_key):
    text = run("create_api_key", "Software", "--all", "--profile", "sdk").out.strip()
    assert ApiKey.objects.get().profile == "sdk"
    assert AuditEvent.objects.get(kind="api_key.created").after["profile"] == "sdk"
    http = client.post("/api/v1/verify", {"api_key": text, "license_key": "unknown"})
    assert json.loads(http.content)["success"] is False, "the flat fields that SDKs read"


def test_it_binds_an_api_key_to_a_contract(client, global_key):
    contract = ContractFactory()
    arguments = ["--capability", "contracts/get-info", "--contract", contract.pk]
    text = run("create_api_key", "Reseller", *arguments).out.strip()
    assert ApiKey.objects.get().contract == contract
    assert AuditEvent.objects.get(kind="api_key.created").after["contract"] == contract.pk
    assert Portal(client, text)("contracts/get-info")["contract"]["id"] == contract.pk


@pytest.mark.parametrize(
    ("arguments", "problem"),
    [
        (["Shop"], "one of the arguments --capability --all is required"),
        (["Shop", "--all", "--capability", "verify"], "not allowed with argument"),
        (["Shop", "--capability", "everything"], "invalid choice: 'everything'"),
        (["Shop", "--all", "--network", "here"], "“here” is not a network"),
        (["Shop", "--all", "--expires-in-days", "0"], "“0” is not a whole number from 1 to 36525"),
        (["Shop", "--all", "--expires-in-days", "99999999"], "is not a whole number from 1 to 36525"),
        (["Shop", "--all", "--profile", "other"], "invalid choice: 'other'"),
        (["Shop", "--all", "--contract", "7"], "There is no contract with the id 7."),
        (["Shop", "--all", "--contract", "0"], "“0” is not a whole number from 1 to"),
        (["Shop", "--all", "--contract", "9" * 30], "is not a whole number from 1 to"),
        ([" ", "--all"], "name: This field cannot be blank."),
        (["x" * 256, "--all"], "name: Ensure this value has at most 255 characters"),
    ],
)
def test_it_explains_what_it_cannot_use(arguments, problem):
    ran = run("create_api_key", *arguments)
    assert ran.code != 0
    assert problem in ran.err
    assert ran.out == ""
    assert not ApiKey.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_shell_can_take_it_from_standard_output():
    ran = end(start("create_api_key", "Shop", "--all"))
    assert ran.code == 0
    assert ApiKey.objects.from_text(ran.out.removesuffix("\n")) == ApiKey.objects.get()
    bad = end(start("create_api_key", b"\xff".decode(errors="surrogateescape"), "--all"))
    assert bad.code == 2
    assert (bad.out, "Traceback" in bad.err) == ("", False)
