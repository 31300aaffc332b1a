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
MIN_BITS, MAX_BITS = 2048, 4096  # of a key that was made elsewhere
PUBLIC_EXPONENT = 65537
LABELS = ("product", "global")
_LARGEST_EXACT = 2**53  # beyond it JavaScript rounds
_NUMBER = re.compile(r"\s*[-+]*(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*")
_BAD_INPUT = (KeyError, TypeError, ValueError, AttributeError, RecursionError)
_BLOCK = re.compile(rb"-----BEGIN ([A-Z0-9 ]*)-----.*?-----END \1-----", re.DOTALL)


class WrongPassphrase(ValueError):
    """A private key is encrypted, and what came with it does not open it."""


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
    return rsa.generate_private_key(public_exponent=PUBLIC_EXPONENT, key_size=bits)


def read_private_key(pem: bytes, passphrase: str = "") -> rsa.RSAPrivateKey:
    """The RSA key in a PEM that somebody brings along (PKCS#1 or PKCS#8, encrypted or not), if it may sign here.

    ValueError says in words for that person what is wrong, and quotes nothing; WrongPassphrase when it is only that. A
    passphrase that the key does not need is ignored.
    """
    private_key = _load_private_key(_private_block(pem), passphrase)
    if not isinstance(private_key, rsa.RSAPrivateKey):
        raise ValueError("This is no RSA key: answers are signed with RSA.")
    bits, exponent = private_key.key_size, private_key.public_key().public_numbers().e
    if not MIN_BITS <= bits <= MAX_BITS:
        raise ValueError(f"This key has {bits} bits: a signing key has {MIN_BITS} to {MAX_BITS}.")
    if bits % 8:
        raise ValueError(f"This key has {bits} bits: readers of license files count in whole bytes of eight.")
    if exponent != PUBLIC_EXPONENT:
        raise ValueError(f"This key has the public exponent {exponent}: only {PUBLIC_EXPONENT} is taken.")
    return private_key


def _needs_passphrase(block: bytes) -> bool:
    return b"ENCRYPTED" in block[:200]  # PKCS#8 says so in its label, PKCS#1 in the line below it


def _private_block(pem: bytes) -> bytes:
    """The one private key among whatever else the file holds: certificates, and notes between the blocks."""
    blocks = {match[0]: match[1] for match in _BLOCK.finditer(pem)}
    private = [block for block, label in blocks.items() if label.endswith(b"PRIVATE KEY")]
    if not blocks:
        raise ValueError("This is no PEM: it has no lines -----BEGIN … PRIVATE KEY----- and -----END …-----.")
    if not private:
        raise ValueError("This is only the public half: signing needs the private key.")
    if len(private) > 1:
        raise ValueError("There are several private keys in it: leave only the one that is to be imported.")
    if blocks[private[0]].startswith(b"OPENSSH"):
        raise ValueError("This is OpenSSH's own format: `ssh-keygen -p -m PKCS8 -f FILE` makes PKCS#8 of a copy of it.")
    return private[0]


def _load_private_key(block: bytes, passphrase: str) -> Any:
    """What went wrong is told in own words: nothing of the key shall be in an error or be its cause."""
    encrypted = _needs_passphrase(block)
    if encrypted and not passphrase:
        raise WrongPassphrase("The private key is encrypted: its passphrase is needed.")
    try:
        return serialization.load_pem_private_key(block, password=passphrase.encode() if encrypted else None)
    except (UnsupportedAlgorithm, *_BAD_INPUT):
        if encrypted:
            raise WrongPassphrase("The passphrase is wrong, or the private key is damaged.") from None
        raise ValueError("The private key is damaged, or of a kind that cannot be read.") from None


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


def jwk(public_key_pem: str) -> dict[str, str]:
    """The public key's own members of a JSON Web Key (RFC 7518, section 6.3)."""
    numbers = read_public_key(public_key_pem).public_numbers()
    return {"kty": "RSA", "n": _base64url(numbers.n), "e": _base64url(numbers.e)}


def _base64url(number: int) -> str:
    data = number.to_bytes((number.bit_length() + 7) // 8, "big")
    return base64.urlsafe_b64encode(data).decode("ascii").rstrip("=")


def lock_private_key(private_key: rsa.RSAPrivateKey, vault_keys: Sequence[str]) -> bytes:
    """The private half encrypted for storage under the first of `vault_keys` (Fernet keys)."""
    der = private_key.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return vault(vault_keys).encrypt(der)


def unlock_private_key(locked: bytes, vault_keys: Sequence[str]) -> rsa.RSAPrivateKey:
    """The private key again. Raises `cryptography.fernet.InvalidToken` when no vault key fits."""
    return parse_private_key(vault(vault_keys).decrypt(locked))


def parse_private_key(der: bytes) -> rsa.RSAPrivateKey:
    """What `lock_private_key` has encrypted. It takes fifty milliseconds: its primes are tested."""
    private_key = serialization.load_der_private_key(der, password=None)
    if not isinstance(private_key, rsa.RSAPrivateKey):
        raise TypeError("the stored signing key is not an RSA key")
    return private_key


def vault(vault_keys: Sequence[str]) -> MultiFernet:
    """Encrypts with the first of these Fernet keys and decrypts with any."""
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
