"""Signing keys over years: published before they sign, replaced, cut off by date. Old answers go on verifying."""

from datetime import timedelta

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.db import OperationalError
from django.utils import timezone

from licenses import signing
from licenses.models import AuditEvent, SigningKey
from licenses.services import signing_keys
from licenses.services.signing_keys import (
    create_signing_key,
    global_signer_seen_last,
    mark_compromised,
    signer_for,
    use_signing_key,
)
from tests.factories import ACTOR, ProductFactory

pytestmark = pytest.mark.django_db


def public_half(signer) -> str:
    return signing.public_pem(signer.private_key)


def statuses(**filters) -> list[str]:
    return list(SigningKey.objects.filter(**filters).order_by("pk").values_list("status", flat=True))


@pytest.mark.statement("S26")
def test_answers_of_every_key_verify_with_what_is_published_two_rotations_later(portal):
    """Keys n, n+1 by way of upcoming, and n+2 at once; `portal` itself accepts signatures of active keys only."""
    envelopes = []

    def ask():
        assert portal("verify", license_key="unknown", identifier="x")["code"] == 210
        envelopes.append(portal.envelope)

    ask()
    upcoming = create_signing_key(product=None, upcoming=True, actor=ACTOR)
    ask()  # still signed with key n
    assert use_signing_key(signing_key=upcoming, actor=ACTOR) is True
    ask()
    create_signing_key(product=None, actor=ACTOR)
    ask()
    assert statuses() == ["retired", "retired", "active"]
    published = portal.client.get("/.well-known/jwks.json").json()["keys"]
    signers = [next(key["kid"] for key in published if signing.verify(envelope, key["pem"])) for envelope in envelopes]
    first, second, third = SigningKey.objects.order_by("pk").values_list("fingerprint", flat=True)
    assert signers == [first, first, second, third]


@pytest.mark.statement("S26", "S28")
def test_the_private_half_is_in_no_backup_in_clear(global_key, tmp_path):
    create_signing_key(product=ProductFactory(), upcoming=True, actor=ACTOR)
    dump = tmp_path / "dump.json"
    call_command("dumpdata", "licenses", output=str(dump))
    text = dump.read_text()
    assert global_key.fingerprint in text
    assert "PRIVATE KEY" not in text
    for key in SigningKey.objects.all():
        numbers = signing_keys.unlock(bytes(key.private_key_locked)).private_numbers()
        for number in (numbers.d, numbers.p, numbers.q):
            assert str(number) not in text
            assert f"{number:x}" not in text


def test_an_upcoming_key_signs_nothing_until_it_is_put_in_use(global_key):
    product = ProductFactory()
    for owner in (None, product):
        upcoming = create_signing_key(product=owner, upcoming=True, actor=ACTOR)
        assert upcoming.activated_at is None
        assert public_half(signer_for(product.pk)) == global_key.public_key
    assert use_signing_key(signing_key=upcoming, actor=ACTOR)
    upcoming.refresh_from_db()
    assert (upcoming.status, upcoming.activated_at is None) == ("active", False)
    assert public_half(signer_for(product.pk)) == upcoming.public_key
    assert public_half(signer_for(None)) == global_key.public_key
    kinds = AuditEvent.objects.filter(object_id=upcoming.pk).order_by("pk").values_list("kind", flat=True)
    assert list(kinds) == ["signing_key.created", "signing_key.activated"]


def test_what_is_in_use_already_stays_so(global_key):
    assert use_signing_key(signing_key=global_key, actor=ACTOR) is False
    assert AuditEvent.objects.filter(kind="signing_key.activated").count() == 0


@pytest.mark.parametrize("status", ["retired", "compromised"])
def test_a_key_that_is_out_of_use_never_signs_again(global_key, status):
    create_signing_key(product=None, actor=ACTOR)
    if status == "compromised":
        mark_compromised(signing_key=global_key, since=timezone.now(), actor=ACTOR)
    with pytest.raises(ValidationError, match=f"is {status}: only an upcoming"):
        use_signing_key(signing_key=global_key, actor=ACTOR)
    assert statuses() == [status, "active"]


def test_there_is_one_upcoming_key_at_most(global_key):
    upcoming = create_signing_key(product=None, upcoming=True, actor=ACTOR)
    with pytest.raises(ValidationError, match=f"upcoming signing key already: {upcoming}"):
        create_signing_key(product=None, upcoming=True, actor=ACTOR)
    create_signing_key(product=ProductFactory(), upcoming=True, actor=ACTOR)
    assert statuses() == ["active", "upcoming", "upcoming"]


