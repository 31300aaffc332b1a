"""S22: a signature made for one type of document never verifies as another, each against each."""

import ast
from datetime import UTC, datetime
from itertools import permutations
from pathlib import Path

import pytest
from django.core import signing as django_signing

from licenses import signing
from licenses.license_files import Facts, read_chunked, verify_document, write_chunked, write_document
from licenses.services import signatures
from licenses.services.downloads import SALT

KEY = signing.generate_private_key()
PEM = signing.public_pem(KEY)
FACTS = Facts("AURORA-0001", "desk-7", None, "7f1b0b4e-6d3c-4b39-9f0a-0c6a5d1c2e3f", features={"pro": True})
RESPONSE = {"code": 200, "message": "Valid license key", "timestamp": 1795276029}


def sdk_answer() -> dict:
    """As api/sdk.py seals: everything beside the signature, with sorted names."""
    sealed = signing.portable(
        signing.seal(RESPONSE, private_key=KEY, label="global") | {"license": {"status": "active"}}
    )
    del sealed["signature"]
    return sealed | {"signature": signing.sign_text(signing.encode_portable(sealed), private_key=KEY)}


def reads_chunked(document) -> bool:
    try:
        return bool(read_chunked(document if isinstance(document, str) else document["signature"], PEM))
    except ValueError:
        return False


def opens_download(document) -> bool:
    try:
        return bool(django_signing.loads(document if isinstance(document, str) else document["signature"], salt=SALT))
    except django_signing.BadSignature:
        return False


def is_object(verify):
    return lambda document: isinstance(document, dict) and verify(document, PEM)


DOCUMENTS = {
    "answer": signing.seal(RESPONSE, private_key=KEY, label="global"),
    "answer for an SDK": sdk_answer(),
    "license file": write_document(
        FACTS, KEY, grace_period_days=30, environment="production", issued_at=datetime(2026, 1, 1, tzinfo=UTC)
    ),
    "license file in blocks": write_chunked(FACTS, KEY),
    "download link": django_signing.dumps([1, 2, 3], salt=SALT),
}
VERIFIERS = {
    "answer": is_object(signing.verify),
    "answer for an SDK": is_object(signatures._signed_whole),
    "license file": is_object(verify_document),
    "license file in blocks": reads_chunked,
    "download link": opens_download,
}


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_each_verifies_as_what_it_is(kind):
    assert VERIFIERS[kind](DOCUMENTS[kind])


@pytest.mark.statement("S22")
@pytest.mark.parametrize(("made_as", "taken_for"), [*permutations(DOCUMENTS, 2)])
def test_none_verifies_as_another(made_as, taken_for):
    """Not as it is, and neither with its signature on a genuine document of the other type."""
    made, other = DOCUMENTS[made_as], DOCUMENTS[taken_for]
    assert not VERIFIERS[taken_for](made)
    signature = made if isinstance(made, str) else made["signature"]
    moved = signature if isinstance(other, str) else other | {"signature": signature}
    assert not VERIFIERS[taken_for](moved)


@pytest.mark.statement("S22")
def test_every_type_that_the_portal_signs_is_here():
    """Whoever signs another type adds it to the table above."""
    signers = set()
    for path in (Path(__file__).resolve().parent.parent / "licenses").rglob("*.py"):
        calls = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {call.attr for call in calls if isinstance(call, ast.Attribute)}
        if names & {"seal", "sign_text", "sign"} or (
            names & {"dumps"} and "django.core import signing" in path.read_text()
        ):
            signers.add(path.name)
    assert signers == {
        "signing.py",
        "license_files.py",
        "sdk.py",
        "replies.py",
        "downloads.py",
        "queued_assignments.py",
    }
