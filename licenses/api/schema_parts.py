"""Parts of the OpenAPI document that no table has: the introduction, the envelope, what is posted to a shop."""

import functools
import json
from typing import Any

from django.conf import settings
from drf_spectacular.utils import OpenApiExample, OpenApiParameter

Json = dict[str, Any]

DESCRIPTION = """
Every answer is **sealed**: `response` is the answer, `response_base64` the same as bytes, and `signature` an RSA
signature (PKCS#1 v1.5, SHA-256) over the characters of `response_base64`, made with the product's key or with the
portal's global key, as `private_key_used` says. A program that trusts an answer verifies it first;
`get-product-public-key` has the key.

- **Address.** `/api/v1/<endpoint>`; `/v1/<endpoint>` and doubled or trailing slashes reach the same endpoint.
- **API key.** `Authorization: Bearer <API key>`, `X-API-Key: <API key>`, or the parameter `api_key`. A header wins.
- **Parameters.** A form, a JSON object, or the query of a GET. Numbers may be texts, flags are 0 or 1; null and an
  empty text are the same as nothing. Unknown parameters are ignored; of one that is sent twice the last counts. What
  is marked as required is what the endpoint does nothing without: its answer says so, by a code.
- **HTTP status.** 200 for every decision, also for a refusal: read `response.code`. 401 and 403 say who may not call,
  400 to 415 what cannot be read, 429 that it is too often.
- **Again.** What changes something takes an `Idempotency-Key`: a repeated call then has no second effect. After 429 and
  503 wait for as many seconds as `Retry-After` says.
- **Nonce.** Any call may carry `nonce`, a random text of its own: 1 to 255 printable characters. The signed answer then
  repeats it, with the fingerprint of the license key and the identifier that were sent: an answer with another nonce is
  an answer to somebody else, or an old one.
"""

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="A text of your choice, at most 255 characters. The same call with the same text within 24 hours has "
    "no second effect and gets the same answer again.",
)
NONCE: Json = {  # any operation takes it, so it is named once
    "name": "nonce",
    "in": "query",
    "description": "A random text for this call alone, in the query or in the body. The signed answer repeats it.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255},
}
SECURITY_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The API key as a Bearer token."},
    "header": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
    "parameter": {
        "type": "apiKey",
        "in": "query",
        "name": "api_key",
        "description": "Also as a parameter of the body. URLs end up in logs: prefer a header.",
    },
}
ECHO: Json = {
    "nonce": {"type": "string", "description": "As it was sent. This and the next two only in answers to a `nonce`."},
    "license_key_fingerprint": {
        "type": ["string", "null"],
        "description": "SHA-256, in hexadecimal, of the license key that was sent; null when none was.",
    },
    "identifier": {"type": ["string", "null"], "description": "The identifier that was sent; null when none was."},
}
ENVELOPE: Json = {
    "type": "object",
    "description": "A sealed answer. Verify `signature` over the characters of `response_base64`, then read that.",
    "properties": {
        "response": {
            "type": "object",
            "properties": {
                "code": {"$ref": "#/components/schemas/Code"},
                "message": {"type": "string"},
                **ECHO,
                "timestamp": {"type": "integer", "description": "When it was signed, in Unix seconds."},
            },
            "required": ["code", "message", "timestamp"],
            "description": "The answer as an object. Its own fields stand between `message` and `timestamp`: see the "
            "examples of the endpoint.",
        },
        "response_base64": {"type": "string", "description": "The same object as compact JSON in base64."},
        "private_key_used": {
            "type": "string",
            "enum": ["product", "global"],
            "description": "Whose key signed: the product's own, or the portal's.",
        },
        "signature": {
            "type": "string",
            "description": "RSA PKCS#1 v1.5 with SHA-256 over the characters of `response_base64`, in base64.",
        },
        "retry_after": {
            "type": "integer",
            "description": "With 160 alone: after how many seconds to ask again, as the header `Retry-After` says.",
        },
    },
    "required": ["response", "response_base64", "private_key_used", "signature"],
}
ENVELOPE_REF = {"$ref": "#/components/schemas/Envelope"}
FILE = {"type": "string", "format": "binary"}

