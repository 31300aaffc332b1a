"""rotate_vault_keys: everything that is encrypted moves to the first of VAULT_KEYS, so that the old one may go."""

from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.apps import apps
from django.db import connection
from django.db.models import BinaryField

from licenses import signing
from licenses.audit_chain import key_of
from licenses.models import AuditChain, AuditEvent, QueuedAssignment, SigningKey
from licenses.services import vault
from licenses.services.signing_keys import create_signing_key, signer_for
from settings_api.changes import Caller, change_settings
from settings_api.models import Setting
from settings_api.resolve import resolve
from tests.commands import run
from tests.factories import ACTOR, ProductFactory, QueuedAssignmentFactory

pytestmark = [pytest.mark.django_db, pytest.mark.statement("S28")]

LICENSE_KEY = "NEW1-NEW2-NEW3-NEW4"


def new_key() -> str:
    return Fernet.generate_key().decode()


@pytest.fixture
def filled(global_key, settings, monkeypatch):
    """Something in every table, all of it under one key; returns that key, with a newer one in front of it."""
    monkeypatch.delenv("LICENSE_KEY", raising=False)
    create_signing_key(product=ProductFactory(), upcoming=True, actor=ACTOR)
    change_settings({"licenseKey": LICENSE_KEY}, caller=Caller("tests", "command", may_change=True), replace=False)
    old = settings.VAULT_KEYS[0]
    settings.VAULT_KEYS = [new_key(), old]
    return old


def test_the_old_key_may_go_afterwards(filled, portal, settings):
    changed_at = Setting.objects.get().updated_at
    chain_key = key_of(AuditChain.objects.get())
    ran = run("rotate_vault_keys")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "4 encrypted anew.",
        "4 under the first of VAULT_KEYS, 0 under older ones, 0 under none.",
        "The older ones may leave VAULT_KEYS, once every node has this first key.",
    ]
    settings.VAULT_KEYS = settings.VAULT_KEYS[:1]
    assert portal("verify", license_key="unknown", identifier="x")["code"] == 210  # signed, or `portal` fails
    for key in SigningKey.objects.all():
        opened = signing.unlock_private_key(bytes(key.private_key_locked), settings.VAULT_KEYS)
        assert signing.public_pem(opened) == key.public_key
    assert resolve("licenseKey").value == LICENSE_KEY
    assert key_of(AuditChain.objects.get()) == chain_key
    assert Setting.objects.get().updated_at == changed_at
    with pytest.raises(InvalidToken):
        Fernet(filled).decrypt(bytes(SigningKey.objects.first().private_key_locked))


def test_it_leaves_what_is_done_and_says_who_did_it(filled):
    run("rotate_vault_keys")
    stored = set(SigningKey.objects.values_list("private_key_locked", flat=True))
    events = AuditEvent.objects.filter(kind="vault.reencrypted")
    assert sorted(events.values_list("object_type", flat=True)) == ["auditchain", "setting", "signingkey", "signingkey"]
    again = run("rotate_vault_keys")
    assert again.out.splitlines()[0] == "0 encrypted anew."
    assert set(SigningKey.objects.values_list("private_key_locked", flat=True)) == stored
    assert events.count() == 4


def test_check_changes_nothing(filled):
    stored = set(SigningKey.objects.values_list("private_key_locked", flat=True))
    ran = run("rotate_vault_keys", "--check")
    assert ran.code == 1
    assert "0 under the first of VAULT_KEYS, 4 under older ones, 0 under none." in ran.err
    assert "Keep every key in VAULT_KEYS" in ran.err
    assert set(SigningKey.objects.values_list("private_key_locked", flat=True)) == stored
    run("rotate_vault_keys")
    assert run("rotate_vault_keys", "--check").code == 0


def test_a_row_that_no_key_opens_is_named_and_stops_no_other(filled):
    lost = SigningKey.objects.get(status="upcoming")
    SigningKey.objects.filter(pk=lost.pk).update(private_key_locked=Fernet(new_key()).encrypt(b"lost"))
    ran = run("rotate_vault_keys")
    assert ran.code == 1
    assert f"licenses.SigningKey.private_key_locked of row {lost.pk}: none of VAULT_KEYS opens it" in ran.err
    assert "3 under the first of VAULT_KEYS, 0 under older ones, 1 under none." in ran.err
    assert resolve("licenseKey").value == LICENSE_KEY


