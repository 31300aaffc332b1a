"""What every v1 request goes through: read, guard, validate, handle, seal. Whatever happens, the answer is sealed."""

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, ClassVar

from cryptography.fernet import InvalidToken
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured, RequestDataTooBig, SuspiciousOperation
from django.db import Error, InterfaceError, OperationalError
from django.http import HttpResponse, QueryDict, UnreadablePostError
from rest_framework.exceptions import MethodNotAllowed, ParseError, UnsupportedMediaType, ValidationError
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.views import APIView

from licenses import signing
from licenses.api import guards
from licenses.api.fields import Params
from licenses.codes import Code, Refused, SignedBy
from licenses.models import Actor, Capability
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
class Call:
    """What a handler gets: validated parameters, and who asks."""

    params: Mapping[str, Any]
    actor: Actor


@dataclass(frozen=True)
class Reply:
    """What a handler gives back: a code, the extra fields in the protocol's order, and the product it is about."""

    code: Code
    fields: Mapping[str, Any] = field(default_factory=dict)
    product_id: int | None = None


Handler = Callable[[Call], Reply]


class Endpoint(APIView):
    """The one view of the v1 protocol; a row of `api/urls.py` sets the three class variables."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (FormParser, JSONParser, MultiPartParser)
    capability: ClassVar[Capability]
    params: ClassVar[type[Params]]
    handle: ClassVar[Handler]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """No content negotiation: there is one format of answers, whatever `Accept` says."""

    def answer(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        sent = read_parameters(request)
        address = request.META.get("REMOTE_ADDR", "")
        text = guards.header_text(request) or str(sent.get("api_key") or "").strip()
        api_key = guards.authorize(text, address=address, capability=self.capability)
        params = self.params(data=sent)
        params.is_valid(raise_exception=True)
        call = Call(params.validated_data, guards.actor_for(api_key, address))
        return seal_reply(type(self).handle(call))

    get = post = answer

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]  # no renderer: bytes
        return answer_failure(exc)


class UnknownEndpoint(Endpoint):
    """Everything under /api/v1/ that no row serves, in any method."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Refused(Code.UNKNOWN_ENDPOINT)


def read_parameters(request: Request) -> dict[str, Any]:
    """The parameters of the query and of the body, which wins; of a parameter sent twice, the last."""
    query: dict[str, Any] = request.query_params.dict()
    if request.method == "GET":
        return query  # SDKs send a JSON content type with an empty body
    body = _read_body(request)
    if not isinstance(body, Mapping):
        raise Refused(Code.MALFORMED_REQUEST, errors={"body": ["This must be a JSON object."]})
    return query | (body.dict() if isinstance(body, QueryDict) else dict(body))


def _read_body(request: Request) -> Any:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise Refused(Code.REQUEST_TOO_LARGE)
    try:
        return request.data
    except (ValueError, LookupError, RecursionError) as error:  # undecodable, an unknown charset, too deep
        raise Refused(Code.MALFORMED_REQUEST) from error


def answer_failure(exc: Exception) -> HttpResponse:
    """Turn whatever was raised into its sealed answer. The one place that catches everything."""
    if isinstance(exc, Refused):
        return seal_reply(Reply(exc.code, exc.fields, exc.product_id))
    if isinstance(exc, ValidationError):
        return seal_reply(Reply(Code.MALFORMED_REQUEST, {"errors": exc.detail}))
    for failure, code in FAILURES.items():
        if isinstance(exc, failure):
            return seal_failure(code)
    if isinstance(exc, DATABASE_AWAY):
        logger.error("The database does not answer: %s", exc)
        return seal_failure(Code.SERVICE_UNAVAILABLE)
    logger.error("A v1 endpoint crashed", exc_info=exc)
    return seal_failure(Code.INTERNAL_ERROR)


def seal_reply(reply: Reply) -> HttpResponse:
    """The sealed answer, signed with the key that its code's row asks for."""
    of_product = reply.code.value.signed_by is SignedBy.PRODUCT
    try:
        signer = signing_keys.signer_for(reply.product_id if of_product else None)
    except (Error, *NO_USABLE_KEY) as exc:
        return answer_failure(exc)
    return _respond(reply.code, reply.fields, signer)


def seal_failure(code: Code) -> HttpResponse:
    """A sealed answer without details, signed with the global key.

    With the database away it is the one that this process saw last; without one the protocol's "Private key not set".
    """
    try:
        signer: signing_keys.Signer | None = signing_keys.signer_for(None)
    except Error:
        signer = signing_keys.global_signer_seen_last()
    except NO_USABLE_KEY:
        signer = None
    return _respond(code, {}, signer)


def _respond(code: Code, fields: Mapping[str, Any], signer: signing_keys.Signer | None) -> HttpResponse:
    number, message, _, http_status = code.value
    response = {"code": number, "message": message, **fields, "timestamp": int(time.time())}
    envelope = (
        signing.seal(response, private_key=signer.private_key, label=signer.label)
        if signer
        else signing.unsealed(response)
    )
    headers = {"Cache-Control": "no-cache, private"}
    if http_status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return HttpResponse(signing.encode(envelope), content_type="application/json", status=http_status, headers=headers)
