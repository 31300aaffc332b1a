"""What every v1 request goes through: read, guard, validate, handle, seal. Whatever happens, the answer is sealed."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from http import HTTPStatus
from typing import Any, ClassVar, cast

from django.conf import settings
from django.db import Error
from django.http import HttpResponse, QueryDict
from django.http.response import HttpResponseBase
from rest_framework.parsers import FormParser, JSONParser, MultiPartParser
from rest_framework.request import Request
from rest_framework.views import APIView

from licenses.api import guards, nonces, sdk, throttles
from licenses.api.fields import Params
from licenses.api.replies import Reply, answer_failure, seal_reply, unreadable
from licenses.codes import Code, Refused
from licenses.models import Actor, ApiKey, Capability, Profile
from licenses.services.idempotency import Answer, answer_once
from licenses.services.refused_calls import count_refused
from licenses.services.retries import retried

__all__ = ["Call", "Endpoint", "Handler", "Reply", "UnknownEndpoint"]


@dataclass(frozen=True)
class Call:
    """What a handler gets: validated parameters, who asks, and with which API key (none at a public endpoint).

    `base_url` is where the caller reaches the portal, `https://licenses.example.com` without a slash at its end.
    """

    params: Mapping[str, Any]
    actor: Actor
    api_key: ApiKey | None = None
    base_url: str = ""


DEEPEST = 32  # levels of a JSON body
Handler = Callable[[Call], Reply | HttpResponseBase]


class NotKept(Exception):
    """A failure (5xx) or a throttled call under an Idempotency-Key: undo everything, so that it may be tried again."""

    def __init__(self, answer: HttpResponse) -> None:
        super().__init__(answer.status_code)
        self.answer = answer


class Endpoint(APIView):
    """The one view of the v1 protocol; a row of `api/urls.py` sets the class variables."""

    authentication_classes = ()
    permission_classes = ()
    parser_classes = (FormParser, JSONParser, MultiPartParser)
    capability: ClassVar[Capability | None] = None  # None: public, no API key is asked for
    params: ClassVar[type[Params]] = Params
    handle: ClassVar[Handler]
    changes: ClassVar[bool] = False  # whether an Idempotency-Key counts
    prepare: ClassVar[Callable[[Call], Reply | None] | None] = None  # what must not wait inside a transaction

    api_key: ApiKey | None = None
    address: str = ""
    sent: Mapping[str, Any] = {}
    refusal: Reply | None = None  # what the answer says, if it is one

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """No content negotiation: there is one format of answers, whatever `Accept` says."""

    def answer(self, request: Request, **in_path: Any) -> HttpResponseBase:
        self.sent = read_parameters(request) | in_path
        self.address = request.META.get("REMOTE_ADDR", "")
        self.guard(request)
        call = Call(self.validated(), guards.actor_for(self.api_key, self.address), self.api_key, base_url_of(request))
        prepare = type(self).prepare
        if prepare and (reply := prepare(call)):
            return self.sealed(reply)
        idempotency_key = guards.idempotency_key(request, self.sent) if self.changes else ""
        work = partial(self.perform_once, call, idempotency_key) if idempotency_key else partial(self.perform, call)
        return retried(work)

    get = post = answer

    def guard(self, request: Request) -> None:
        """In the order of the protocol (D4); throttles come last, outside of any transaction."""
        if self.capability is not None:
            text = guards.header_text(request) or str(self.sent.get("api_key") or "").strip()
            self.api_key = guards.authorize(text, address=self.address, capability=self.capability)
        guards.refuse_blocked(self.sent, address=self.address)
        throttles.refuse_too_many(self.api_key, self.sent, address=self.address)

    def validated(self) -> Mapping[str, Any]:
        nonces.require_usable(self.sent)
        params = self.params(data=self.sent)
        if not params.is_valid():
            raise Refused(self.params.invalid, errors=self.params.shown(params.errors))
        found: Mapping[str, Any] = params.validated_data
        return sdk.lenient(found, self.capability) if self.is_sdk else found

    def perform(self, call: Call) -> HttpResponseBase:
        try:
            result = type(self).handle(call)
        except Refused as refused:
            result = Reply.of(refused)
        return result if isinstance(result, HttpResponseBase) else self.sealed(result)

    def perform_once(self, call: Call, idempotency_key: str) -> HttpResponse:
        """Do it, or answer as the first time; the effect and the answer are stored in one transaction (R1)."""

        def produce() -> Answer:
            answer = cast(HttpResponse, self.perform(call))  # what changes something answers in an envelope
            if answer.status_code >= HTTPStatus.TOO_MANY_REQUESTS:
                raise NotKept(answer)
            return Answer(answer.status_code, answer.content.decode("ascii"))

        read = {name: call.params.get(name) for name in self.params.read_names()}
        echo = [self.echo] if self.echo else []  # with another nonce it is another request: no answer repeats it
        request = json.dumps([self.capability, read, *echo], sort_keys=True, default=str)
        digest = hashlib.sha256(request.encode()).hexdigest()
        found = answer_once(
            api_key=cast(ApiKey, call.api_key), idempotency_key=idempotency_key, request_digest=digest, produce=produce
        )
        headers = {"Cache-Control": "no-cache, private"}
        return HttpResponse(found.body, content_type="application/json", status=found.http_status, headers=headers)

    def handle_exception(self, exc: Exception) -> HttpResponse:  # type: ignore[override]  # no renderer: bytes
        if isinstance(exc, NotKept):
            return exc.answer
        try:
            if isinstance(exc, Refused):
                return self.sealed(Reply.of(exc))
            code = unreadable(exc)
            self.refusal = Reply(code) if code else None
            return answer_failure(exc, self.echo)
        except Error as error:  # where a wrong guess is counted
            return answer_failure(error, self.echo)

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Whatever was tried again before, one request is one refusal. One that is repeated from an Idempotency-Key
        was counted the first time."""
        if self.refusal:
            self.remember(self.refusal)
        return super().finalize_response(request, response, *args, **kwargs)

    def remember(self, refusal: Reply) -> None:
        count_refused(
            refusal.code,
            product_id=refusal.product_id,
            license_key=guards.named_in(self.sent, guards.LICENSE_KEY_NAMES),
            identifier=guards.named_in(self.sent, guards.IDENTIFIER_NAMES),
            endpoint=self.capability or "",
            address=self.address,
            api_key=str(self.api_key or ""),
        )

    @property
    def is_sdk(self) -> bool:
        return self.api_key is not None and self.api_key.profile == Profile.SDK

    @property
    def echo(self) -> Mapping[str, Any]:
        return nonces.echo_of(self.sent)

    def sealed(self, reply: Reply) -> HttpResponse:
        """A wrong guess is counted here, where every answer passes: one too many is not told that it was wrong."""
        try:
            throttles.count_guess(reply.code, self.api_key, self.sent, address=self.address)
        except Refused as refused:
            reply = Reply.of(refused)
        self.refusal = reply if reply.refused else None
        reply = replace(reply, echo=self.echo)
        return sdk.seal_reply(reply, self.capability, self.sent) if self.is_sdk else seal_reply(reply)


