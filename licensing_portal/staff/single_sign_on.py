"""Sign-in with OpenID Connect: whom the identity provider has in the staff group is staff here, and nobody else."""

import logging
from typing import Any

from allauth.account.utils import get_next_redirect_url
from allauth.core.exceptions import ImmediateHttpResponse
from allauth.socialaccount.adapter import DefaultSocialAccountAdapter, get_adapter
from allauth.socialaccount.models import SocialApp, SocialLogin
from allauth.socialaccount.providers.base import AuthProcess
from allauth.socialaccount.providers.oauth2.client import OAuth2Error
from allauth.socialaccount.providers.openid_connect.views import callback as allauth_callback
from django.conf import settings
from django.contrib.auth.models import User
from django.core.exceptions import ImproperlyConfigured
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from requests import RequestException

from licenses.events import Kind
from licensing_portal.staff.audit import note
from licensing_portal.staff.provider import OpenIdConnect

logger = logging.getLogger(__name__)
Rights = dict[str, bool]
NAME_LENGTH = 150  # of every name of django.contrib.auth
PROBLEMS = (
    RequestException,
    OAuth2Error,
    AttributeError,
    KeyError,
    TypeError,
    ValueError,
)  # away, or not speaking OpenID Connect


def configured() -> OpenIdConnect:
    """There is a provider wherever somebody has come from one."""
    if settings.OIDC is None:
        raise ImproperlyConfigured("No provider is configured: set the variables OIDC_*.")
    return settings.OIDC


class SingleSignOnAdapter(DefaultSocialAccountAdapter):
    def list_apps(self, request: HttpRequest, provider: Any = None, client_id: Any = None) -> list[SocialApp]:
        """Only the provider in the environment: a row in the database must not be able to let anybody in."""
        return [app for app in super().list_apps(request, provider, client_id) if app.pk is None]

    def pre_social_login(self, request: HttpRequest, sociallogin: SocialLogin) -> None:
        """The identity is proved. Give or take the rights that its groups say, at each sign-in."""
        if sociallogin.state.get("process") != AuthProcess.LOGIN:
            raise ImmediateHttpResponse(refuse(request))
        rights = rights_in(sociallogin.account.extra_data)
        if sociallogin.is_existing:
            keep_rights(request, sociallogin.user, rights)
        if not rights["is_staff"]:
            raise ImmediateHttpResponse(refuse(request))
        sociallogin.email_addresses = []  # an address is something to read here; nobody is recognised by it

    def on_authentication_error(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """allauth's own answer to somebody who changed their mind is a page that is not routed here."""
        raise ImmediateHttpResponse(render(request, "socialaccount/authentication_error.html", status=401))

    def populate_user(self, request: HttpRequest, sociallogin: SocialLogin, data: dict[str, Any]) -> User:
        """Names as long as the columns are. People write their own at the provider."""
        known = {name: value[:NAME_LENGTH] for name, value in data.items() if isinstance(value, str)}
        user: User = super().populate_user(request, sociallogin, known)
        return user

    def is_open_for_signup(self, request: HttpRequest, sociallogin: SocialLogin) -> bool:
        return rights_in(sociallogin.account.extra_data)["is_staff"]

    @transaction.atomic
    def save_user(self, request: HttpRequest, sociallogin: SocialLogin, form: Any = None) -> User:
        """A new account, also where a local one has the same name or address: this one then gets another name."""
        rights = rights_in(sociallogin.account.extra_data)
        for name, value in rights.items():
            setattr(sociallogin.user, name, value)
        user: User = super().save_user(request, sociallogin, form)
        note(Kind.STAFF_ADMITTED, request, user, **rights)
        return user


def rights_in(claims: dict[str, Any]) -> Rights:
    """What the groups give. Both documents speak of one person, or of nobody (OpenID Connect Core, 5.3.2)."""
    documents = [claims[name] for name in ("userinfo", "id_token") if isinstance(claims.get(name), dict)]
    groups: set[str] = set()
    if documents and len({document.get("sub") for document in documents}) == 1:
        groups = next((found for document in documents if (found := groups_in(document))), set())
    oidc = configured()
    superuser = bool(oidc.superuser_group) and oidc.superuser_group in groups
    return {"is_staff": superuser or oidc.staff_group in groups, "is_superuser": superuser}


def groups_in(document: dict[str, Any]) -> set[str]:
    claim = document.get(configured().groups_claim)
    listed = claim if isinstance(claim, list) else [claim]
    return {group for group in listed if isinstance(group, str)}


@transaction.atomic
def keep_rights(request: HttpRequest, account: User, rights: Rights) -> None:
    """Make the account's rights those of the groups. What roles give besides is the portal's own."""
    user = User.objects.select_for_update().get(pk=account.pk)
    before = {name: getattr(user, name) for name in rights}
    if before == rights:
        return
    User.objects.filter(pk=user.pk).update(**rights)
    for name, value in rights.items():
        setattr(account, name, value)
    note(Kind.STAFF_ADMITTED if rights["is_staff"] else Kind.STAFF_TURNED_AWAY, request, user, **rights)


def refuse(request: HttpRequest) -> HttpResponse:
    return render(request, "staff/turned_away.html", {"oidc": configured()}, status=403)


def unreachable(request: HttpRequest, problem: Exception) -> HttpResponse:
    """In the log only what kind of problem: its text may quote a code or a token."""
    logger.error("Single sign-on: %s did not answer as it should (%s)", configured().server_url, type(problem).__name__)
    return render(request, "staff/provider_away.html", {"oidc": configured()}, status=502)


def sign_in_with(request: HttpRequest, provider_id: str) -> HttpResponse:
    """On to the provider. allauth's own view would also connect accounts, and take scopes from the address.

    By a page and not by a redirect: a content security policy lets forms lead nowhere else, redirected or not.
    """
    try:
        provider = get_adapter().get_provider(request, provider_id)
        answer = provider.redirect(request, AuthProcess.LOGIN, next_url=get_next_redirect_url(request))
    except SocialApp.DoesNotExist:
        raise Http404 from None
    except PROBLEMS as problem:
        return unreachable(request, problem)
    return render(request, "staff/on_to_provider.html", {"oidc": configured(), "url": answer["Location"]})


def come_back(request: HttpRequest, provider_id: str) -> HttpResponse:
    try:
        return allauth_callback(request, provider_id)
    except PROBLEMS as problem:
        return unreachable(request, problem)
