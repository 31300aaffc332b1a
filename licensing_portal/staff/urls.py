"""Signing in, and one's own account. Of allauth nothing else is routed: no sign-up, no mail, no connecting.

The names are allauth's, which looks for its pages by them.
"""

from allauth.account.views import reauthenticate as confirm_by_password
from allauth.mfa.base.views import authenticate as ask_second_factor
from allauth.mfa.base.views import reauthenticate as confirm_by_code
from allauth.mfa.recovery_codes.views import view_recovery_codes
from allauth.mfa.webauthn.views import reauthenticate_webauthn as confirm_by_passkey
from django.urls import path
from django.views.decorators.http import require_POST

from licensing_portal.staff import views
from licensing_portal.staff.limits import account_half_in, account_signed_in, limited, no_account, typed_account
from licensing_portal.staff.single_sign_on import come_back, sign_in_with
from licensing_portal.staff.views import own_page, page

by_password = limited("password", account_signed_in)
by_code = limited("code", account_signed_in)

urlpatterns = [
    path("login/", page(limited("password", typed_account)(views.SignIn.as_view()), "Sign in"), name="account_login"),
    path(
        "login/second-factor/",
        page(limited("code", account_half_in)(ask_second_factor), "Second factor"),
        name="mfa_authenticate",
    ),
    path(
        "login/passkey/",
        page(limited("passkey", no_account)(views.SignInByPasskey.as_view()), "Sign in"),
        name="mfa_login_webauthn",
    ),
    path("login/start-again/", views.start_again, name="staff_start_again"),
    path(
        "login/with/<str:provider_id>/",
        require_POST(limited("single sign-on", no_account)(sign_in_with)),
        name="openid_connect_login",
    ),
    path("login/with/<str:provider_id>/callback/", come_back, name="openid_connect_callback"),
    path("security/", own_page(views.Overview.as_view(), "Security"), name="mfa_index"),
    path("security/sessions/", own_page(views.end_session, "Sessions"), name="staff_end_session"),
    path(
        "security/confirm/",
        own_page(by_password(confirm_by_password), "Confirm that it is you"),
        name="account_reauthenticate",
    ),
    path(
        "security/confirm/code/",
        own_page(by_code(confirm_by_code), "Confirm that it is you"),
        name="mfa_reauthenticate",
    ),
    path(
        "security/confirm/passkey/",
        own_page(by_code(confirm_by_passkey), "Confirm that it is you"),
        name="mfa_reauthenticate_webauthn",
    ),
    path(
        "security/authenticator-app/",
        own_page(by_code(views.AddAuthenticatorApp.as_view()), "Set up an authenticator app"),
        name="mfa_activate_totp",
    ),
    path(
        "security/authenticator-app/remove/",
        own_page(views.RemoveAuthenticatorApp.as_view(), "Remove the authenticator app"),
        name="mfa_deactivate_totp",
    ),
    path("security/recovery-codes/", own_page(view_recovery_codes, "Recovery codes"), name="mfa_view_recovery_codes"),
    path(
        "security/recovery-codes/new/",
        own_page(views.MakeRecoveryCodes.as_view(), "New recovery codes"),
        name="mfa_generate_recovery_codes",
    ),
    path("security/passkeys/add/", own_page(views.AddPasskey.as_view(), "Add a passkey"), name="mfa_add_webauthn"),
    path(
        "security/passkeys/<int:pk>/",
        own_page(views.RenamePasskey.as_view(), "Rename a passkey"),
        name="mfa_edit_webauthn",
    ),
    path(
        "security/passkeys/<int:pk>/remove/",
        own_page(views.RemovePasskey.as_view(), "Remove a passkey"),
        name="mfa_remove_webauthn",
    ),
]
