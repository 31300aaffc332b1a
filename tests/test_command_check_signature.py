"""check_signature: who signed what somebody brings, when, and whether to trust it."""

import base64
import io
import json
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from licenses import signing
from licenses.models import SigningKey
from licenses.services.license_files import make_license_file
from licenses.services.signing_keys import create_signing_key, mark_compromised, signer_for
from tests.commands import run
from tests.factories import ACTOR, ActivationFactory, api_key_text

pytestmark = [pytest.mark.django_db, pytest.mark.statement("S23")]


def sealed(*, at: float | None = None, product_id: int | None = None) -> dict:
    signer = signer_for(product_id)
    response = {"code": 200, "message": "Valid license key", "timestamp": int(at or time.time())}
    return signing.seal(response, private_key=signer.private_key, label=signer.label)


@pytest.fixture
def check(tmp_path):
    def check(document):
        path = tmp_path / "document"
        path.write_text(document if isinstance(document, str) else json.dumps(document))
        ran = run("check_signature", path)
        assert "Traceback" not in ran.err
        return ran

    return check


def test_it_trusts_an_answer_and_says_who_signed_it_and_when(check, global_key):
    ran = check(sealed(at=1795276029))
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.splitlines() == [
        "Trusted: an answer. It is unchanged, and the key could sign then.",
        f"Signed by: the active key of the portal, fingerprint {global_key.fingerprint}",
        "Signed at: 2026-11-21 15:47:09 UTC, as it says of itself",
    ]


def test_it_trusts_what_retired_and_product_keys_signed(check, global_key):
    activation = ActivationFactory()
    product = activation.license_key.product
    own = create_signing_key(product=product, actor=ACTOR)
    envelope = sealed(product_id=product.pk)
    create_signing_key(product=product, actor=ACTOR)
    ran = check(envelope)
    assert ran.code == 0
    assert f"Signed by: the retired key of the product {product}, fingerprint {own.fingerprint}" in ran.out


def test_it_knows_the_other_documents(check, client, global_key):
    activation = ActivationFactory()
    found = activation.license_key
    create_signing_key(product=found.product, actor=ACTOR)
    made = make_license_file(found, identifier=activation.identifier)
    sdk = client.post(
        "/api/v1/verify",
        {"license_key": found.license_key, "identifier": activation.identifier},
        headers={"Authorization": f"Bearer {api_key_text(profile='sdk')}"},
    )
    posted = {"headers": {}, "original": sealed(), "exception": None}
    for document, what in (
        (made.document_text, "a license file"),
        (made.chunked, "a license file"),
        (sdk.content.decode(), "an answer for an SDK"),
        (posted, "an answer"),
    ):
        ran = check(document)
        assert (ran.code, ran.out.partition(".")[0]) == (0, f"Trusted: {what}")


def test_it_reads_standard_input(global_key, monkeypatch):
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"\xef\xbb\xbf" + json.dumps(sealed()).encode())))
    assert run("check_signature").code == 0


def altered(envelope):
    return envelope | {"response": envelope["response"] | {"code": 300}}


def carried(envelope):
    return {"response": {"code": 200}, "response_base64": "AAAA", "signature": "x", "original": envelope}


def resigned(envelope):
    text = base64.b64encode(b'{"code":300}').decode()
    return envelope | {"response": {"code": 300}, "response_base64": text}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (altered, "It was altered"),
        (carried, "No signing key of this portal signed it"),
        (resigned, "No signing key of this portal signed it"),
        (lambda envelope: envelope | {"signature": "Private key not set"}, "No signing key of this portal signed it"),
        (lambda envelope: {"response": None, "signature": []}, "No signing key of this portal signed it"),
        (lambda envelope: {}, "No signing key of this portal signed it"),
        (lambda envelope: "no license file", "No signing key of this portal signed it"),
        (lambda envelope: "[" * 100_000, "No signing key of this portal signed it"),
        (lambda envelope: {"type": "license-file", "license": {}, "signature": "x"}, "No signing key of this"),
    ],
)
def test_it_trusts_nothing_that_was_altered_or_signed_elsewhere(check, global_key, change, words):
    ran = check(change(sealed()))
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("NOT TRUSTED: ")
    assert words in ran.err


@pytest.mark.statement("S26")
def test_of_a_compromised_key_it_trusts_what_is_older(check, global_key):
    SigningKey.objects.update(created_at=timezone.now() - timedelta(days=9))
    since = timezone.now() - timedelta(days=1)
    before, after = sealed(at=since.timestamp() - 1), sealed(at=since.timestamp())
    mark_compromised(signing_key=global_key, since=since, actor=ACTOR)
    ran = check(before)
    assert ran.code == 0
    assert "Whoever has the key can write so" in ran.out
    ran = check(after)
    assert ran.code == 1
    assert f"The key was compromised at {since:%Y-%m-%d %H:%M:%S} UTC" in ran.err


def test_without_a_date_a_compromised_key_is_not_trusted_at_all(check, global_key):
    activation = ActivationFactory()
    own = create_signing_key(product=activation.license_key.product, actor=ACTOR)
    made = make_license_file(activation.license_key, identifier=activation.identifier)
    mark_compromised(signing_key=own, since=timezone.now(), actor=ACTOR)
    assert check(made.chunked).code == 1


@pytest.mark.parametrize(
    ("fields", "days", "words"),
    [
        ({"status": "upcoming"}, 0, "The key is only published"),
        ({"status": "retired", "retired_at": timezone.now() - timedelta(days=2)}, -1, "The key retired at"),
        ({}, 1, "signed in the future"),
    ],
)
def test_it_wonders_about_a_key_that_could_not_have_signed_then(check, global_key, fields, days, words):
    envelope = sealed(at=time.time() + days * 86_400)
    SigningKey.objects.update(**fields)
    ran = check(envelope)
    assert ran.code == 1
    assert words in ran.err


def test_it_says_what_it_cannot_read(check, tmp_path, global_key):
    (tmp_path / "bytes").write_bytes(b"\xff")
    for ran, words in (
        (run("check_signature", tmp_path / "nothing"), "No such file"),
        (run("check_signature", tmp_path / "bytes"), "is not UTF-8 text"),
        (check("[1]"), "no object"),
    ):
        assert ran.code == 2
        assert words in ran.err


def test_a_name_that_stands_twice_is_not_read(check, global_key):
    """One reader would take what was signed, another what was put before it."""
    text = json.dumps(sealed()).replace("{", '{"response": {"code": 200}, ', 1)
    ran = check(text)
    assert ran.code == 2
    assert "stands twice" in ran.err
