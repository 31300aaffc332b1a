from collections.abc import Callable
from typing import Any, cast

from allauth.usersessions.models import UserSession
from django.contrib.auth.models import User
from django.contrib.auth.views import PasswordChangeView
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse

from licenses.events import Kind
from licensing_portal.staff.audit import note
from licensing_portal.staff.forms import OwnPasswordForm
from licensing_portal.staff.limits import account_signed_in, limited

View = Callable[..., HttpResponse]


def change_password(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Django's own page, with tries counted and an entry in the audit. A change ends all other sessions."""
    return limited("password", account_signed_in)(_recorded(_change))(request, context)


def _change(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    view = PasswordChangeView.as_view(
        form_class=OwnPasswordForm, success_url=reverse("admin:password_change_done"), extra_context=context
    )
    return cast(HttpResponse, view(request))


def _recorded(view: View) -> View:
    @transaction.atomic
    def wrapped(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
        response = view(request, context)
        if request.method == "POST" and isinstance(response, HttpResponseRedirect) and isinstance(request.user, User):
            note(Kind.STAFF_PASSWORD_CHANGED, request, request.user)
            UserSession.objects.create_from_request(request)  # its key is a new one now
        return response

    return wrapped
