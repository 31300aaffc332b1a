"""What handlers give back, and how it becomes a sealed answer of the documented form."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from math import ceil
from typing import Any

from cryptography.fernet import InvalidToken
from django.core.exceptions import ImproperlyConfigured, RequestDataTooBig, SuspiciousOperation
from django.db import Error, InterfaceError, OperationalError
from django.http import HttpResponse, UnreadablePostError
from rest_framework.exceptions import MethodNotAllowed, ParseError, UnsupportedMediaType

from licenses import signing
from licenses.codes import Code, Refused, SignedBy, response_of
from licenses.services import signing_keys

logger = logging.getLogger(__name__)

DATABASE_AWAY = (OperationalError, InterfaceError)
NO_USABLE_KEY = (ImproperlyConfigured, InvalidToken)  # there is none, or none that VAULT_KEYS open
FAILURES: dict[type[Exception], Code] = {  # the first that fits
    UnsupportedMediaType: Code.UNSUPPORTED_MEDIA_TYPE,
    MethodNotAllowed: Code.METHOD_NOT_ALLOWED,
    RequestDataTooBig: Code.REQUEST_TOO_LARGE,
    ParseError: Code.MALFORMED_REQUEST,
    SuspiciousOperation: Code.MALFORMED_REQUEST,
    UnreadablePostError: Code.MALFORMED_REQUEST,
}
RETRY_AFTER_SECONDS = 5  # how soon a client may ask again after 198


@dataclass(frozen=True)
class Reply:
    """What a handler gives back: a code, the extra fields in the protocol's order, and the product it is about.

    The endpoint adds `echo`: what the answer repeats of its request, where that carried a nonce. `retry_after` is in
    seconds. `refused` says that a rule said no.
    """

    code: Code
    fields: Mapping[str, Any] = field(default_factory=dict)
    product_id: int | None = None
    retry_after: float = 0
    echo: Mapping[str, Any] = field(default_factory=dict)
    refused: bool = False

    @classmethod
    def of(cls, refused: Refused) -> "Reply":
        return cls(refused.code, refused.fields, refused.product_id, refused.retry_after, refused=True)

    def response(self) -> dict[str, Any]:
        """The object that is signed: its own fields come before what it repeats of the request."""
        echo = {name: value for name, value in self.echo.items() if name not in self.fields}
        return response_of(self.code, **self.fields, **echo)

    def beside(self) -> dict[str, int]:
        """What stands beside `response` in the envelope, not signed in the documented form."""
        return {"retry_after": ceil(self.retry_after)} if self.retry_after else {}


def answer_failure(exc: Exception, echo: Mapping[str, Any]) -> HttpResponse:
    """Turn whatever was raised into its sealed answer. The one place that catches everything."""
    if isinstance(exc, Refused):
        return seal_reply(replace(Reply.of(exc), echo=echo))
    if code := unreadable(exc):
        return seal_failure(Reply(code, echo=echo))
    if isinstance(exc, DATABASE_AWAY):
        logger.error("The database gave no answer: %s", str(exc).partition("\n")[0])  # what follows may quote values
        return seal_failure(Reply(Code.SERVICE_UNAVAILABLE, echo=echo))
    logger.error("A v1 endpoint crashed", exc_info=exc)
    return seal_failure(Reply(Code.INTERNAL_ERROR, echo=echo))


def unreadable(exc: Exception) -> Code | None:
    """What refuses a request that cannot be read; None for an accident of the portal."""
    return next((code for failure, code in FAILURES.items() if isinstance(exc, failure)), None)


def seal_reply(reply: Reply) -> HttpResponse:
    """The sealed answer, signed with the key that its code's row asks for."""
    of_product = reply.code.value.signed_by is SignedBy.PRODUCT
    try:
        signer = signing_keys.signer_for(reply.product_id if of_product else None)
    except (Error, *NO_USABLE_KEY) as exc:
        return answer_failure(exc, reply.echo)
    return respond(envelope_of(reply, signer) | reply.beside(), reply.code.value.http_status)


def seal_failure(reply: Reply) -> HttpResponse:
    """A sealed answer without details, signed with the global key.

    With the database away it is the one that this process saw last; without one the protocol's "Private key not set".
    """
    try:
        signer: signing_keys.Signer | None = signing_keys.signer_for(None)
    except Error:
        signer = signing_keys.global_signer_seen_last()
    except NO_USABLE_KEY:
        signer = None
    return respond(envelope_of(reply, signer), reply.code.value.http_status)


def envelope_of(reply: Reply, signer: signing_keys.Signer | None) -> dict[str, Any]:
    if signer is None:
        return signing.unsealed(reply.response())
    return signing.seal(reply.response(), private_key=signer.private_key, label=signer.label)


def respond(envelope: Mapping[str, Any], http_status: int) -> HttpResponse:
    headers = {"Cache-Control": "no-cache, private"}
    if http_status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    if "retry_after" in envelope:
        headers["Retry-After"] = str(envelope["retry_after"])
    return HttpResponse(signing.encode(envelope), content_type="application/json", status=http_status, headers=headers)