DELIVERY: Json = {
    "operationId": "queued_assignment_result",
    "summary": "The result of a queued assignment, posted to your shop",
    "description": """
What the worker (`manage.py run_worker`) posts to `webhook_url`. `original` is an envelope as everywhere: verify its
signature, with the global public key, before you believe it. Its `response` is that of `random-assign-license-keys`,
803 or a refusal, with your `identifier` after `message`.

- **Answer any 2xx**, within 10 seconds. Nothing else of the answer is read, and redirects are not followed.
- **Any other status, or no connection:** it is posted again, after 10 seconds, then twice as long each time up to 6
  hours, for 3 days. Then staff see it as given up.
- **Sent, but without an answer:** nobody knows whether it arrived, so it is not repeated by itself. Staff see it in the
  admin and may send it again. The same holds for 504 and 524, which a gateway says.
- **Only public addresses** are called; `OUTGOING_ALLOWED_NETWORKS` of the portal can allow others.
""".strip(),
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {
                "schema": {
                    "type": "object",
                    "properties": {
                        "headers": {"type": "object", "description": "Always empty."},
                        "original": ENVELOPE_REF,
                        "exception": {"type": "null"},
                    },
                    "required": ["headers", "original", "exception"],
                },
            }
        },
    },
    "responses": {
        "2XX": {"description": "Taken; it does not come again."},
        "default": {"description": "Not taken; it comes again later."},
    },
    "security": [{}],
}


def callback() -> Json:
    """What is posted to `webhook_url` after a queued assignment, with the documented license keys in it."""
    content = DELIVERY["requestBody"]["content"]["application/json"]
    found = next((one for one in documented("random-assign-license-keys") if "license_keys" in one["response"]), None)
    if found is None:
        return {"result": {"{$request.body#/webhook_url}": {"post": DELIVERY}}}
    code, message = found["response"]["code"], found["response"]["message"]
    response = {"code": code, "message": message, "identifier": "1001", **found["response"]}
    original = _envelope({**found, "response": response})
    example = {"value": {"headers": {}, "original": original, "exception": None}}
    body = {"required": True, "content": {"application/json": content | {"examples": {"assigned": example}}}}
    return {"result": {"{$request.body#/webhook_url}": {"post": DELIVERY | {"requestBody": body}}}}


@functools.cache
def read_examples() -> list[Json]:
    """The documented requests and answers; none where the portal runs without its `docs` folder."""
    try:
        found: list[Json] = json.loads((settings.BASE_DIR / "docs/protocol/examples.json").read_text())["examples"]
    except OSError:
        return []
    return found


def documented(endpoint: str) -> list[Json]:
    return [found for found in read_examples() if found["endpoint"] == endpoint]


def answer_examples(endpoint: str) -> list[OpenApiExample]:
    """Every documented answer of the endpoint, by its code and its title."""
    return [
        OpenApiExample(
            _name(found),
            _envelope(found),
            summary=_name(found),
            response_only=True,
            status_codes=[found["http_status"]],
        )
        for found in documented(endpoint)
    ]


def request_examples(endpoint: str, codes: set[int | str], media_types: tuple[str, ...]) -> list[OpenApiExample]:
    """The documented requests that got one of these codes, without their API key."""
    return [
        OpenApiExample(_name(found), _sent(found), summary=_name(found), request_only=True, media_type=media_type)
        for media_type in media_types
        for found in documented(endpoint)
        if found["response"]["code"] in codes
    ]


def _name(found: Json) -> str:
    return f"{found['response']['code']}: {found['title']}"


def _sent(found: Json) -> Json:
    return {name: value for name, value in found["parameters"].items() if name != "api_key"}


def _envelope(found: Json) -> Json:
    label = found["private_key_used"]
    return {
        "response": found["response"],
        "response_base64": "eyJjb2Rl…",
        "private_key_used": label,
        "signature": "qEj…",
    }
