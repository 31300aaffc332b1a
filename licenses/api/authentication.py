"""The portal's API keys as Bearer tokens for ordinary REST framework views (the settings API)."""

from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed, PermissionDenied
from rest_framework.request import Request

from licenses.api.guards import header_text, identify, require_address
from licenses.codes import Refused
from licenses.models import ApiKey
from licenses.services.api_keys import note_used


class Caller:
    """Who calls, as REST framework's permissions see it; never a member of staff."""

    is_authenticated = True
    is_staff = False
    pk = None

    def __init__(self, api_key: ApiKey) -> None:
        self.name = str(api_key)
        self.pk = api_key.pk


class ApiKeyAuthentication(BaseAuthentication):
    """`Authorization: Bearer <API key>`: 401 when it is missing, unknown, expired or inactive, 403 off its network."""

    def authenticate(self, request: Request) -> tuple[Caller, ApiKey]:
        text = header_text(request)
        if not text:
            raise AuthenticationFailed("A Bearer token is required.")
        try:
            api_key = identify(text)
        except Refused as refused:
            raise AuthenticationFailed(refused.code.value.message) from refused
        try:
            require_address(api_key, request.META.get("REMOTE_ADDR", ""))
        except Refused as refused:
            raise PermissionDenied(refused.code.value.message) from refused
        note_used(api_key)
        return Caller(api_key), api_key

    def authenticate_header(self, request: Request) -> str:
        return "Bearer"
