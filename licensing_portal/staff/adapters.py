"""What django-allauth asks of the portal: who may sign in, what is kept encrypted, where people go."""

import time
from typing import Any

from allauth.account import app_settings as account_settings
from allauth.account.adapter import DefaultAccountAdapter
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.stagekit import clear_login
from allauth.mfa.adapter import DefaultMFAAdapter
from allauth.mfa.models import Authenticator
from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib import messages
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from licenses.events import Kind
from licenses.signing import vault
from licensing_portal.staff.audit import note
from licensing_portal.staff.factors import may_remove

ONE_ANSWER = "The username or the password is wrong, or this is not an account of staff."
NOT_NEWS = ("account/messages/logged_in.txt", "account/messages/logged_out.txt")


class AccountAdapter(DefaultAccountAdapter):
    error_messages = DefaultAccountAdapter.error_messages | {
        "username_password_mismatch": ONE_ANSWER,
        "incorrect_password": "The password is wrong.",
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        return False

    def get_client_ip(self, request: HttpRequest) -> str:
        """The portal's own middleware has found it out already; behind a socket without a proxy there is none."""
        return request.META.get("REMOTE_ADDR") or "0.0.0.0"  # noqa: S104  no address, not one to listen on

    def is_safe_url(self, url: str) -> bool:
        """Nothing but pages of the host that was asked; allauth would also go to the others of ALLOWED_HOSTS."""
        host = self.request.get_host()
        return url_has_allowed_host_and_scheme(url, allowed_hosts={host}, require_https=self.request.is_secure())

    def authenticate(self, request: HttpRequest, **credentials: Any) -> User | None:
        """Only staff. Everybody else is answered as a wrong password is, after the same work."""
        user = super().authenticate(request, **credentials)
        return user if isinstance(user, User) and user.is_active and user.is_staff else None

    def pre_login(
        self, request: HttpRequest, user: Any, *, signal_kwargs: dict[str, Any] | None = None, **kwargs: Any
    ) -> HttpResponse | None:
        """Passkeys and single sign-on come without a password, and so past `authenticate`.

        An account of the provider comes by the provider alone: whoever has left the group there must not get in by a
        passkey that they have made here.
        """
        if not (user.is_active and user.is_staff):
            return _turn_away(request, "This account may not sign in here.")
        by_provider = "sociallogin" in (signal_kwargs or {})
        if settings.OIDC and not by_provider and SocialAccount.objects.filter(user=user).exists():
            return _turn_away(request, f"This account signs in with {settings.OIDC.name}.")
        return None

    @transaction.atomic
    def login(self, request: HttpRequest, user: Any) -> None:
        super().login(request, user)
        by = [row.get("type") or row["method"] for row in get_authentication_records(request, user)]
        note(Kind.STAFF_SIGNED_IN, request, user, by=by)

    def is_reauthentication_required(self, *, app: str, **kwargs: Any) -> bool:
        """Whoever has just signed in has just shown who they are; allauth would ask again."""
        request = self.request
        records = get_authentication_records(request, request.user)
        return not records or time.time() - records[-1]["at"] > account_settings.REAUTHENTICATION_TIMEOUT

    def add_message(
        self, request: HttpRequest, level: int, message_template: str | None = None, *args: Any, **kwargs: Any
    ) -> None:
        if message_template not in NOT_NEWS:
            super().add_message(request, level, message_template, *args, **kwargs)


def _turn_away(request: HttpRequest, why: str) -> HttpResponse:
    clear_login(request)
    messages.error(request, why)
    return HttpResponseRedirect(reverse("account_login"))


class SecondFactorAdapter(DefaultMFAAdapter):
    """Secrets of authenticator apps (`secret`) and seeds of recovery codes (`seed`) are Fernet tokens in `data`."""

    error_messages = DefaultMFAAdapter.error_messages | {
        "incorrect_code": "This code is wrong, or it was used already.",
        "cannot_delete_authenticator": "Your account needs a second factor. Add another one before you remove it.",
    }

    def encrypt(self, text: str) -> str:
        return vault(settings.VAULT_KEYS).encrypt(text.encode()).decode()

    def decrypt(self, encrypted_text: str) -> str:
        return vault(settings.VAULT_KEYS).decrypt(encrypted_text.encode()).decode()

    def get_totp_label(self, user: Any) -> str:
        return user.get_username()

    def get_totp_issuer(self) -> str:
        return f"Licensing portal {self._get_site_name()}"

    def build_totp_svg(self, url: str) -> str:
        """For the page itself: an image by data: URL is not allowed there."""
        return super().build_totp_svg(url).partition("?>")[2]

    def can_delete_authenticator(self, authenticator: Authenticator) -> bool:
        return may_remove(authenticator)

    def generate_authenticator_name(self, user: Any, type: Authenticator.Type) -> str:
        return f"Passkey {Authenticator.objects.filter(user=user, type=type).count() + 1}"
