"""Answers to what fails before a view is reached, each in the format of its door."""

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views import defaults

from licenses.api.replies import seal_failure
from licenses.codes import Code

V1 = "/api/v1/"
SETTINGS = "/api/license/"


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """A host name that is not allowed, a cookie or header that cannot be read."""
    if request.path_info.startswith(V1):
        return seal_failure(Code.MALFORMED_REQUEST)
    if request.path_info.startswith(SETTINGS):
        return JsonResponse({"message": "Malformed request"}, status=400)
    return defaults.bad_request(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    if request.path_info.startswith(V1):
        return seal_failure(Code.INTERNAL_ERROR)
    if request.path_info.startswith(SETTINGS):
        return JsonResponse({"message": "Internal error"}, status=500)
    return defaults.server_error(request)
