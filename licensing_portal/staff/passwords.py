from collections.abc import Callable
from typing import Any

from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect

from licenses.events import Kind
from licensing_portal.staff.audit import note
from licensing_portal.staff.limits import account_signed_in, limited

View = Callable[..., HttpResponse]


def change_password(view: View, request: HttpRequest, extra_context: dict[str, Any] | None) -> HttpResponse:
    """Django's own page, with tries counted and an entry in the audit. A change ends all other sessions."""
    return limited("password", account_signed_in)(_recorded(view))(request, extra_context)


def _recorded(view: View) -> View:
    @transaction.atomic
    def wrapped(request: HttpRequest, extra_context: dict[str, Any] | None) -> HttpResponse:
        response = view(request, extra_context)
        if request.method == "POST" and isinstance(response, HttpResponseRedirect) and isinstance(request.user, User):
            note(Kind.STAFF_PASSWORD_CHANGED, request, request.user)
            UserSession.objects.create_from_request(request)  # its key is a new one now
        return response

    return wrapped
