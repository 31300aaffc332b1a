"""The JSON of every answer under /api/license/: success, refusal and failure."""

import logging
import time
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from django.db import InterfaceError, OperationalError
from django.http import JsonResponse
from rest_framework.exceptions import APIException, AuthenticationFailed, Throttled

from settings_api.changes import Forbidden, Locked, Refusal

logger = logging.getLogger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError)
RETRY_AFTER_SECONDS = 5  # how soon a client may ask again when the database is away
REFUSED = {Forbidden: HTTPStatus.FORBIDDEN, Locked: HTTPStatus.CONFLICT}


class Malformed(APIException):
    status_code = HTTPStatus.BAD_REQUEST
    default_detail = 'The body must be JSON of the form {"data": {"attributes": {...}}}.'


class TooLarge(APIException):
    status_code = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    default_detail = "The body is too large."


class WrongMediaType(APIException):
    status_code = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    default_detail = "Send the body as application/json."


def answer(data: Mapping[str, Any], *, started: float, message: str = "") -> JsonResponse:
    """200 with `data`, what it took since `started` (of time.monotonic), and a message where there is one."""
    meta = {
        "executionTime": int((time.monotonic() - started) * 1000),
        "generatedAt": int(time.time() * 1000),
    }
    return _json({"data": data, "meta": meta} | ({"message": message} if message else {}))


def answer_failure(exc: Exception) -> JsonResponse:
    """Turn whatever was raised into its answer. The one place that catches everything."""
    if isinstance(exc, Refusal):
        body = {"message": exc.message, "errors": {"attributes": exc.errors}}
        return _json(body, REFUSED.get(type(exc), HTTPStatus.BAD_REQUEST))
    if isinstance(exc, APIException):
        return _json({"message": str(exc.detail)}, exc.status_code, _headers(exc))
    if isinstance(exc, DATABASE_AWAY):
        logger.error("The database gave no answer: %s", str(exc).partition("\n")[0])  # what follows may quote values
        headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
        return _json({"message": "Service unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE, headers)
    logger.error("The settings API crashed", exc_info=exc)
    return _json({"message": "Internal error"}, HTTPStatus.INTERNAL_SERVER_ERROR)


def _headers(exc: APIException) -> dict[str, str]:
    if isinstance(exc, AuthenticationFailed):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(exc, Throttled):
        return {"Retry-After": str(getattr(exc, "wait", RETRY_AFTER_SECONDS))}
    return {}


def _json(
    body: Mapping[str, Any], status: int = HTTPStatus.OK, headers: Mapping[str, str] | None = None
) -> JsonResponse:
    return JsonResponse(body, status=status, headers={"Cache-Control": "no-store", **(headers or {})})