def test_the_first_global_key_signs_at_once():
    with pytest.raises(ValidationError, match="the first one has to sign at once"):
        create_signing_key(product=None, upcoming=True, actor=ACTOR)


# Compromised


def test_the_upcoming_key_takes_over_from_a_compromised_one(global_key):
    upcoming = create_signing_key(product=None, upcoming=True, actor=ACTOR)
    since = timezone.now()
    assert mark_compromised(signing_key=global_key, since=since, actor=ACTOR) is True
    global_key.refresh_from_db()
    assert (global_key.status, global_key.compromised_at) == ("compromised", since)
    assert global_key.retired_at >= since
    assert public_half(signer_for(None)) == upcoming.public_key
    event = AuditEvent.objects.get(kind="signing_key.compromised")
    assert (event.before, event.after["status"]) == ({"status": "active"}, "compromised")


@pytest.mark.parametrize("of_product", [True, False])
def test_without_an_upcoming_key_a_new_one_of_the_same_size_takes_over(global_key, of_product):
    product = ProductFactory() if of_product else None
    old = create_signing_key(product=product, bits=3072, actor=ACTOR)
    mark_compromised(signing_key=old, since=timezone.now(), actor=ACTOR)
    new = SigningKey.objects.active_of(product)
    assert new.bits == 3072
    assert new.fingerprint != old.fingerprint
    assert public_half(signer_for(product.pk if product else None)) == new.public_key


def test_a_key_that_does_not_sign_leaves_nothing_to_replace(global_key):
    new = create_signing_key(product=None, actor=ACTOR)
    upcoming = create_signing_key(product=None, upcoming=True, actor=ACTOR)
    for signing_key in (global_key, upcoming):
        mark_compromised(signing_key=signing_key, since=timezone.now(), actor=ACTOR)
    assert statuses() == ["compromised", "active", "compromised"]
    assert SigningKey.objects.active_of(None) == new


def test_the_date_of_a_compromised_key_can_be_corrected(global_key):
    first, later = global_key.created_at, timezone.now()
    mark_compromised(signing_key=global_key, since=later, actor=ACTOR)
    assert mark_compromised(signing_key=global_key, since=later, actor=ACTOR) is False
    assert mark_compromised(signing_key=global_key, since=first, actor=ACTOR) is True
    assert SigningKey.objects.get(pk=global_key.pk).compromised_at == first
    assert statuses() == ["compromised", "active"]
    event = AuditEvent.objects.filter(kind="signing_key.compromised").first()
    assert (event.before["compromised_at"], event.after["compromised_at"]) == (later.isoformat(), first.isoformat())


@pytest.mark.parametrize(
    ("offset", "words"), [(timedelta(minutes=1), "still to come"), (timedelta(days=-1), "made only at")]
)
def test_a_date_that_cannot_be_is_refused(global_key, offset, words):
    with pytest.raises(ValidationError, match=words):
        mark_compromised(signing_key=global_key, since=timezone.now() + offset, actor=ACTOR)
    assert statuses() == ["active"]


# What a process remembers for the time when the database is away


@pytest.fixture
def database_away(monkeypatch):
    def leave():
        def fail(*args):
            raise OperationalError("server closed the connection unexpectedly")

        monkeypatch.setattr(SigningKey.objects.__class__, "in_use", fail)

    return leave


@pytest.mark.statement("S26")
@pytest.mark.parametrize("seen_by", ["an answer about a product", "the one who cut it off"])
def test_a_compromised_key_does_not_sign_while_the_database_is_away(
    portal, global_key, database_away, django_capture_on_commit_callbacks, seen_by
):
    product = ProductFactory()
    create_signing_key(product=product, actor=ACTOR)
    assert public_half(signer_for(None)) == global_key.public_key
    here = seen_by == "the one who cut it off"
    with django_capture_on_commit_callbacks(execute=here):  # on another node, nothing here is told
        mark_compromised(signing_key=global_key, since=timezone.now(), actor=ACTOR)
    if not here:
        assert signer_for(product.pk).label == "product"
    new = SigningKey.objects.active_of(None)
    database_away()
    envelope = portal.client.post("/api/v1/nonsense").json()
    assert signing.verify(envelope, new.public_key)
    assert not signing.verify(envelope, global_key.public_key)


def test_a_remembered_key_that_cannot_be_opened_signs_nothing(global_key, monkeypatch):
    monkeypatch.setattr(signing_keys, "_last_global", [b"gAAAA"])
    assert global_signer_seen_last() is None
