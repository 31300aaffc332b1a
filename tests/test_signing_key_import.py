"""A vendor who moves here brings the key that shipped software trusts, as a PEM."""

import base64
import json
import subprocess

import pytest
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)
from django.core.exceptions import ValidationError

from licenses import signing
from licenses.license_files import read_chunked
from licenses.models import AuditEvent, SigningKey
from licenses.services.license_files import make_license_file
from licenses.services.signing_keys import create_signing_key, import_signing_key, mark_compromised, signer_for
from tests.commands import run
from tests.factories import ACTOR, ActivationFactory, ProductFactory

pytestmark = pytest.mark.django_db

ACTIVE = SigningKey.Status.ACTIVE
PASSPHRASE = "correct horse, bätterie"


def openssl(*arguments: str, data: bytes | None = None) -> bytes:
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def pem_of(private_key, form=PrivateFormat.PKCS8, passphrase=None) -> bytes:
    encryption = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
    return private_key.private_bytes(Encoding.PEM, form, encryption)


def mersenne_key(first: int, second: int) -> rsa.RSAPrivateKey:
    """A key of the sum of both bits from two famous primes: to find others of this size takes seconds."""
    p, q, e = 2**second - 1, 2**first - 1, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public).private_key(
        unsafe_skip_rsa_key_validation=True
    )


@pytest.fixture(scope="module")
def vendor_pem() -> bytes:
    """A size that is not made here."""
    return openssl("genrsa", "2560")


@pytest.fixture(scope="module")
def rsa_key():
    return rsa.generate_private_key(65537, 2048)


def bring(pem: bytes, passphrase: str = "", *, product=None, status=ACTIVE) -> SigningKey:
    return import_signing_key(pem=pem, passphrase=passphrase, product=product, status=status, actor=ACTOR)


@pytest.mark.statement("S26")
def test_software_in_the_field_trusts_the_answers_of_a_portal_that_got_its_vendor_s_key(portal, tmp_path, vendor_pem):
    """Made by openssl, imported from its file by the command, and an answer checked by openssl with the old half."""
    private, public, signature = (tmp_path / name for name in ("vendor.pem", "vendor.pub", "signature"))
    private.write_bytes(vendor_pem)
    public.write_bytes(openssl("rsa", "-in", str(private), "-pubout"))
    assert run("import_signing_key", private).code == 0
    assert portal("verify", license_key="unknown", identifier="x")["code"] == 210
    signature.write_bytes(base64.b64decode(portal.envelope["signature"]))
    assert len(signature.read_bytes()) == 2560 // 8
    verified = openssl(
        *("dgst", "-sha256", "-verify", str(public), "-signature", str(signature)),
        data=portal.envelope["response_base64"].encode(),
    )
    assert verified == b"Verified OK\n"


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL], ids=["PKCS#8", "PKCS#1"])
@pytest.mark.parametrize("passphrase", ["", PASSPHRASE], ids=["plain", "encrypted"])
def test_it_takes_every_usual_form(global_key, rsa_key, form, passphrase):
    pem = b"Bag Attributes\r\n    localKeyID: 01\r\n" + pem_of(rsa_key, form, passphrase).replace(b"\n", b"\r\n")
    brought = bring(pem, passphrase)
    assert signing.public_pem(signer_for(None).private_key) == signing.public_pem(rsa_key) == brought.public_key
    assert (brought.bits, brought.activated_at) == (2048, None)
    assert SigningKey.objects.get(pk=global_key.pk).status == "retired"
    assert AuditEvent.objects.get(kind="signing_key.imported").after == {"bits": 2048, "status": "active"}


@pytest.mark.statement("S28")
def test_the_private_half_is_stored_encrypted_alone(rsa_key):
    brought = bring(pem_of(rsa_key))
    locked = bytes(brought.private_key_locked)
    assert b"PRIVATE" not in locked
    der = rsa_key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert der not in base64.urlsafe_b64decode(locked)
    told = json.dumps(list(AuditEvent.objects.values("before", "after", "object_label")))
    assert f"{rsa_key.private_numbers().d:x}" not in told


