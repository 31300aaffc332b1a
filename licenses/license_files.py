"""License files: what software reads without the portal. Knows neither models nor Django.

Two forms say the same. The chunked form is what one PHP SDK reads: JSON in blocks that the private key encrypted. The
document is signed JSON, written so that whoever encodes it again in its own order or sorted gets the same bytes.
"""

import base64
import binascii
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import NoDigestInfo

from licenses import signing
from licenses.signing import encode_portable, portable

TYPE = "license-file"  # no answer of the portal has this `type` beside its `signature` (S22)
VERSION = "1.0"
MAX_CLOCK_DRIFT_HOURS = 24
MAX_BLOCKS = 32
PADDING_BYTES = 11
LOCK_BITS = 24
_BAD_INPUT = (KeyError, TypeError, ValueError, AttributeError, RecursionError)


@dataclass(frozen=True)
class Facts:
    """What a license file says of a license key and of the one place where it runs."""

    license_key: str
    identifier: str
    expires_at: datetime | None
    product_uuid: str
    features: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, str] = field(default_factory=dict)
    strict_expiry: bool = True
    product_id: int | None = None
    product_name: str = ""
    product_version: str | None = None
    activation_limit: int = 0
    activations_count: int = 0


def write_chunked(facts: Facts, private_key: rsa.RSAPrivateKey) -> str:
    """The chunked form: base64 of blocks of the key's size, each encrypted with the private key.

    What does not fit is left out whole: the metadata if one block cannot hold it, then the features if `MAX_BLOCKS`
    cannot. ValueError when the license key or the identifier is too long for a block.
    """
    capacity = _capacity(private_key)
    return base64.b64encode(
        b"".join(_encrypt(block, private_key) for block in _fit(facts, private_key, capacity))
    ).decode("ascii")


def read_chunked(text: str, public_key_pem: str | bytes) -> dict[str, Any]:
    """What `write_chunked` wrote, if all of it was written with the private half of this key, and for one file.

    ValueError for anything else: blocks of several files, blocks missing or twice, another key, damaged text.
    """
    try:
        public_key = signing.read_public_key(public_key_pem)
        blocks = _decrypt(signing.strict_base64("".join(text.split())), public_key)
        members: dict[str, Any] = json.loads(b"".join(blocks), object_pairs_hook=_without_locks)
        if blocks != _blocks(members, _capacity(public_key)):
            raise binascii.Error("the blocks are not those of one file")
        return members
    except (InvalidSignature, UnsupportedAlgorithm, *_BAD_INPUT) as error:
        raise ValueError("This is not a license file that was made with this key.") from error


def write_document(
    facts: Facts, private_key: rsa.RSAPrivateKey, *, grace_period_days: int, environment: str, issued_at: datetime
) -> dict[str, Any]:
    """The signed document, its keys sorted at every level; all dates `YYYY-MM-DDTHH:MM:SSZ`."""
    issued = _exact(issued_at)
    unsigned = portable(
        {
            "type": TYPE,
            "version": VERSION,
            "id": str(uuid.uuid4()),
            "issued_at": issued,
            "last_verified_at": issued,
            "environment": environment,
            "license": _license(facts),
            "product": _product(facts),
            "generator": {"id": None, "algorithm": None, "pattern": None},
            "validation_rules": _validation_rules(facts, grace_period_days),
            "security": _security(facts, grace_period_days),
        }
    )
    signature = signing.sign_text(encode_portable(unsigned), private_key=private_key)
    return dict(sorted({**unsigned, "signature": signature}.items()))