def test_what_changed_since_it_was_counted_is_looked_at_again(filled, settings):
    entry = next(entry for entry in vault.survey_vault() if entry.place.model is Setting)
    caller = Caller("tests", "command", may_change=True)
    change_settings({"licenseKey": "OTHER-OTHER-OTHER"}, caller=caller, replace=False)
    assert vault.reencrypt(entry=entry, actor=ACTOR) is vault.State.CURRENT
    assert resolve("licenseKey").value == "OTHER-OTHER-OTHER"
    Setting.objects.all().delete()
    assert vault.reencrypt(entry=entry, actor=ACTOR) is vault.State.CURRENT


def test_it_moves_members_of_json_and_leaves_the_others(settings):
    """As second factors are stored: a secret, or a seed and codes, and none of them in a passkey."""
    old, new = settings.VAULT_KEYS[0], new_key()
    seal = Fernet(old).encrypt
    factors = [
        {"secret": seal(b"totp").decode()},
        {"seed": seal(b"seed").decode(), "migrated_codes": [seal(b"1").decode(), seal(b"2").decode()], "used_mask": 5},
        {"name": "A passkey"},
    ]
    for factor in factors:
        QueuedAssignmentFactory(envelope=factor, state="delivered")
    settings.VAULT = [("licenses.QueuedAssignment", "envelope", ("secret", "seed", "migrated_codes"))]
    settings.VAULT_KEYS = [new, old]
    assert run("rotate_vault_keys").out.startswith("2 encrypted anew.")
    first, second, third = QueuedAssignment.objects.order_by("pk").values_list("envelope", flat=True)
    opened = Fernet(new).decrypt
    assert opened(first["secret"]) == b"totp"
    assert opened(second["seed"]) == b"seed"
    assert [opened(code) for code in second["migrated_codes"]] == [b"1", b"2"]
    assert (second["used_mask"], third) == (5, factors[2])


def test_it_passes_over_what_is_not_installed(global_key, settings):
    settings.VAULT = [("elsewhere.Secret", "text", ()), *settings.VAULT]
    assert run("rotate_vault_keys", "--check").code == 0


FILES = {("licenses.AssignmentFile", "content"), ("licenses.ImportFile", "content")}  # as they were uploaded


def test_every_column_that_holds_something_encrypted_is_in_the_table(settings):
    """A new BinaryField is either in settings.VAULT or argued here."""
    columns = {
        (model._meta.label, field.name)
        for model in apps.get_models()
        for field in model._meta.concrete_fields
        if isinstance(field, BinaryField)
    }
    assert columns - FILES == {(label, field) for label, field, members in settings.VAULT if not members}


def test_what_was_stopped_is_gone_on_with(filled):
    entry = next(vault.survey_vault())
    assert vault.reencrypt(entry=entry, actor=ACTOR) is vault.State.OLD
    assert run("rotate_vault_keys").out.startswith("3 encrypted anew.")


@pytest.mark.django_db(transaction=True)
def test_two_at_once_move_each_row_once(global_key, settings):
    for _ in range(10):
        QueuedAssignmentFactory(
            envelope={"secret": Fernet(settings.VAULT_KEYS[0]).encrypt(b"x").decode()}, state="delivered"
        )
    settings.VAULT = [*settings.VAULT, ("licenses.QueuedAssignment", "envelope", ("secret",))]
    settings.VAULT_KEYS = [new_key(), *settings.VAULT_KEYS]

    def rotate(_):
        try:
            return run("rotate_vault_keys").code
        finally:
            connection.close()

    with ThreadPoolExecutor(2) as pool:
        assert list(pool.map(rotate, range(2))) == [0, 0]
    moved = AuditEvent.objects.filter(kind="vault.reencrypted").values_list("object_type", flat=True)
    assert Counter(moved) == {"queuedassignment": 10, "signingkey": 1, "auditchain": 1}
    settings.VAULT_KEYS = settings.VAULT_KEYS[:1]
    assert signing.public_pem(signer_for(None).private_key) == global_key.public_key
