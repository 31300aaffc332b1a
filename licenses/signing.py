"""Sealing and verifying answers, and the keys for it. Knows neither models nor Django.

The scheme is the v1 protocol's: the response as compact JSON, that as base64, and over the ASCII bytes of the base64
text an RSA signature, PKCS#1 v1.5 with SHA-256.
"""

import base64
import binascii
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.fernet import Fernet, MultiFernet
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa

RSA_BITS = (2048, 3072, 4096)
LABELS = ("product", "global")
_LARGEST_EXACT = 2**53  # beyond it JavaScript rounds
_NUMBER = re.compile(r"\s*[-+]*(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_BAD_INPUT = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


def encode(response: Mapping[str, Any]) -> str:
    """The JSON text that is signed: compact, ASCII only, `/` as `\\/`, keys in the order given."""
    return json.dumps(response, separators=(",", ":"), allow_nan=False).replace("/", "\\/")


def seal(response: Mapping[str, Any], *, private_key: rsa.RSAPrivateKey, label: str) -> dict[str, Any]:
    """Sign `response` and return the envelope; `label` ("product" or "global") says whose key signed."""
    response_base64 = base64.b64encode(encode(response).encode("ascii")).decode("ascii")
    return {
        "response": response,
        "response_base64": response_base64,
        "private_key_used": label,
        "signature": sign_text(response_base64, private_key=private_key),
    }


def sign_text(text: str, *, private_key: rsa.RSAPrivateKey) -> str:
    """The signature over the UTF-8 bytes of `text` as base64: PKCS#1 v1.5 with SHA-256.

    Whoever signs another type of document makes its text begin otherwise than a base64 text can (S22).
    """
    signature = private_key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    return base64.b64encode(signature).decode("ascii")


def verify_text(text: str, signature: str, public_key_pem: str | bytes) -> bool:
    """Whether `signature` is what `sign_text` made of this text; False for any bad input."""
    try:
        read_public_key(public_key_pem).verify(
            strict_base64(signature), text.encode(), padding.PKCS1v15(), hashes.SHA256()
        )
        return True
    except (InvalidSignature, UnsupportedAlgorithm, *_BAD_INPUT):
        return False


def unsealed(response: Mapping[str, Any]) -> dict[str, Any]:
    """The protocol's envelope for a portal that cannot sign just now; it never verifies."""
    response_base64 = base64.b64encode(encode(response).encode("ascii")).decode("ascii")
    return {
        "response": response,
        "response_base64": response_base64,
        "private_key_used": "global",
        "signature": "Private key not set",
    }


def verify(envelope: Mapping[str, Any], public_key_pem: str | bytes) -> bool:
    """Whether `envelope` was sealed with the private half of `public_key_pem`.

    False for anything else: a missing field, an unreadable key, base64 that is not exactly what `seal` writes, a
    `response` that differs from the signed bytes, an unknown label. Never raises for bad input.
    """
    try:
        response_base64 = envelope["response_base64"]
        signature = strict_base64(envelope["signature"])
        signed, shown = json.loads(strict_base64(response_base64)), envelope["response"]
        read_public_key(public_key_pem).verify(
            signature, response_base64.encode("ascii"), padding.PKCS1v15(), hashes.SHA256()
        )
        return envelope["private_key_used"] in LABELS and _canonical(signed) == _canonical(shown)
    except (InvalidSignature, UnsupportedAlgorithm, *_BAD_INPUT):
        return False


def portable(value: Any) -> Any:
    """The value as PHP and JavaScript decode and encode it without a change: sorted, no `{}`, no floats."""
    if isinstance(value, Mapping):
        return {name: portable(value[name]) for name in sorted(value) if _keeps_its_place(name)} or []
    if isinstance(value, list | tuple):
        return [portable(item) for item in value]
    if isinstance(value, float) or (isinstance(value, int) and abs(value) > _LARGEST_EXACT):
        return str(value)
    if isinstance(value, str):
        return str(value).replace("\u2028", " ").replace("\u2029", " ")
    return value


def encode_portable(value: Any) -> str:
    """A portable value as both write it: compact JSON with slashes and letters as they are."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)


def _keeps_its_place(name: str) -> bool:
    """PHP sorts names that are numbers as numbers, JavaScript puts whole ones first and sorts UTF-16."""
    odd = any(letter > "\uffff" or letter in "\u2028\u2029" for letter in name)
    return not (odd or _NUMBER.fullmatch(name) or name == "__proto__")


def generate_private_key(bits: int = 2048) -> rsa.RSAPrivateKey:
    """A new RSA key of 2048, 3072 or 4096 bits; ValueError for any other size."""
    if bits not in RSA_BITS:
        raise ValueError(f"an RSA signing key has {', '.join(map(str, RSA_BITS))} bits, not {bits}")
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def public_pem(private_key: rsa.RSAPrivateKey) -> str:
    """The public half as PEM (SubjectPublicKeyInfo), as `openssl dgst -verify` reads it."""
    return (
        private_key.public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
        .decode("ascii")
    )


def fingerprint(public_key_pem: str) -> str:
    """SHA-256 of the public key's DER bytes, in hexadecimal."""
    der = read_public_key(public_key_pem).public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(der).hexdigest()


def lock_private_key(private_key: rsa.RSAPrivateKey, vault_keys: Sequence[str]) -> bytes:
    """The private half encrypted for storage under the first of `vault_keys` (Fernet keys)."""
    der = private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return _vault(vault_keys).encrypt(der)


def unlock_private_key(locked: bytes, vault_keys: Sequence[str]) -> rsa.RSAPrivateKey:
    """The private key again. Raises `cryptography.fernet.InvalidToken` when no vault key fits."""
    private_key = serialization.load_der_private_key(_vault(vault_keys).decrypt(locked), password=None)
    if not isinstance(private_key, rsa.RSAPrivateKey):
        raise TypeError("the stored signing key is not an RSA key")
    return private_key


def _vault(vault_keys: Sequence[str]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in vault_keys])


def read_public_key(pem: str | bytes) -> rsa.RSAPublicKey:
    """The RSA public key in a PEM; ValueError for anything else, UnsupportedAlgorithm for what nobody can use."""
    key = serialization.load_pem_public_key(pem.encode("ascii") if isinstance(pem, str) else pem)
    if not isinstance(key, rsa.RSAPublicKey):
        raise ValueError("not an RSA public key")
    return key


def _canonical(value: Any) -> str:
    """One text per JSON value: tells 1 from true and 1.0, which Python's `==` does not."""
    return json.dumps(value, sort_keys=True)


def strict_base64(text: str) -> bytes:
    """Decode, refusing any text that is not the one encoding of its bytes (stray bits, white space)."""
    data = base64.b64decode(text.encode("ascii"), validate=True)
    if base64.b64encode(data).decode("ascii") != text:
        raise binascii.Error("not canonical base64")
    return data
