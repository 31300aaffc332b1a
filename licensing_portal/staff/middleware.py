from collections.abc import Callable

from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from licensing_portal.staff.factors import lacks_second_factor

GetResponse = Callable[[HttpRequest], HttpResponse]
ADMIN = "/admin/"
WITHOUT = ("login/", "logout/", "security/", "jsi18n/")  # what somebody who has yet to set one up may see of the admin


def second_factor(get_response: GetResponse) -> GetResponse:
    """Lead whoever needs a second factor and has none to where it is set up, whatever they ask the admin for."""

    def middleware(request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if path.startswith(ADMIN) and not path.startswith(WITHOUT, len(ADMIN)) and lacks_second_factor(request):
            return HttpResponseRedirect(reverse("mfa_index"))
        return get_response(request)

    return middleware
