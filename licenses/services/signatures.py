"""Judging what somebody brings as signed by this portal: which key signed it, when, and whether to trust it."""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.utils import timezone

from licenses import license_files, signing
from licenses.models import SigningKey

Status = SigningKey.Status
ENVELOPE = {"response", "response_base64", "signature", "type"}
TOLERANCE = timedelta(minutes=5)  # what the clocks of two nodes may differ by, and an answer be under way


class Judgement(NamedTuple):
    """`what` names the type of document; `signing_key` is None when none of the portal's signed it.

    `signed_at` is what the document says of itself: whoever has the private half can write any date. `reason` is a
    sentence for people.
    """

    what: str
    signing_key: SigningKey | None
    signed_at: datetime | None
    trusted: bool
    reason: str


def judge_signature(*, document: Mapping[str, Any] | str) -> Judgement:
    """Judge an answer's envelope, one for an SDK, what a shop's webhook got, or a license file of either form.

    A text is taken for the form of a license file that is no JSON.
    """
    if isinstance(document, str):
        chunked = document
        found = _signing_key_of(lambda pem: _reads(chunked, pem))
        return _judge("a license file" if found else "a text that is no JSON", None, found)
    original = document.get("original")
    # A document that has both shows something beside what was signed, so it is judged by that
    signed = original if isinstance(original, Mapping) and not ENVELOPE & set(document) else document
    if signed.get("type") != license_files.TYPE:
        return _judge_answer(signed)
    found = _signing_key_of(lambda pem: license_files.verify_document(signed, pem))
    return _judge("a license file", _date(signed.get("issued_at")), found)


def _judge_answer(document: Mapping[str, Any]) -> Judgement:
    """An answer in either form; `response` may say another thing than what was signed, and then nothing holds."""
    response = document.get("response")
    signed_at = _moment(response.get("timestamp")) if isinstance(response, Mapping) else None
    found = _signing_key_of(lambda pem: signing.verify(document, pem))
    if found is None and (found := _signing_key_of(lambda pem: _signed_whole(document, pem))):
        return _judge("an answer for an SDK", signed_at, found)
    text, signature = document.get("response_base64"), document.get("signature")
    altered = _signing_key_of(lambda pem: signing.verify_text(str(text), str(signature), pem))
    if found is None and altered:
        reason = "It was altered: `response`, or its label, is not what was signed. Believe only `response_base64`."
        return Judgement("an answer", altered, None, False, reason)
    return _judge("an answer", signed_at, found)


def _signed_whole(document: Mapping[str, Any], pem: str) -> bool:
    """As answers for SDKs are signed: everything beside the signature, with sorted names. Not a license file (S22)."""
    try:
        unsigned = {name: value for name, value in document.items() if name != "signature"}
        text = json.dumps(unsigned, separators=(",", ":"), ensure_ascii=False, sort_keys=True)
        return "response_base64" in unsigned and signing.verify_text(text, document["signature"], pem)
    except (KeyError, TypeError, ValueError, RecursionError):
        return False


def _reads(text: str, pem: str) -> bool:
    try:
        return bool(license_files.read_chunked(text, pem))
    except ValueError:
        return False


def _signing_key_of(fits: Callable[[str], bool]) -> SigningKey | None:
    keys = SigningKey.objects.defer("private_key_locked").select_related("product")
    return next((key for key in keys.iterator() if fits(key.public_key)), None)


def _judge(what: str, signed_at: datetime | None, found: SigningKey | None) -> Judgement:
    reason = _doubt(found, signed_at)
    return Judgement(what, found, signed_at, not reason, reason or _assurance(found))


def _assurance(found: SigningKey | None) -> str:
    if found and found.compromised_at:
        return (
            f"It says that it is older than {_shown(found.compromised_at)}, when the key was compromised. Whoever has "
            "the key can write so: rely on it only if you have had it since before."
        )
    return "It is unchanged, and the key could sign then."


def _doubt(found: SigningKey | None, signed_at: datetime | None) -> str:
    """Why not to trust it; empty when there is no reason."""
    if found is None:
        return "No signing key of this portal signed it: it is somebody else's, or it was altered."
    # Documents tell whole seconds, so the one in which it happened counts as after
    if found.compromised_at and (signed_at is None or signed_at >= found.compromised_at.replace(microsecond=0)):
        return f"The key was compromised at {_shown(found.compromised_at)}: nothing that it signed since is trusted."
    if found.status == Status.UPCOMING:
        return "The key is only published, the portal has signed nothing with it: who else has its private half?"
    if signed_at and signed_at > timezone.now() + TOLERANCE:
        return "It says that it was signed in the future."
    if found.retired_at and signed_at and signed_at > found.retired_at + TOLERANCE:
        return f"The key retired at {_shown(found.retired_at)}, before this was signed: who else has its private half?"
    return ""


def _shown(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _moment(seconds: Any) -> datetime | None:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (TypeError, ValueError, OverflowError, OSError):
        return None


def _date(text: Any) -> datetime | None:
    try:
        return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except (TypeError, ValueError):
        return None
