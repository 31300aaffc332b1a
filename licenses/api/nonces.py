"""The nonce: what an answer repeats of its request, so that no older answer, and none to another, passes for it.

A client that sends none gets the answer without these fields, byte for byte as before there were nonces.
"""

import hashlib
from collections.abc import Mapping
from typing import Any

from licenses.api.fields import LICENSE_ALIASES
from licenses.api.guards import LICENSE_KEY_NAMES, MAX_LENGTH, is_identifier, sent_text
from licenses.codes import Code, Refused

IDENTIFIERS = ("identifier", *LICENSE_ALIASES["identifier"], "activation_identifier", "hwid")


def echo_of(sent: Mapping[str, Any]) -> dict[str, str | None]:
    """The fields that the signed response carries besides its own; none without a nonce, or with one that cannot be.

    The fingerprint is the SHA-256, in hexadecimal, of the license key as it was sent, without white space around it.
    """
    if not _is_usable(sent.get("nonce")):
        return {}
    license_key, identifier = sent_text(sent, *LICENSE_KEY_NAMES).strip(), sent_text(sent, *IDENTIFIERS)
    digest = hashlib.sha256(license_key.encode("utf-8", "surrogatepass")).hexdigest()
    return {
        "nonce": sent["nonce"],
        "license_key_fingerprint": digest if license_key else None,
        "identifier": identifier if is_identifier(identifier) else None,
    }


def require_usable(sent: Mapping[str, Any]) -> None:
    """Refuses 162 for a nonce that no answer could repeat; null is the same as none."""
    if sent.get("nonce") is not None and not _is_usable(sent["nonce"]):
        problem = f"This must be a text of 1 to {MAX_LENGTH} printable characters."
        raise Refused(Code.MALFORMED_REQUEST, errors={"nonce": [problem]})


def _is_usable(nonce: object) -> bool:
    return isinstance(nonce, str) and 0 < len(nonce) <= MAX_LENGTH and nonce.isprintable()
