import pytest
from cryptography.fernet import Fernet, InvalidToken
from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import SystemCheckError
from django.db import connection

from licenses import signing
from licenses.models import AuditEvent, SigningKey
from licenses.services import signing_keys
from licenses.services.products import create_product
from licenses.services.signing_keys import create_signing_key, signer_for
from tests.factories import ACTOR, ProductFactory

pytestmark = pytest.mark.django_db


def test_a_product_gets_a_key_of_its_own(settings):
    product = create_product(name="One", actor=ACTOR)
    assert product.signing_keys.get().bits == 2048
    settings.PRODUCT_SIGNING_KEYS = False
    assert not create_product(name="Two", actor=ACTOR).signing_keys.exists()
    assert create_product(name="Three", own_signing_key=True, actor=ACTOR).signing_keys.exists()


def test_the_product_key_signs_for_the_product_and_the_global_key_for_the_others(global_key):
    product = create_product(name="One", actor=ACTOR)
    own = product.signing_keys.get()
    for product_id, label, key in (
        (product.pk, "product", own),
        (ProductFactory().pk, "global", global_key),
        (None, "global", global_key),
    ):
        signer = signer_for(product_id)
        assert signer.label == label
        assert signing.public_pem(signer.private_key) == key.public_key


@pytest.mark.statement("S26")
def test_a_new_key_retires_the_old_one_which_still_verifies(global_key):
    old_signer = signer_for(None)
    envelope = signing.seal({"code": 1}, private_key=old_signer.private_key, label="global")
    new = create_signing_key(product=None, bits=3072, actor=ACTOR)
    global_key.refresh_from_db()
    assert (global_key.status, new.status, new.bits) == ("retired", "active", 3072)
    assert global_key.retired_at is not None
    assert signing.verify(envelope, global_key.public_key)
    assert signing.public_pem(signer_for(None).private_key) == new.public_key
    assert AuditEvent.objects.filter(kind="signing_key.retired", object_id=global_key.pk).exists()


def test_a_bad_size_leaves_the_old_key_active(global_key):
    with pytest.raises(ValueError, match="2048, 3072, 4096"):
        create_signing_key(product=None, bits=1024, actor=ACTOR)
    global_key.refresh_from_db()
    assert global_key.status == "active"


@pytest.mark.statement("S28")
def test_the_database_alone_cannot_sign(global_key, settings):
    with connection.cursor() as cursor:
        cursor.execute('SELECT * FROM "licenses_signingkey"')
        dump = repr(cursor.fetchall())
    assert "PRIVATE KEY" not in dump
    secret_numbers = signer_for(None).private_key.private_numbers()
    for number in (secret_numbers.d, secret_numbers.p, secret_numbers.q):
        assert str(number) not in dump
        assert f"{number:x}" not in dump
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    signing_keys.unlock.cache_clear()
    with pytest.raises(InvalidToken):
        signer_for(None)


def test_an_older_vault_key_still_opens_after_a_newer_one_came(global_key, settings):
    settings.VAULT_KEYS = [Fernet.generate_key().decode(), *settings.VAULT_KEYS]
    signing_keys.unlock.cache_clear()
    assert signing.public_pem(signer_for(None).private_key) == global_key.public_key


@pytest.mark.statement("S24")
def test_sealing_without_a_key_fails_loudly_at_start(settings, capsys):
    check = {"deploy": True, "databases": ["default"], "tags": ["signing"]}
    with pytest.raises(SystemCheckError, match=r"licenses\.E001"):
        call_command("check", **check)
    create_signing_key(product=None, actor=ACTOR)
    call_command("check", **check)
    settings.VAULT_KEYS = [Fernet.generate_key().decode()]
    signing_keys.unlock.cache_clear()
    with pytest.raises(SystemCheckError, match=r"licenses\.E002"):
        call_command("check", **check)


def test_there_is_no_signer_without_a_key():
    with pytest.raises(ImproperlyConfigured, match="create_signing_key"):
        signer_for(None)
    assert not SigningKey.objects.exists()