@pytest.mark.parametrize("status", ["upcoming", "retired"])
def test_it_can_wait_or_only_be_published(global_key, rsa_key, status):
    brought = bring(pem_of(rsa_key), status=SigningKey.Status(status))
    assert (brought.status, brought.retired_at is not None) == (status, status == "retired")
    assert SigningKey.objects.active_of(None) == global_key


def test_a_passphrase_that_is_not_needed_does_no_harm(rsa_key):
    assert bring(pem_of(rsa_key), "anything").status == "active"


def test_a_key_that_came_in_use_may_have_leaked_before_it_came(rsa_key):
    brought = bring(pem_of(rsa_key))
    since = brought.created_at.replace(year=2020)
    assert mark_compromised(signing_key=brought, since=since, actor=ACTOR)
    assert SigningKey.objects.active_of(None).bits == 2048


def test_an_unusual_size_signs_answers_and_license_files(global_key, vendor_pem):
    activation = ActivationFactory()
    found = activation.license_key
    bring(vendor_pem, product=found.product)
    own = SigningKey.objects.active_of(found.product)
    made = make_license_file(found, identifier=activation.identifier)
    assert read_chunked(made.chunked, own.public_key)["license_key"] == found.license_key
    assert len(base64.b64decode(made.chunked)) % (2560 // 8) == 0
    envelope = signing.seal({"code": 1}, private_key=signer_for(found.product_id).private_key, label="product")
    assert signing.verify(envelope, own.public_key)


def public_half_alone() -> bytes:
    return signing.public_pem(rsa.generate_private_key(65537, 2048)).encode()


REFUSED = {
    "nothing": (lambda: b"", "This is no PEM"),
    "nonsense": (lambda: b"\xff\x00 no key", "This is no PEM"),
    "public half": (public_half_alone, "only the public half"),
    "elliptic": (lambda: pem_of(ec.generate_private_key(ec.SECP256R1())), "no RSA key"),
    "ed25519": (lambda: pem_of(ed25519.Ed25519PrivateKey.generate()), "no RSA key"),
    "dsa": (lambda: pem_of(dsa.generate_private_key(1024)), "no RSA key"),
    "too small": (lambda: pem_of(mersenne_key(521, 607)), "has 1128 bits: a signing key has 2048 to 4096"),
    "too large": (lambda: pem_of(mersenne_key(2203, 2281)), "has 4484 bits: a signing key has 2048 to 4096"),
    "no whole bytes": (lambda: openssl("genrsa", "2052"), "has 2052 bits: readers of license files"),
    "exponent": (lambda: pem_of(rsa.generate_private_key(3, 2048)), "public exponent 3: only 65537"),
    "OpenSSH": (
        lambda: rsa.generate_private_key(65537, 2048).private_bytes(
            Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption()
        ),
        "ssh-keygen -p -m PKCS8",
    ),
    "damaged": (lambda: b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "is damaged"),
}


@pytest.mark.statement("S24")
@pytest.mark.parametrize("case", REFUSED)
def test_it_says_why_a_key_cannot_be_used(global_key, case):
    make, words = REFUSED[case]
    with pytest.raises(ValidationError, match=words) as error:
        bring(make())
    assert list(error.value.message_dict) == ["pem"]
    assert list(SigningKey.objects.all()) == [global_key]


def test_several_private_keys_are_not_guessed_among(rsa_key):
    with pytest.raises(ValidationError, match="several private keys"):
        bring(pem_of(rsa_key) + pem_of(ec.generate_private_key(ec.SECP256R1())))


@pytest.mark.parametrize("form", [PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL])
@pytest.mark.parametrize(("passphrase", "words"), [("", "its passphrase is needed"), ("wrong", "passphrase is wrong")])
def test_it_says_that_the_passphrase_is_missing_or_wrong(rsa_key, form, passphrase, words):
    with pytest.raises(ValidationError, match=words) as error:
        bring(pem_of(rsa_key, form, PASSPHRASE), passphrase)
    assert list(error.value.message_dict) == ["passphrase"]
    assert error.value.__cause__ is None


def test_a_key_is_taken_once(rsa_key):
    first = bring(pem_of(rsa_key))
    create_signing_key(product=None, actor=ACTOR)
    for product in (None, ProductFactory()):
        with pytest.raises(ValidationError, match=f"here already: {first}, retired"):
            bring(pem_of(rsa_key), product=product)
    assert SigningKey.objects.count() == 2
