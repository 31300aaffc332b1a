"""list_signing_keys: one line a key, for people and for grep."""

import pytest
from django.utils import timezone

from licenses.services.signing_keys import create_signing_key, mark_compromised
from tests.commands import run
from tests.factories import ACTOR, ProductFactory

pytestmark = pytest.mark.django_db


def test_it_lists_every_key_with_its_dates():
    product = ProductFactory(name="Photo Editor")
    own = create_signing_key(product=product, bits=3072, actor=ACTOR)
    first = create_signing_key(product=None, actor=ACTOR)
    upcoming = create_signing_key(product=None, upcoming=True, actor=ACTOR)
    mark_compromised(signing_key=first, since=timezone.now(), actor=ACTOR)
    ran = run("list_signing_keys")
    lines = [line.split("\t") for line in ran.out.splitlines()]
    assert ran.code == 0
    header = ran.err.rstrip("\n").split("\t")
    assert header == ["fingerprint", "status", "bits", "signs since", "until", "compromised since", "for"]
    assert {len(line) for line in lines} == {len(header)}
    assert [line[:3] for line in lines] == [
        [first.fingerprint[:12], "compromised", "2048"],
        [upcoming.fingerprint[:12], "active", "2048"],
        [own.fingerprint[:12], "active", "3072"],
    ]
    assert [[cell == "-" for cell in line[3:6]] for line in lines] == [
        [False, False, False],
        [False, True, True],
        [False, True, True],
    ]
    assert [line[6] for line in lines] == ["global", "global", f"product {product.pk}: Photo Editor"]


def test_a_portal_without_keys_has_none_to_list():
    ran = run("list_signing_keys")
    assert (ran.code, ran.out) == (0, "")
    assert "manage.py create_signing_key makes one." in ran.err
