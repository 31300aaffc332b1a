"""What every request passes before Django's own middleware."""

import re
from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse

GetResponse = Callable[[HttpRequest], HttpResponse]

# /v1/x, /api/v1/x and /api/api/v1/x, with any slashes doubled: how existing programs ask (protocol, D18)
_V1 = re.compile(r"^/+(?:api/+){0,2}v1(?=/|$)")
# 203.0.113.7, 203.0.113.7:4711, 2001:db8::7, [2001:db8::7]:4711, fe80::7%eth0
_ADDRESS = re.compile(r"\[?([0-9.]+|[0-9A-Fa-f:.]+)(?:%[^\]]*)?\]?(?::[0-9]+)?")


def client_address(get_response: GetResponse) -> GetResponse:
    """Set REMOTE_ADDR to the caller behind TRUSTED_PROXY_COUNT proxies, each of which appended an address."""

    def middleware(request: HttpRequest) -> HttpResponse:
        count = settings.TRUSTED_PROXY_COUNT
        forwarded = [part.strip() for part in request.META.get("HTTP_X_FORWARDED_FOR", "").split(",")]
        if count and len(forwarded) >= count and forwarded[-count]:
            request.META["REMOTE_ADDR"] = forwarded[-count]
        request.META["REMOTE_ADDR"] = _plain_address(request.META.get("REMOTE_ADDR", ""))
        return get_response(request)

    return middleware


def _plain_address(text: str) -> str:
    """The IP address without a port, as some proxies write one, and without a zone; empty when there is none."""
    match = _ADDRESS.fullmatch(text)
    try:
        return str(ip_address(match[1])) if match else ""
    except ValueError:
        return ""


def protocol_paths(get_response: GetResponse) -> GetResponse:
    """Bring every spelling of a v1 path to the one in api/urls.py; a redirect would lose the body of a POST."""

    def middleware(request: HttpRequest) -> HttpResponse:
        if _V1.match(request.path_info):
            tail = re.sub(r"/+", "/", _V1.sub("", request.path_info)).strip("/")
            request.path_info = f"/api/v1/{tail}"
        return get_response(request)

    return middleware


def readable_cookies(get_response: GetResponse) -> GetResponse:
    """Leave out cookies with a NUL, which `\\000` in quotes stands for: PostgreSQL cannot look up such a session."""

    def middleware(request: HttpRequest) -> HttpResponse:
        request.COOKIES = {name: value for name, value in request.COOKIES.items() if "\0" not in value}
        return get_response(request)

    return middleware
