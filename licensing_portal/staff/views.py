"""allauth's pages in the look of the admin, each change of an account with its row in the audit."""

from collections.abc import Callable
from functools import wraps
from ipaddress import ip_address
from typing import Any

from allauth.account.internal.stagekit import clear_login
from allauth.account.utils import get_next_redirect_url
from allauth.account.views import LoginView
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.views import IndexView
from allauth.mfa.models import Authenticator
from allauth.mfa.recovery_codes.views import GenerateRecoveryCodesView
from allauth.mfa.totp.views import ActivateTOTPView, DeactivateTOTPView
from allauth.mfa.webauthn.internal import auth as passkeys
from allauth.mfa.webauthn.views import AddWebAuthnView, EditWebAuthnView, LoginWebAuthnView, RemoveWebAuthnView
from django.conf import settings
from django.contrib import admin, messages
from django.contrib.auth.decorators import login_required
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseBase, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse, reverse_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from licenses.events import Kind
from licensing_portal.staff.audit import note
from licensing_portal.staff.factors import lacks_second_factor, use_time_step
from licensing_portal.staff.sessions import end_sessions, sessions_of

INDEX = reverse_lazy("mfa_index")


def page(view: Callable[..., HttpResponseBase], title: str) -> Callable[..., HttpResponseBase]:
    """A view as a page of the admin: its frame, never cached, and no methods but these."""

    @never_cache
    @require_http_methods(["GET", "HEAD", "POST"])
    @wraps(view)
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        response = view(request, *args, **kwargs)
        if isinstance(response, TemplateResponse):
            frame = admin.site.each_context(request) | {"title": title, "passkeys_work": passkeys_work(request)}
            if lacks_second_factor(request):
                frame["menu"] = []  # every link of it would lead back here
            response.context_data = frame | {"oidc": settings.OIDC} | (response.context_data or {})
        return response

    return wrapped


def own_page(view: Callable[..., HttpResponseBase], title: str) -> Callable[..., HttpResponseBase]:
    """A page about the account of whoever is signed in, which only staff have."""

    @login_required
    def wrapped(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if not admin.site.has_permission(request):
            raise PermissionDenied
        return view(request, *args, **kwargs)

    return page(wrapped, title)


def passkeys_work(request: HttpRequest) -> bool:
    """Browsers have passkeys on https pages, and on http://localhost; never where the host is an IP address."""
    host = request.get_host().rsplit(":", 1)[0].strip("[]")
    try:
        ip_address(host)
    except ValueError:
        return request.is_secure() or host == "localhost" or host.endswith(".localhost")
    return False


def locked(request: HttpRequest) -> User:
    """Whose account it is, locked: two pages of one person change its second factors one after the other."""
    return User.objects.select_for_update().get(username=request.user.get_username())


class SignIn(LoginView):
    def dispatch(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        if request.user.is_authenticated and not admin.site.has_permission(request):
            raise PermissionDenied  # signed in, but not staff any more: the admin would send them here again
        return super().dispatch(request, *args, **kwargs)


class SignInByPasskey(LoginWebAuthnView):
    def form_valid(self, form: Any) -> HttpResponse:
        """As after a password, on to the page that was asked for."""
        response = super().form_valid(form)
        target = get_next_redirect_url(self.request)
        return HttpResponseRedirect(target) if target and self.request.user.is_authenticated else response


@require_POST
def start_again(request: HttpRequest) -> HttpResponse:
    """Somebody else wants to sign in than the one whose code is asked for."""
    clear_login(request)
    return HttpResponseRedirect(reverse("account_login"))


class Overview(IndexView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        context = super().get_context_data(**kwargs)
        codes = context["authenticators"].get(Authenticator.Type.RECOVERY_CODES)
        return context | {
            "must_set_up": lacks_second_factor(self.request),
            "codes_left": len(codes.get_unused_codes()) if codes else 0,
            "sessions": sessions_of(self.request),
            "this_session": self.request.session.session_key,
        }


@require_POST
def end_session(request: HttpRequest) -> HttpResponse:
    """The one that `session` names, or all others."""
    number = request.POST.get("session", "")
    if number and not (number.isascii() and number.isdecimal() and len(number) <= 18):  # noqa: PLR2004  fits a bigint
        raise PermissionDenied
    ended = end_sessions(request, only=int(number) if number else None)
    messages.success(request, "1 session was ended." if ended == 1 else f"{ended} sessions were ended.")
    return HttpResponseRedirect(reverse("mfa_index"))


def _added(request: HttpRequest, account: User, **facts: str) -> None:
    """Other sessions end: they were begun without it, perhaps by the one against whom it is added."""
    note(Kind.STAFF_SECOND_FACTOR_ADDED, request, account, **facts)
    end_sessions(request)


class AddAuthenticatorApp(ActivateTOTPView):
    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        account = locked(self.request)
        if Authenticator.objects.filter(user=account, type=Authenticator.Type.TOTP).exists():
            return HttpResponseRedirect(str(INDEX))
        response = super().form_valid(form)
        use_time_step(Authenticator.objects.get(user=account, type=Authenticator.Type.TOTP), form.time_step)
        _added(self.request, account, type="totp")
        return response


class RemoveAuthenticatorApp(DeactivateTOTPView):
    success_url = INDEX

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        return _remove(self.request, self.authenticator) or super().form_valid(form)


def _remove(request: HttpRequest, authenticator: Authenticator) -> HttpResponse | None:
    """Check again under the lock, and record; what comes back is the refusal."""
    account = locked(request)
    if not get_adapter().can_delete_authenticator(authenticator):
        messages.error(request, str(get_adapter().error_messages["cannot_delete_authenticator"]))
        return HttpResponseRedirect(str(INDEX))
    note(Kind.STAFF_SECOND_FACTOR_REMOVED, request, account, type=authenticator.type)
    return None


class MakeRecoveryCodes(GenerateRecoveryCodesView):
    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        account = locked(self.request)
        response = super().form_valid(form)
        note(Kind.STAFF_RECOVERY_CODES_MADE, self.request, account)
        return response


class AddPasskey(AddWebAuthnView):
    def get_context_data(self, **kwargs: Any) -> dict[str, Any]:
        """allauth's own would ask for a key without a check of who is there."""
        context = super().get_context_data(**kwargs)
        context["js_data"] = {"creation_options": passkeys.begin_registration(self.request.user, True)}
        return context

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        account = locked(self.request)
        response = super().form_valid(form)
        _added(self.request, account, type="webauthn", name=form.cleaned_data["name"])
        return response


class RenamePasskey(EditWebAuthnView):
    success_url = INDEX


class RemovePasskey(RemoveWebAuthnView):
    success_url = INDEX

    @transaction.atomic
    def form_valid(self, form: Any) -> HttpResponse:
        return _remove(self.request, self.get_object()) or super().form_valid(form)
