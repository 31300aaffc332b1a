"""A small OpenID Connect provider on this machine: says who somebody is, to whoever follows the protocol."""

import base64
import hashlib
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qs, parse_qsl, urlencode, urlsplit

import jwt

from licensing_portal.staff.provider import OpenIdConnect
from tests.stand_ins import Received, Receiver, receiving

CLIENT, SECRET, CODE, TOKEN = "portal", "the-clients-secret", "code-4711", "token-4711"
Answer = tuple[int, dict[str, str], bytes]


class Provider:
    """`person` is who signs in next: the claims about them. `id_token` overrides what the signed token says."""

    def __init__(self, receiver: Receiver) -> None:
        self.url = receiver.url
        self.person: dict[str, Any] = {"sub": "a1", "preferred_username": "ada", "groups": ["portal-staff"]}
        self.id_token: dict[str, Any] = {}
        self.asked: dict[str, str] = {}  # what the portal asked for, by the browser
        self.refuse_token = False
        receiver.answer = self.answer

    @property
    def settings(self) -> OpenIdConnect:
        return OpenIdConnect(self.url, CLIENT, SECRET, "portal-staff", "portal-admins", name="Example Login")

    def answer(self, request: Received) -> Answer:
        path = urlsplit(request.path).path
        if path == "/.well-known/openid-configuration":
            return self.json(
                issuer=self.url,
                authorization_endpoint=f"{self.url}/authorize",
                token_endpoint=f"{self.url}/token",
                userinfo_endpoint=f"{self.url}/userinfo",
                jwks_uri=f"{self.url}/keys",
                token_endpoint_auth_methods_supported=["client_secret_post"],
            )
        if path == "/token":
            return self.give_token(dict(parse_qsl(request.body.decode())))
        if path == "/userinfo" and request.headers.get("Authorization") == f"Bearer {TOKEN}":
            return self.json(**self.person)
        return 404, {}, b""

    def authorize(self, url: str, **changes: str) -> str:
        """The person says yes: the address at the portal to which the browser goes next."""
        self.asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        assert url.startswith(f"{self.url}/authorize?")
        assert self.asked["code_challenge_method"] == "S256"
        return (
            "/"
            + self.asked["redirect_uri"].split("/", 3)[3]
            + "?"
            + urlencode({"code": CODE, "state": self.asked["state"]} | changes)
        )

    def give_token(self, sent: dict[str, str]) -> Answer:
        verifier = hashlib.sha256(sent.get("code_verifier", "").encode()).digest()
        proved = base64.urlsafe_b64encode(verifier).rstrip(b"=").decode() == self.asked["code_challenge"]
        known = (sent["code"], sent["client_id"], sent["client_secret"]) == (CODE, CLIENT, SECRET)
        if self.refuse_token or not (proved and known):
            return 400, {"Content-Type": "application/json"}, b'{"error": "invalid_grant"}'
        now = int(time.time())
        claims = {"iss": self.url, "aud": CLIENT, "sub": self.person["sub"], "iat": now, "exp": now + 60}
        token = jwt.encode(claims | self.id_token, "k" * 40, algorithm="HS256")
        return self.json(access_token=TOKEN, token_type="Bearer", id_token=token)

    def json(self, **body: Any) -> Answer:
        return 200, {"Content-Type": "application/json"}, json.dumps(body).encode()


@contextmanager
def identity_provider() -> Iterator[Provider]:
    with receiving() as receiver:
        yield Provider(receiver)
