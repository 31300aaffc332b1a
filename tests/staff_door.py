"""A member of staff at the sign-in pages: with Django's client, or over HTTP at a running portal."""

import re
from typing import Any

import urllib3
from allauth.mfa.models import Authenticator
from allauth.mfa.utils import decrypt
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.test import Client

from tests.codes import code_of

PASSWORD = "a-long-password-1"
LOGIN, SECOND, SECURITY = "/admin/login/", "/admin/login/second-factor/", "/admin/security/"
APP, CODES = SECURITY + "authenticator-app/", SECURITY + "recovery-codes/"


def sign_in(client: Client, name: str = "root", password: str = PASSWORD, **options: Any) -> Any:
    return client.post(LOGIN, {"login": name, "password": password}, **options)


def from_address(number: int) -> dict[str, Any]:
    return {"REMOTE_ADDR": f"203.0.113.{number}"}


def set_up_app(client: Client) -> tuple[str, list[str]]:
    """The secret of a new authenticator app of whoever is signed in, and the recovery codes as the page shows them."""
    secret = re.search(r'id="totp-secret"[^>]*>(\w+)<', client.get(APP).content.decode())[1]
    answer = client.post(APP, {"code": code_of(secret)}, follow=True)
    return secret, re.findall(r"\b\d{5}-\d{5}\b", answer.content.decode())


def stored_secret(account: Any) -> str:
    return decrypt(Authenticator.objects.get(user=account, type="totp").data["secret"])


class SlowHasher(PBKDF2PasswordHasher):
    """Slow enough to stand out against all else that an answer takes."""

    iterations = 200_000


class Visitor:
    """A browser without a window, at a portal that runs as processes: keeps cookies, fills in the hidden token."""

    def __init__(self, url: str, address: str = "127.0.0.1") -> None:
        self.url, self.address, self.cookies = url, address, {}
        self.pool = urllib3.PoolManager(maxsize=8, retries=False, timeout=30)

    def request(self, method: str, path: str, **options: Any) -> urllib3.BaseHTTPResponse:
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        headers |= {"Referer": self.url, "X-Forwarded-For": self.address}
        answer = self.pool.request(method, self.url + path, headers=headers, redirect=False, **options)
        for line in answer.headers.getlist("Set-Cookie"):
            name, _, value = line.partition(";")[0].partition("=")
            self.cookies[name] = value
        return answer

    def get(self, path: str) -> urllib3.BaseHTTPResponse:
        return self.request("GET", path)

    def post(self, path: str, **fields: str) -> urllib3.BaseHTTPResponse:
        sent = fields | {"csrfmiddlewaretoken": self.cookies["csrftoken"]}
        return self.request("POST", path, fields=sent, encode_multipart=False)
