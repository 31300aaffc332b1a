"""A caller of the v1 protocol that trusts nothing: each answer's form and signature is checked before it is used."""

import json
from typing import Any

from django.http import HttpResponse
from django.test import Client

from licenses import signing
from licenses.api.answers import answers_of
from licenses.api.urls import ENDPOINTS
from licenses.models import SigningKey

ANSWERS = {row.paths[0]: answers_of(row.handle) for row in ENDPOINTS}
TOO_MANY_REQUESTS = 160
READS = {path for row in ENDPOINTS if "post" not in row.methods for path in row.paths}


def in_query(params: dict[str, Any]) -> dict[str, str]:
    """The parameters as the texts that a query can carry: no lone surrogates, JSON for what is no text."""
    texts = {name: value if isinstance(value, str) else json.dumps(value) for name, value in params.items()}
    return {name: text.encode("utf-8", "replace").decode() for name, text in texts.items()}


class Portal:
    """`portal("verify", license_key=…)` is a form POST with the API key in the body, as shops send it."""

    def __init__(self, client: Client, api_key: str) -> None:
        self.client = client
        self.api_key = api_key

    def __call__(self, endpoint: str, **params: Any) -> dict[str, Any]:
        sent = {"api_key": self.api_key, **params}
        if endpoint in READS:
            return self.read(self.client.get(f"/api/v1/{endpoint}", sent))
        return self.read(self.client.post(f"/api/v1/{endpoint}", sent))

    def json(self, endpoint: str, body: Any, **headers: str) -> dict[str, Any]:
        """A JSON POST with a Bearer header, as SDKs send it; for a GET they put the parameters into the query."""
        headers = {"Authorization": f"Bearer {self.api_key}"} | headers
        if endpoint in READS:
            sent = body if isinstance(body, dict) else {}
            return self.read(self.client.get(f"/api/v1/{endpoint}", in_query(sent), headers=headers))
        return self.read(
            self.client.post(
                f"/api/v1/{endpoint}",
                body if isinstance(body, str | bytes) else json.dumps(body),
                content_type="application/json",
                headers=headers,
            )
        )

    def read(self, http: HttpResponse) -> dict[str, Any]:
        """The `response` of a sealed answer; what the envelope said beside it is in `self.envelope` and `self.http`."""
        self.http, self.envelope = http, json.loads(http.content)
        check_envelope(http.headers["Content-Type"], self.envelope)
        self.label = self.envelope["private_key_used"]
        return self.envelope["response"]


def check_envelope(content_type: str, envelope: dict[str, Any]) -> None:
    """The documented form, and a signature by an active key of the label's kind."""
    assert content_type == "application/json"
    response = envelope["response"]
    beside = ["retry_after"] if response["code"] == TOO_MANY_REQUESTS else []
    assert list(envelope) == ["response", "response_base64", "private_key_used", "signature", *beside]
    assert list(response)[:2] == ["code", "message"]
    assert list(response)[-1] == "timestamp"
    assert type(response["timestamp"]) is int
    keys = SigningKey.objects.filter(product__isnull=envelope["private_key_used"] == "global", status="active")
    assert any(signing.verify(envelope, key.public_key) for key in keys), "no active key signed this"