class UnknownEndpoint(Endpoint):
    """Everything under /api/v1/ that no row serves, in any method."""

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        raise Refused(Code.UNKNOWN_ENDPOINT)


def base_url_of(request: Request) -> str:
    return settings.PUBLIC_URL or f"{request.scheme}://{request.get_host()}"


def read_parameters(request: Request) -> dict[str, Any]:
    """The parameters of the query and of the body, which wins; of a parameter sent twice, the last."""
    query = _texts(request.query_params)
    if request.method == "GET":
        return query  # SDKs send a JSON content type with an empty body
    body = _read_body(request)
    if not isinstance(body, Mapping):
        raise Refused(Code.MALFORMED_REQUEST, errors={"body": ["This must be a JSON object."]})
    return query | (_texts(body) if isinstance(body, QueryDict) else dict(body))


def _texts(form: QueryDict) -> dict[str, Any]:
    """A form or a query; Django puts U+FFFD where bytes are no text, and three devices would become one."""
    found: dict[str, Any] = form.dict()
    problem = ["These bytes are no text in this charset."]
    if odd := {name: problem for name, text in found.items() if isinstance(text, str) and "\ufffd" in text}:
        raise Refused(Code.MALFORMED_REQUEST, errors=odd)
    return found


def _read_body(request: Request) -> Any:
    length = request.META.get("CONTENT_LENGTH") or "0"
    if length.isdigit() and int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE:
        raise Refused(Code.REQUEST_TOO_LARGE)
    try:
        body = request.data
    except RecursionError as error:
        raise _too_deep() from error
    except (ValueError, LookupError) as error:  # undecodable, an unknown charset
        raise Refused(Code.MALFORMED_REQUEST) from error
    if _is_deeper(body, DEEPEST):
        raise _too_deep()
    return body


def _too_deep() -> Refused:
    return Refused(Code.MALFORMED_REQUEST, errors={"body": [f"This may be nested {DEEPEST} levels deep at most."]})


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects lie in each other more than so many times. A level at a time: nothing here can recurse
    too deep itself."""
    layer = [value]
    for _ in range(levels):
        layer = [each for each in layer if isinstance(each, dict | list)]
        layer = [inner for each in layer for inner in (each.values() if isinstance(each, dict) else each)]
    return any(isinstance(each, dict | list) for each in layer)
