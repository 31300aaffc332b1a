"""GET, PUT and PATCH /api/license/settings, GET /api/license/status; everything else there is unknown, in JSON too."""

import time
from collections.abc import Mapping
from typing import Any, ClassVar

from django.conf import settings
from django.http import HttpResponse, JsonResponse
from django.utils.module_loading import import_string
from rest_framework.exceptions import (
    APIException,
    MethodNotAllowed,
    NotFound,
    ParseError,
    PermissionDenied,
    UnsupportedMediaType,
)
from rest_framework.parsers import JSONParser
from rest_framework.request import Request
from rest_framework.views import APIView

from settings_api.answers import Malformed, TooLarge, WrongMediaType, answer, answer_failure
from settings_api.changes import Caller, change_settings, record_refused
from settings_api.resolve import Resolved, resolve_all
from settings_api.throttling import SettingsThrottle

READ = "read-settings"
CHANGE = "change-settings"


class SettingsDoor(APIView):
    """What the views share: the order of checks (405, 401, 429, 403, then what the view does) and JSON for all.

    `capabilities` is the table of who may: for each method, what the API key must be allowed.
    """

    parser_classes = (JSONParser,)
    throttle_classes = (SettingsThrottle,)
    capabilities: ClassVar[Mapping[str, str]] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """No content negotiation: there is one format of answers, whatever `Accept` says."""
        self.started = time.monotonic()
        if request.method not in self.capabilities:
            raise MethodNotAllowed(str(request.method))
        try:
            self.perform_authentication(request)
        finally:
            self.check_throttles(request)
        capability = self.capabilities[str(request.method)]
        if not _may(request, capability):
            raise PermissionDenied(f"This API key lacks the capability {capability}.")

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]  # no renderer: finished JSON
        if isinstance(exc, PermissionDenied) and self.capabilities.get(str(self.request.method)) == CHANGE:
            record_refused(_names_sent(self.request), caller=_caller(self.request))
        return answer_failure(exc)


class SettingsView(SettingsDoor):
    http_method_names = ["get", "head", "put", "patch"]
    capabilities = {"GET": READ, "HEAD": READ, "PUT": CHANGE, "PATCH": CHANGE}

    def get(self, request: Request) -> JsonResponse:
        return answer(_attributes(request), started=self.started)

    def put(self, request: Request) -> JsonResponse:
        return self._change(request, replace=True)

    def patch(self, request: Request) -> JsonResponse:
        return self._change(request, replace=False)

    def _change(self, request: Request, *, replace: bool) -> JsonResponse:
        change_settings(_read_attributes(request), caller=_caller(request), replace=replace)
        return answer(_attributes(request), started=self.started, message="License settings updated successfully")


class StatusView(SettingsDoor):
    http_method_names = ["get", "head"]
    capabilities = {"GET": READ, "HEAD": READ}

    def get(self, request: Request) -> JsonResponse:
        license_status = import_string(settings.SETTINGS_API["LICENSE_STATUS"])
        return answer(license_status(), started=self.started)


class UnknownView(SettingsDoor):
    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise NotFound("Unknown endpoint")


def _may(request: Request, capability: str) -> bool:
    api_key: Any = request.auth  # None for a key that its allowed networks keep out
    return api_key is not None and bool(api_key.may(capability))


def _caller(request: Request) -> Caller:
    name = getattr(request.user, "name", "an API key outside its allowed networks")
    address = request.META.get("REMOTE_ADDR") or None
    return Caller(name, door="settings", may_change=_may(request, CHANGE), address=address)


def _attributes(request: Request) -> dict[str, Any]:
    may_change = _caller(request).may_change
    return {"attributes": {name: _as_json(now, may_change=may_change) for name, now in resolve_all().items()}}


def _as_json(now: Resolved, *, may_change: bool) -> dict[str, Any]:
    field = {"value": now.shown, "editable": may_change and not now.locked_by, "masked": now.is_masked}
    return field | ({"lockedBy": now.locked_by} if now.locked_by else {})


def _read_attributes(request: Request) -> dict[str, object]:
    """`data.attributes` of the body. Without them a PUT lacks its fields, and a PATCH is a mistake, not "no change"."""
    missing: object = {} if request.method == "PUT" else None
    body = _read_body(request)
    data = body.get("data", {}) if isinstance(body, dict) else None
    attributes = data.get("attributes", missing) if isinstance(data, dict) else None
    if not isinstance(attributes, dict):
        raise Malformed
    return attributes


def _read_body(request: Request) -> object:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise TooLarge
    try:
        return request.data
    except UnsupportedMediaType as error:
        raise WrongMediaType from error
    except (ParseError, ValueError, LookupError, RecursionError, OSError) as error:  # broken, too deep, cut off
        raise Malformed from error


def _names_sent(request: Request) -> list[str]:
    """The fields of a request that is refused whatever its body says, for the audit."""
    try:
        return list(_read_attributes(request))
    except APIException:
        return []
