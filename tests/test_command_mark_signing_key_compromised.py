"""mark_signing_key_compromised: cut off by date, and replaced in the same moment."""

from datetime import UTC, datetime, timedelta

import pytest
from django.utils import timezone

from licenses.models import SigningKey
from licenses.services.signing_keys import create_signing_key
from tests.commands import run
from tests.factories import ACTOR

pytestmark = pytest.mark.django_db


@pytest.mark.statement("S26")
def test_it_cuts_a_key_off_and_says_what_signs_now(global_key):
    ran = run("mark_signing_key_compromised", global_key.fingerprint[:12], "--since", "now")
    new = SigningKey.objects.active_of(None)
    assert ran.code == 0
    assert f"The {global_key} is compromised: since " in ran.out
    assert f"For the portal signs from now on: fingerprint {new.fingerprint}." in ran.out
    assert "export_public_key" in ran.err
    assert SigningKey.objects.get(pk=global_key.pk).status == "compromised"


def test_a_time_without_a_zone_is_utc_and_can_be_corrected(global_key):
    SigningKey.objects.update(created_at=timezone.now() - timedelta(days=400))
    create_signing_key(product=None, actor=ACTOR)
    day = timezone.now() - timedelta(days=30)
    for text, expected in (
        (f"{day:%Y-%m-%dT%H:%M}", day.replace(second=0, microsecond=0)),
        (f"{day:%Y-%m-%d} 00:00+02:00", datetime(day.year, day.month, day.day, tzinfo=UTC) - timedelta(hours=2)),
    ):
        ran = run("mark_signing_key_compromised", global_key.fingerprint, "--since", text)
        assert (ran.code, "signs from now on" in ran.out) == (0, False)
        assert SigningKey.objects.get(pk=global_key.pk).compromised_at == expected
    again = run("mark_signing_key_compromised", global_key.fingerprint, "--since", text)
    assert "was marked so already" in again.out


@pytest.mark.parametrize(
    ("since", "words"),
    [
        ("yesterday", "is not a time"),
        ("2026-02-30T12:00", "is not a time"),
        ("2999-01-01T00:00", "still to come"),
        ("1999-01-01T00:00", "made only at"),
    ],
)
def test_it_explains_which_time_cannot_be(global_key, since, words):
    ran = run("mark_signing_key_compromised", global_key.fingerprint, "--since", since)
    assert ran.code == 2
    assert words in ran.err
    assert SigningKey.objects.get().status == "active"