def verify_document(document: Mapping[str, Any], public_key_pem: str | bytes) -> bool:
    """Whether this is a license file, unchanged, signed with the private half of the key. Never raises."""
    try:
        unsigned = {name: value for name, value in document.items() if name != "signature"}
        text = json.dumps(unsigned, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        is_license_file = unsigned["type"] == TYPE and isinstance(unsigned["license"], dict)
        return is_license_file and signing.verify_text(text, document["signature"], public_key_pem)
    except _BAD_INPUT:
        return False


# The chunked form. A block is encrypted alone, so that blocks of two files could be put together. Two things forbid
# it: every block holds the id of its file, and where a block ends, a pattern of brackets that follows from the id is
# open and closed by the next one. So even a reader that only parses JSON cannot read what is spliced.


def _fit(facts: Facts, private_key: rsa.RSAPrivateKey, capacity: int) -> list[bytes]:
    members = _members(facts)
    bare = {name: value for name, value in members.items() if name != "features"}
    with_metadata = members | ({"metadata": portable(facts.metadata)} if facts.metadata else {})
    for candidate, most in ((with_metadata, 1), (members, MAX_BLOCKS), (bare, MAX_BLOCKS)):
        try:
            blocks = _blocks({"id": _file_id(members, private_key), **candidate}, capacity)
        except ValueError:
            continue
        if len(blocks) <= most:
            return blocks
    raise ValueError("The license key or the identifier is too long for a block of this signing key.")


def _members(facts: Facts) -> dict[str, Any]:
    features = portable(facts.features)
    return {
        "license_key": facts.license_key,
        "expires_at": facts.expires_at.strftime("%Y-%m-%d %H:%M:%S") if facts.expires_at else None,
        "hardware_id": facts.identifier,
        "product_uuid": facts.product_uuid,
        "status": "active",
        **({"features": features} if features else {}),
    }


def _file_id(members: Mapping[str, Any], private_key: rsa.RSAPrivateKey) -> str:
    """The same for the same contents, and nobody else can work it out: nobody can look for two files whose ids fit.

    The metadata does not count, because customers' software may write it as often as it likes.
    """
    secret = private_key.private_numbers().d.to_bytes(private_key.key_size // 8, "big")
    return hmac.new(secret, encode_portable(members).encode(), hashlib.sha256).hexdigest()[:16]


def _blocks(members: Mapping[str, Any], capacity: int) -> list[bytes]:
    """The plain text of every block; ValueError when one member alone is too long."""
    pieces = _pieces(members)
    if len(whole := ",".join(pieces).encode()) <= capacity:
        return [whole]
    texts = [""]
    for piece in pieces:
        opening, closing = _lock(members["id"], len(texts))
        longer = f"{texts[-1]},{piece}" if texts[-1] else piece
        if len(longer.encode()) + len(opening) <= capacity:
            texts[-1] = longer
        else:
            texts[-1] += opening
            texts.append(f"{closing},{piece}")
    blocks = [text.encode() for text in texts]
    if any(len(block) > capacity for block in blocks):
        raise ValueError("a member is too long for a block")
    return blocks


def _pieces(members: Mapping[str, Any]) -> list[str]:
    """The JSON text as pieces that commas join: a block ends between two of them."""
    pieces: list[str] = []
    for name, value in members.items():
        if isinstance(value, Mapping):
            first, *others = _pairs(value)
            pieces += [f"{encode_portable(name)}:{{{first}", *others]
            pieces[-1] += "}"
        else:
            pieces += _pairs({name: value})
    return ["{" + pieces[0], *pieces[1:-1], pieces[-1] + "}"]


def _pairs(members: Mapping[str, Any]) -> list[str]:
    return [f"{encode_portable(name)}:{encode_portable(value)}" for name, value in members.items()]


def _lock(file_id: str, number: int) -> tuple[str, str]:
    """What block `number` (from 1) ends with and the next begins with, under a name that nothing else has: none."""
    pattern = int.from_bytes(hashlib.sha256(f"{file_id}:{number}".encode()).digest()[: LOCK_BITS // 8], "big")
    bits = [bool(pattern >> position & 1) for position in range(LOCK_BITS)]
    opening = "".join('{"":' if bit else "[" for bit in bits)
    closing = "".join("}" if bit else "]" for bit in reversed(bits))
    return f',"":{opening}', f'"{file_id}"{closing}'


def _without_locks(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    return {name: value for name, value in pairs if name}


def _capacity(key: rsa.RSAPrivateKey | rsa.RSAPublicKey) -> int:
    return key.key_size // 8 - PADDING_BYTES


def _encrypt(block: bytes, private_key: rsa.RSAPrivateKey) -> bytes:
    """Private-key encryption with padding of type 1, which `openssl_public_decrypt` of PHP reverses.

    A block is never a digest as signatures hold it: those have control characters, and JSON has none.
    """
    return private_key.sign(block, padding.PKCS1v15(), NoDigestInfo())


def _decrypt(data: bytes, public_key: rsa.RSAPublicKey) -> list[bytes]:
    size = public_key.key_size // 8
    if not data or len(data) % size or len(data) // size > MAX_BLOCKS:
        raise ValueError("not a whole number of blocks")
    blocks = (data[start : start + size] for start in range(0, len(data), size))
    return [public_key.recover_data_from_signature(block, padding.PKCS1v15(), None) for block in blocks]


# The document


def _license(facts: Facts) -> dict[str, Any]:
    """Both names of the license key, because readers look for either."""
    return {
        "key": facts.license_key,
        "license_key": facts.license_key,
        "status": "active",
        "expires_at": _exact(facts.expires_at),
        "hardware_id": facts.identifier,
        "domain": None,
        "features": facts.features,
        "activations_limit": facts.activation_limit,
        "activations_count": facts.activations_count,
        "metadata": facts.metadata,
    }


def _product(facts: Facts) -> dict[str, Any]:
    return {
        "id": facts.product_id,
        "uuid": facts.product_uuid,
        "name": facts.product_name,
        "version": facts.product_version,
    }


def _validation_rules(facts: Facts, grace_period_days: int) -> dict[str, Any]:
    return {
        "grace_period_days": grace_period_days,
        "offline_validation_enabled": True,
        "require_usb_connected": False,
        "max_clock_drift_hours": MAX_CLOCK_DRIFT_HOURS,
        "strict_expiry": facts.strict_expiry,
        "allow_grace_after_expiry": not facts.strict_expiry,
    }


def _security(facts: Facts, grace_period_days: int) -> dict[str, Any]:
    """`anti_tampering_hash` is the SHA-256, in hexadecimal, of four values as compact JSON with sorted names."""
    tampered = {
        "key": facts.license_key,
        "expires_at": _exact(facts.expires_at),
        "grace_period_days": grace_period_days,
        "features": facts.features,
    }
    return {
        "signature_algorithm": "RSA-SHA256",
        "issued_by": "licensing-portal",
        "usb_serial_number": None,
        "anti_tampering_hash": hashlib.sha256(encode_portable(portable(tampered)).encode()).hexdigest(),
    }


def _exact(moment: datetime | None) -> str | None:
    return moment.strftime("%Y-%m-%dT%H:%M:%SZ") if moment else None
