"""create_signing_key: the global one, a product's, and replacing one only where that is asked for."""

import pytest

from licenses import signing
from licenses.models import AuditEvent, SigningKey
from licenses.services.signing_keys import signer_for
from tests.commands import run
from tests.factories import ProductFactory

pytestmark = pytest.mark.django_db


def test_it_creates_the_global_signing_key():
    ran = run("create_signing_key")
    signing_key = SigningKey.objects.get()
    assert ran.code == 0
    assert signing_key.fingerprint in ran.out
    assert (signing_key.product, signing_key.status, signing_key.bits) == (None, "active", 2048)
    assert "PRIVATE" not in ran.out + ran.err
    envelope = signing.seal({"code": 1}, private_key=signer_for(None).private_key, label="global")
    assert signing.verify(envelope, signing_key.public_key)
    assert AuditEvent.objects.get(kind="signing_key.created").door == "command"


def test_it_creates_one_for_a_product_of_the_size_asked_for():
    product = ProductFactory(name="Photo Editor")
    assert run("create_signing_key", "--product", "Photo Editor", "--bits", 3072).code == 0
    assert (SigningKey.objects.get().product, SigningKey.objects.get().bits) == (product, 3072)


@pytest.mark.statement("S26")
def test_it_replaces_an_active_one_only_where_that_is_asked_for():
    run("create_signing_key")
    first = SigningKey.objects.get()
    ran = run("create_signing_key")
    assert ran.code == 2
    assert "Add --rotate to replace it at once, or --upcoming" in ran.err
    assert list(SigningKey.objects.all()) == [first]
    assert run("create_signing_key", "--rotate").code == 0
    first.refresh_from_db()
    assert first.status == "retired"
    assert SigningKey.objects.filter(status="active").count() == 1


def test_it_publishes_the_next_one_first():
    run("create_signing_key")
    first = SigningKey.objects.get()
    ran = run("create_signing_key", "--upcoming", "--bits", 3072)
    upcoming = SigningKey.objects.get(status="upcoming")
    assert (ran.code, upcoming.bits) == (0, 3072)
    assert f"manage.py use_signing_key {upcoming.fingerprint[:12]}" in ran.err
    assert SigningKey.objects.active_of(None) == first
    again = run("create_signing_key", "--upcoming")
    assert (again.code, SigningKey.objects.count()) == (2, 2)
    assert "Put it in use first." in again.err


def test_a_product_s_key_is_no_global_one():
    ProductFactory(name="Photo Editor")
    run("create_signing_key")
    assert run("create_signing_key", "--product", "Photo Editor").code == 0
    assert SigningKey.objects.filter(status="active").count() == 2


@pytest.mark.parametrize("arguments", [["--bits", "1024"], ["--bits", "big"], ["--product", "Nothing"], ["--upcoming"]])
def test_it_explains_what_it_cannot_use(arguments):
    ran = run("create_signing_key", *arguments)
    assert ran.code != 0
    assert ran.err
    assert not SigningKey.objects.exists()
