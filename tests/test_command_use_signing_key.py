"""use_signing_key: an upcoming key signs from now on."""

import pytest

from licenses.models import AuditEvent, SigningKey
from licenses.services.signing_keys import create_signing_key
from tests.commands import run
from tests.factories import ACTOR, ProductFactory

pytestmark = pytest.mark.django_db


@pytest.mark.statement("S26")
def test_it_puts_an_upcoming_key_in_use_by_the_beginning_of_its_fingerprint(global_key):
    upcoming = create_signing_key(product=None, upcoming=True, actor=ACTOR)
    ran = run("use_signing_key", upcoming.fingerprint[:8].upper())
    assert ran == (0, f"The {upcoming} signs for the portal from now on.\n", "")
    assert SigningKey.objects.active_of(None) == upcoming
    assert AuditEvent.objects.get(kind="signing_key.activated").door == "command"
    again = run("use_signing_key", upcoming.fingerprint)
    assert (again.code, again.out) == (0, f"The {upcoming} signs for the portal already.\n")
    retired = run("use_signing_key", global_key.fingerprint)
    assert retired.code == 2
    assert "is retired: only an upcoming signing key can be put in use." in retired.err


def test_it_says_for_which_product(global_key):
    product = ProductFactory(name="Photo Editor")
    upcoming = create_signing_key(product=product, upcoming=True, actor=ACTOR)
    assert "signs for the product Photo Editor from now on." in run("use_signing_key", upcoming.fingerprint).out


@pytest.mark.parametrize(
    ("fingerprint", "words"),
    [
        ("", "is not the beginning of a fingerprint"),
        ("1234567", "is not the beginning of a fingerprint"),
        ("nonsense!", "is not the beginning of a fingerprint"),
        ("0" * 64, "No signing key has a fingerprint that begins so"),
        ("abcdabcd", "Several signing keys have fingerprints that begin so"),
    ],
)
def test_it_explains_which_key_it_cannot_find(global_key, fingerprint, words):
    for number in range(2):
        signing_key = SigningKey(status="retired", bits=2048, public_key="-", private_key_locked=b"-")
        signing_key.fingerprint = "abcdabcd" + str(number) * 56
        signing_key.save()
    ran = run("use_signing_key", fingerprint)
    assert ran.code == 2
    assert words in ran.err
