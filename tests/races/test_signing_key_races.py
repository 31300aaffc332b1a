"""Signing keys on several nodes, and changed by several people at once: there is always one that signs."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import pytest
from django.core.exceptions import ValidationError
from django.db import connection
from django.utils import timezone

from licenses import signing
from licenses.models import SigningKey
from licenses.services.signing_keys import create_signing_key, mark_compromised, use_signing_key
from tests.factories import ACTOR, api_key_text
from tests.server import running_portal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

numbers = count(1)


@pytest.mark.statement("S26")
def test_a_rotation_counts_on_every_node_from_the_next_answer_on(global_key):
    """Each node has signed with the key before, so that whatever it might remember, it does."""
    api_key = api_key_text()
    with running_portal(workers=1) as one, running_portal(workers=1) as two:

        def signed_by_all() -> str:
            """`call` fails unless an active key signed."""
            for node in (one, two):
                assert node.call("verify", api_key, license_key="unknown", identifier="x")["code"] == 210
                assert signing.verify(node.envelope, SigningKey.objects.active_of(None).public_key)
            return SigningKey.objects.active_of(None).fingerprint

        first = signed_by_all()
        upcoming = create_signing_key(product=None, upcoming=True, actor=ACTOR)
        assert signed_by_all() == first
        use_signing_key(signing_key=upcoming, actor=ACTOR)
        assert signed_by_all() == upcoming.fingerprint
        mark_compromised(signing_key=upcoming, since=timezone.now(), actor=ACTOR)
        assert signed_by_all() not in (first, upcoming.fingerprint)
        kinds = {key["kid"]: key["status"] for key in two.request("GET", "/.well-known/jwks.json").json()["keys"]}
        assert (kinds[first], kinds[upcoming.fingerprint]) == ("retired", "compromised")


def row(status: str) -> SigningKey:
    """Only its status matters here."""
    fingerprint = f"{next(numbers):064x}"
    return SigningKey.objects.create(
        status=status, bits=2048, public_key="-", private_key_locked=b"-", fingerprint=fingerprint
    )


def at_once(*calls: Callable[[], object]) -> list[object]:
    barrier = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> object:
        try:
            connection.ensure_connection()
            barrier.wait()
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def active_ones() -> list[int]:
    return list(SigningKey.objects.filter(status="active").values_list("pk", flat=True))


@pytest.mark.statement("S26")
def test_of_two_who_put_a_key_in_use_one_wins_and_one_always_signs(db):
    """One more cuts the active key off in the same moment; another never sees none or two that sign."""
    row("active")
    seen: set[int] = set()
    ended = threading.Event()

    def watch() -> None:
        while not ended.is_set():
            seen.add(len(active_ones()))
        connection.close()

    watcher = threading.Thread(target=watch)
    watcher.start()
    for _ in range(20 if connection.vendor == "postgresql" else 3):
        active, upcoming = SigningKey.objects.get(status="active"), row("upcoming")
        use = lambda: use_signing_key(signing_key=upcoming, actor=ACTOR)  # noqa: B023, E731  called in this round
        cut = lambda: mark_compromised(signing_key=active, since=timezone.now(), actor=ACTOR)  # noqa: B023, E731
        first, second, third = at_once(use, use, cut)
        assert third is True
        assert [first, second].count(True) <= 1, "and none when the key took over from the one that was cut off"
        assert active_ones() == [upcoming.pk]
        active.refresh_from_db()
        assert active.status == "compromised"
    ended.set()
    watcher.join()
    assert seen == {1}


def test_two_first_keys_at_once_are_one(db):
    """There is no row that could be locked yet: the constraint decides, and in words."""
    results = at_once(*[made_or_refused] * 2)
    assert len(active_ones()) == 1
    assert set(results) <= {"made", "refused"}


def made_or_refused() -> str:
    try:
        create_signing_key(product=None, actor=ACTOR)
    except ValidationError:
        return "refused"
    return "made"
