"""Who may call an endpoint. Each guard raises `Refused`; their order is the protocol's (D4)."""

from django.utils import timezone
from rest_framework.request import Request

from licenses.codes import Code, Refused
from licenses.models import Actor, ApiKey, Door
from licenses.services.api_keys import note_used


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


def actor_for(api_key: ApiKey, address: str) -> Actor:
    """How the audit names a program that calls."""
    return Actor(Door.API, str(api_key), address or None)
