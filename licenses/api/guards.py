"""Who may call an endpoint. Each guard raises `Refused`; their order is the protocol's (D4)."""

from collections.abc import Iterable, Mapping
from typing import Any
from unicodedata import category

from django.utils import timezone
from rest_framework.request import Request

from licenses.api.fields import LICENSE_ALIASES
from licenses.codes import Code, Refused
from licenses.models import Actor, ApiKey, Door
from licenses.services.api_keys import note_used
from licenses.services.block_list import require_not_blocked

IDENTIFIER_NAMES = ("identifier", *LICENSE_ALIASES["identifier"], "hwid", "activation_identifier", "user_identifier")
LICENSE_KEY_NAMES = ("license_key", *LICENSE_ALIASES["license_key"])
MAX_LENGTH = 255
NO_TEXT = {"Cc", "Cs"}  # control characters and surrogates: what no identifier holds and no database takes


def authorize(text: str, *, address: str, capability: str) -> ApiKey:
    """The API key with this text, if it may be used now, for this, from there: 100, 101, 102, 103."""
    api_key = identify(text)
    if not api_key.may(capability):
        raise Refused(Code.INSUFFICIENT_PERMISSIONS)
    require_address(api_key, address)
    note_used(api_key)
    return api_key


def identify(text: str) -> ApiKey:
    """The API key with this text; refuses 100 when there is none, 101 when it is inactive or expired."""
    api_key = ApiKey.objects.from_text(text)
    if api_key is None:
        raise Refused(Code.INVALID_API_KEY)
    if not api_key.is_usable(timezone.now()):
        raise Refused(Code.INACTIVE_API_KEY)
    return api_key


def require_address(api_key: ApiKey, address: str) -> None:
    if not api_key.allows_address(address):
        raise Refused(Code.IP_NOT_ALLOWED)


def header_text(request: Request) -> str:
    """The API key's text in `Authorization: Bearer` or `X-API-Key`; empty when there is neither."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and text.strip():
        return text.strip()
    return request.headers.get("X-API-Key", "").strip()


def actor_for(api_key: ApiKey | None, address: str) -> Actor:
    """How the audit names a program that calls."""
    return Actor(Door.API, str(api_key or "anybody"), address or None)


def refuse_blocked(sent: Mapping[str, Any], *, address: str) -> None:
    """Refuses 150 when the address, or any identifier that is sent under any name, is on the block list."""
    texts = [sent_text(sent, name).strip() for name in IDENTIFIER_NAMES]
    require_not_blocked(address=address, identifiers=[text for text in texts if is_identifier(text)])


def sent_text(sent: Mapping[str, Any], *names: str) -> str:
    """What was sent under the first of these names that was, a number as text; empty when there is none, or no text."""
    value = next((sent[name] for name in names if sent.get(name) is not None), "")
    return str(value) if isinstance(value, str | int | float) else ""


def is_identifier(text: str) -> bool:
    text = text.strip()
    return 0 < len(text) <= MAX_LENGTH and not NO_TEXT & set(map(category, text))


def named_in(sent: Mapping[str, Any], names: Iterable[str]) -> str:
    """The license key or identifier that was sent under the first of these names; empty when it can be none."""
    text = sent_text(sent, *names).strip()
    return text if is_identifier(text) else ""


def idempotency_key(request: Request, sent: Mapping[str, Any]) -> str:
    """The Idempotency-Key of the header, or of the body, where some SDKs put it; empty when there is none."""
    text = request.headers.get("Idempotency-Key") or sent.get("idempotency_key") or sent.get("idempotencyKey") or ""
    if not isinstance(text, str) or len(text) > MAX_LENGTH or not text.isprintable():
        problem = f"This must be a text of one line, at most {MAX_LENGTH} characters."
        raise Refused(Code.MALFORMED_REQUEST, errors={"Idempotency-Key": [problem]})
    return text.strip()
