"""Answers to what fails before a view is reached, each in the format of its door."""

import logging
import sys

from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from django.views import defaults

from licenses.api.replies import RETRY_AFTER_SECONDS, Reply, seal_failure
from licenses.codes import Code

logger = logging.getLogger(__name__)

V1 = "/api/v1/"
SETTINGS = "/api/license/"
CUT = "57014"  # PostgreSQL's code for a statement that took longer than its time


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A host name that is not allowed, a cookie or header that cannot be read."""
    if request.path_info.startswith(V1):
        return seal_failure(Reply(Code.MALFORMED_REQUEST))
    if request.path_info.startswith(SETTINGS):
        return JsonResponse({"message": "Malformed request"}, status=400)
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    exception = sys.exc_info()[1]
    if isinstance(exception, Exception) and (answer := database_failure(request, exception)):
        return answer
    if request.path_info.startswith(V1):
        return seal_failure(Reply(Code.INTERNAL_ERROR))
    if request.path_info.startswith(SETTINGS):
        return JsonResponse({"message": "Internal error"}, status=500)
    return defaults.server_error(request)


def database_failure(request: HttpRequest, exception: Exception) -> HttpResponse | None:
    """503 in the format of its door when the database was away or too slow; None for every other exception."""
    if not isinstance(exception, (OperationalError, InterfaceError)):
        return None
    logger.error("The database gave no answer to %s: %s", request.path, str(exception).partition("\n")[0])
    if request.path_info.startswith(V1):
        return seal_failure(Reply(Code.SERVICE_UNAVAILABLE))
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)}
    if request.path_info.startswith(SETTINGS):
        return JsonResponse({"message": "Service unavailable"}, status=503, headers=headers)
    was_cut = getattr(exception.__cause__, "sqlstate", None) == CUT
    return HttpResponse(render_to_string("503.html", {"was_cut": was_cut}), status=503, headers=headers)
