"""licenses.signing on real data: answers that another portal of the same protocol signed, with its public key."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, padding
from hypothesis import given
from hypothesis import strategies as st

from licenses import signing

DOCUMENTED = json.loads((Path(__file__).parent / "documented_envelopes.json").read_text())
PUBLIC_KEY = DOCUMENTED["public_key_pem"]
ENVELOPES = [row["envelope"] for row in DOCUMENTED["envelopes"]]
PRIVATE_KEY = signing.generate_private_key()
OWN_PEM = signing.public_pem(PRIVATE_KEY)


def sealed(response):
    return signing.seal(response, private_key=PRIVATE_KEY, label="global")


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_it_verifies_documented_answers(envelope):
    assert signing.verify(envelope, PUBLIC_KEY)
    assert not signing.verify(envelope, OWN_PEM)


@pytest.mark.parametrize("envelope", ENVELOPES)
def test_it_seals_documented_responses_to_the_same_bytes(envelope):
    assert sealed(envelope["response"])["response_base64"] == envelope["response_base64"]


@pytest.mark.statement("S23")
@pytest.mark.parametrize("envelope", ENVELOPES)
def test_it_refuses_every_flipped_bit(envelope):
    """Of the envelope as it travels: response, base64, label, signature, and the names of all four."""
    text = json.dumps(envelope, separators=(",", ":")).encode()
    tried = 0
    for position in range(len(text) * 8):
        flipped = bytearray(text)
        flipped[position // 8] ^= 1 << (position % 8)
        try:
            damaged = json.loads(bytes(flipped))
        except ValueError:
            continue  # no JSON any more: the caller never gets as far as a signature
        tried += 1
        assert not signing.verify(damaged, PUBLIC_KEY), flipped
    assert tried > 1000


@pytest.mark.statement("S23")
def test_it_refuses_every_flipped_bit_of_the_decoded_signature():
    envelope = sealed({"code": 200, "message": "Valid license key", "timestamp": 1})
    signature = base64.b64decode(envelope["signature"])
    for position in range(len(signature) * 8):
        flipped = bytearray(signature)
        flipped[position // 8] ^= 1 << (position % 8)
        assert not signing.verify(envelope | {"signature": base64.b64encode(flipped).decode()}, OWN_PEM)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(), JSON, max_size=4))
def test_it_verifies_whatever_it_seals(response):
    envelope = sealed(response)
    assert signing.verify(envelope, OWN_PEM)
    assert signing.verify(json.loads(signing.encode(envelope)), OWN_PEM)
    assert not signing.verify(envelope | {"response": response | {"added": 1}}, OWN_PEM)


def test_it_encodes_as_the_protocol_does():
    assert signing.encode({"url": "https://a/b", "name": "é€😀", "n": 1}) == (
        '{"url":"https:\\/\\/a\\/b","name":"\\u00e9\\u20ac\\ud83d\\ude00","n":1}'
    )


@pytest.mark.parametrize(
    "other",
    [
        {"response": {"code": True}},
        {"response": {"code": 1.0}},
        {"response_base64": "eyJjb2RlIjoxfQ"},  # without its padding
        {"response_base64": "eyJjb2RlIjoxfQ==\n"},
        {"response_base64": "é"},
        {"response_base64": None},
        {"response_base64": 7},
        {"signature": ""},
        {"signature": "Private key not set"},
        {"signature": None},
        {"signature": []},
        {"private_key_used": "other"},
        {"private_key_used": None},
        {"private_key_used": []},
    ],
)
def test_it_refuses_what_seal_does_not_write(other):
    envelope = sealed({"code": 1})
    assert signing.verify(envelope, OWN_PEM)
    assert not signing.verify(envelope | other, OWN_PEM)


@pytest.mark.parametrize("name", ["response", "response_base64", "private_key_used", "signature"])
def test_it_refuses_a_missing_field(name):
    envelope = sealed({"code": 1})
    del envelope[name]
    assert not signing.verify(envelope, OWN_PEM)


@pytest.mark.parametrize("value", [None, [], "text", 7])
def test_it_refuses_what_is_no_envelope(value):
    assert not signing.verify(value, OWN_PEM)


def ec_pem() -> str:
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    return public.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo).decode()


UNREADABLE = {
    "empty": "",
    "no bytes": b"",
    "nonsense": "nonsense",
    "not ASCII": "é",
    "none": None,
    "number": 7,
    "cut off": OWN_PEM[:100],
    "damaged": OWN_PEM.replace("A", "B"),
    "another algorithm": ec_pem(),
}


@pytest.mark.statement("S24")
@pytest.mark.parametrize("pem", UNREADABLE.values(), ids=UNREADABLE.keys())
def test_an_empty_missing_or_unreadable_key_never_verifies(pem):
    assert not signing.verify(sealed({"code": 1}), pem)


@pytest.mark.statement("S22")
@pytest.mark.parametrize(
    "document",
    [
        b'{"code":1}',  # the JSON itself instead of its base64, as client libraries sign envelopes
        b'{"license":{"key":"A"},"version":1}',  # a license file
        b"msg_1.1700000000.{}",  # a webhook
        b"",
    ],
)
def test_a_signature_over_another_kind_of_document_is_none_over_an_answer(document):
    signature = PRIVATE_KEY.sign(document, padding.PKCS1v15(), hashes.SHA256())
    forged = {
        "response": {"code": 1},
        "response_base64": document.decode(),
        "private_key_used": "global",
        "signature": base64.b64encode(signature).decode(),
    }
    assert not signing.verify(forged, OWN_PEM)
    assert not signing.verify(sealed({"code": 1}) | {"signature": forged["signature"]}, OWN_PEM)


@pytest.mark.statement("S22")
@pytest.mark.parametrize("pad", [padding.PSS(padding.MGF1(hashes.SHA256()), 32)])
def test_another_padding_is_no_signature(pad):
    envelope = sealed({"code": 1})
    signature = PRIVATE_KEY.sign(envelope["response_base64"].encode(), pad, hashes.SHA256())
    assert not signing.verify(envelope | {"signature": base64.b64encode(signature).decode()}, OWN_PEM)


@pytest.mark.parametrize("bits", [2048, 3072, 4096])
def test_it_makes_keys_of_three_sizes(bits):
    assert signing.generate_private_key(bits).key_size == bits


@pytest.mark.parametrize("bits", [0, 1024, 2047, 8192])
def test_it_makes_no_weaker_or_odd_keys(bits):
    with pytest.raises(ValueError, match="2048, 3072, 4096"):
        signing.generate_private_key(bits)


@pytest.mark.statement("S28")
def test_the_private_half_is_locked_under_the_newest_vault_key_and_opens_under_any():
    old, new = Fernet.generate_key().decode(), Fernet.generate_key().decode()
    locked = signing.lock_private_key(PRIVATE_KEY, [old])
    assert signing.public_pem(signing.unlock_private_key(locked, [new, old])) == OWN_PEM
    assert b"PRIVATE" not in locked
    with pytest.raises(InvalidToken):
        signing.unlock_private_key(locked, [new])
    with pytest.raises(InvalidToken):
        signing.unlock_private_key(signing.lock_private_key(PRIVATE_KEY, [new, old]), [old])


def test_it_marks_an_answer_it_could_not_sign():
    assert not signing.verify(signing.unsealed({"code": 198}), OWN_PEM)


def test_what_cannot_be_signed_says_so_and_never_verifies():
    envelope = signing.unsealed({"code": 199, "message": "a/b"})
    assert envelope == {
        "response": {"code": 199, "message": "a/b"},
        "response_base64": base64.b64encode(rb'{"code":199,"message":"a\/b"}').decode(),
        "private_key_used": "global",
        "signature": "Private key not set",
    }
    assert not signing.verify(envelope, signing.public_pem(PRIVATE_KEY))


def test_a_size_that_is_no_key_is_named():
    with pytest.raises(ValueError, match=r"^an RSA signing key has 2048, 3072, 4096 bits, not 1024$"):
        signing.generate_private_key(1024)


def test_the_edges_of_what_is_portable():
    assert signing.portable([2**53, 2**53 + 1, -(2**53) - 1]) == [2**53, str(2**53 + 1), str(-(2**53) - 1)]
    assert signing.portable("a\u2028b\u2029c") == "a b c"
    assert signing.portable({"\uffff": 1, "\U00010000": 2, "a\u2029": 3, "__proto__": 4, "1": 5}) == {"\uffff": 1}
