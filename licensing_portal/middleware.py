"""What every request passes before Django's own middleware."""

import logging
import re
from collections.abc import Callable
from ipaddress import ip_address

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from licensing_portal import errors

logger = logging.getLogger(__name__)

GetResponse = Callable[[HttpRequest], HttpResponse]

# /v1/x, /api/v1/x and /api/api/v1/x, with any slashes doubled: how existing programs ask (protocol, D18)
_V1 = re.compile(r"^/+(?:api/+){0,2}v1(?=/|$)")
# 203.0.113.7, 203.0.113.7:4711, 2001:db8::7, [2001:db8::7]:4711, fe80::7%eth0
_ADDRESS = re.compile(r"\[?([0-9.]+|[0-9A-Fa-f:.]+)(?:%[^\]]*)?\]?(?::[0-9]+)?")

PROXY_IS_NOT_COUNTED = (
    "A request came with X-Forwarded-For, but TRUSTED_PROXY_COUNT is 0. If a proxy stands before this portal, all "
    "callers have its address here: limits per address, the block list and the allowed networks of API keys then treat "
    "them as one. Set TRUSTED_PROXY_COUNT to the number of proxies. Without a proxy, a caller made this up: ignore it."
)


def client_address(get_response: GetResponse) -> GetResponse:
    """Set REMOTE_ADDR to the caller behind TRUSTED_PROXY_COUNT proxies, each of which appended an address."""
    warned = False

    def middleware(request: HttpRequest) -> HttpResponse:
        nonlocal warned
        count = settings.TRUSTED_PROXY_COUNT
        if not count and not warned and "HTTP_X_FORWARDED_FOR" in request.META:
            warned = True
            logger.warning(PROXY_IS_NOT_COUNTED)
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


NOT_A_PAGE = "default-src 'none'; frame-ancestors 'none'"
PERMISSIONS = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"


def careful_headers(get_response: GetResponse) -> GetResponse:
    """What an answer says where its view says nothing: no cache keeps it, and what is no page may load nothing."""

    def middleware(request: HttpRequest) -> HttpResponse:
        response = get_response(request)
        response.headers.setdefault("Cache-Control", "no-store")
        response.headers.setdefault("Permissions-Policy", PERMISSIONS)
        if not response.headers.get("Content-Type", "").startswith("text/html"):
            response.headers.setdefault("Content-Security-Policy", NOT_A_PAGE)
        return response

    return middleware


class DatabaseFailures:
    """A page that the database was too slow for, or away for, is no defect: 503 and one line in the log."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        return self.get_response(request)

    def process_exception(self, request: HttpRequest, exception: Exception) -> HttpResponse | None:
        return errors.database_failure(request, exception)
