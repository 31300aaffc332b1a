"""allauth's forms, with codes that work once and with the words of the portal."""

from typing import Any

from allauth.account.forms import LoginForm
from allauth.account.forms import ReauthenticateForm as ReauthenticateByPasswordForm
from allauth.mfa.adapter import get_adapter
from allauth.mfa.base.forms import AuthenticateForm, ReauthenticateForm
from allauth.mfa.totp.forms import ActivateTOTPForm
from allauth.mfa.webauthn.forms import AddWebAuthnForm, EditWebAuthnForm
from django import forms
from django.contrib.admin.forms import AdminPasswordChangeForm
from django.contrib.auth.models import User

from licensing_portal.staff.factors import time_step_of, use_code
from licensing_portal.staff.limits import username

ANY_CODE = "Six digits from your authenticator app, such as 123456, or one of your recovery codes."
APP_CODE = "Six digits, such as 123456. The app shows new ones every 30 seconds."
PASSKEY_NAME = "By which you tell it from others, such as Phone or Office laptop."
CODE = {"autocomplete": "one-time-code", "inputmode": "text", "autofocus": True, "maxlength": 40, "spellcheck": "false"}


class SignInForm(LoginForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["login"].widget.attrs = {"autocomplete": "username", "autofocus": True, "autocapitalize": "none"}
        self.fields["password"].widget.attrs = {"autocomplete": "current-password"}
        self.fields["login"].help_text = "The user name of your account, such as jo."
        self.fields[
            "password"
        ].help_text = "With its capitals and spaces. Five wrong ones in a row make you wait a minute."

    def clean_login(self) -> str:
        return username(self.cleaned_data["login"])


class ConfirmByPasswordForm(ReauthenticateByPasswordForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.label_suffix = ""
        self.fields["password"].widget.attrs = {"autocomplete": "current-password", "autofocus": True}
        self.fields["password"].help_text = "The one that you sign in with."


class OwnPasswordForm(AdminPasswordChangeForm):
    """Django's, with a word about the field that it says nothing about."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "old_password"
        ].help_text = "The one that you sign in with now. Your sessions in other browsers end."


class CodeOnce(forms.Form):
    """In place of allauth's check, which remembers used codes in a cache."""

    user: User
    code = forms.CharField(
        label="Code", label_suffix="", max_length=40, help_text=ANY_CODE, widget=forms.TextInput(attrs=CODE)
    )

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        authenticator = use_code(self.user, code)
        if authenticator is None:
            raise get_adapter().validation_error("incorrect_code")
        self.authenticator = authenticator
        return code


class CodeForm(CodeOnce, AuthenticateForm):
    pass


class ConfirmByCodeForm(CodeOnce, ReauthenticateForm):
    pass


class AuthenticatorAppForm(ActivateTOTPForm):
    """`time_step` is the one whose code was shown: it does not work again to sign in."""

    code = forms.CharField(
        label="Code", label_suffix="", max_length=40, help_text=APP_CODE, widget=forms.TextInput(attrs=CODE)
    )

    def clean_code(self) -> str:
        code: str = self.cleaned_data["code"]
        self.time_step = time_step_of(self.secret, code)
        if self.time_step is None:
            raise get_adapter().validation_error("incorrect_code")
        return code


class PasskeyForm(AddWebAuthnForm):
    """Always one that asks who is there (finger, face, PIN): so a passkey alone is two factors."""

    name = forms.CharField(label="Name", label_suffix="", max_length=60, required=False, help_text=PASSKEY_NAME)
    passwordless = forms.BooleanField(widget=forms.HiddenInput, initial=True)


class RenameForm(EditWebAuthnForm):
    name = forms.CharField(label="Name", label_suffix="", max_length=60, help_text=PASSKEY_NAME)
