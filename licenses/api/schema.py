"""The OpenAPI document of the v1 protocol, made from the table of endpoints and the table of answers."""

import functools
import json
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, get_type_hints

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.extensions import OpenApiSerializerExtension, OpenApiSerializerFieldExtension
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from licenses.api import answers
from licenses.api.fields import Params
from licenses.api.sdk import TAKEN_FOR_SUCCESS
from licenses.codes import Code

if TYPE_CHECKING:
    from licenses.api.urls import Row

PREFIX = "/api/v1/"
Json = dict[str, Any]

DESCRIPTION = """
Every answer is **sealed**: `response` is the answer, `response_base64` the same as bytes, and `signature` an RSA
signature (PKCS#1 v1.5, SHA-256) over the characters of `response_base64`, made with the product's key or with the
portal's global key, as `private_key_used` says. A program that trusts an answer verifies it first;
`get-product-public-key` has the key.

- **Address.** `/api/v1/<endpoint>`; `/v1/<endpoint>` and doubled or trailing slashes reach the same endpoint.
- **API key.** `Authorization: Bearer <API key>`, `X-API-Key: <API key>`, or the parameter `api_key`. A header wins.
- **Parameters.** A form, a JSON object, or the query of a GET. Numbers may be texts. Unknown parameters are ignored.
- **HTTP status.** 200 for every decision, also for a refusal: read `response.code`. 401 and 403 say who may not call,
  400 to 415 what cannot be read.
- **Again.** What changes something takes an `Idempotency-Key`: a repeated call then has no second effect. After 503
  wait for as long as `Retry-After` says.
"""

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="A text of your choice, at most 255 characters. The same call with the same text within 24 hours has "
    "no second effect and gets the same answer again.",
)
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
API_KEY_PARAMETER = {"type": "string", "description": "The API key, where no header carries it."}
ENVELOPE = {
    "type": "object",
    "description": "A sealed answer. Verify `signature` over the characters of `response_base64`, then read that.",
    "properties": {
        "response": {
            "type": "object",
            "properties": {
                "code": {"$ref": "#/components/schemas/Code"},
                "message": {"type": "string"},
                "timestamp": {"type": "integer", "description": "When it was signed, in Unix seconds."},
            },
            "required": ["code", "message", "timestamp"],
            "description": "The answer as an object; further fields as the endpoint's code says.",
        },
        "response_base64": {"type": "string", "description": "The same object as compact JSON in base64."},
        "private_key_used": {"type": "string", "enum": ["product", "global"]},
        "signature": {
            "type": "string",
            "description": "RSA PKCS#1 v1.5 with SHA-256 over the characters of `response_base64`, in base64.",
        },
    },
    "required": ["response", "response_base64", "private_key_used", "signature"],
}
FILE = {"type": "string", "format": "binary"}
SECTIONS = {  # of modules that stand together in the reference; any other has its own
    "features": "Activations",
    "license_files": "Activations",
    "license_keys": "License keys",
    "license_key_creation": "License keys",
    "license_key_management": "License keys",
    "random_assignment": "License keys",
    "queued_assignments": "License keys",
    "product_metadata": "Products",
    "contract_holders": "Contracts",
    "changelog": "Releases and downloads",
    "downloads": "Releases and downloads",
}


class FeaturesSchema(OpenApiSerializerFieldExtension):  # type: ignore[no-untyped-call]
    target_class = "licenses.api.products.FeaturesField"

    def map_serializer_field(self, auto_schema: Any, direction: Any) -> Json:
        return {"type": "object", "description": "By name; in a form as JSON text."}


class ParamsSchema(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """Params with the other names of each parameter, and the API key, which may stand among them."""

    target_class = "licenses.api.fields.Params"
    match_subclasses = True

    def get_name(self, auto_schema: Any, direction: Any) -> str:
        """One name for each endpoint: names of Params repeat. What stands inside of Params keeps its own."""
        if type(self.target) is not auto_schema.row.params:
            return type(self.target).__name__
        return "".join(word.capitalize() for word in re.findall(r"\w+", auto_schema.row.paths[0].replace("_", "-")))

    def map_serializer(self, auto_schema: Any, direction: Any) -> Json:
        schema: Json = auto_schema._map_serializer(self.target, direction, bypass_extensions=True)
        properties = schema.get("properties", {}) | {"api_key": API_KEY_PARAMETER}
        for name in properties.keys() & self.target.aliases.keys():
            properties[name]["description"] = f"Also {_words(self.target.aliases[name])}."
        return schema | {"properties": properties}


class EndpointSchema(AutoSchema):
    """One operation: what a row of `api/urls.py` says of its endpoint."""

    def __init__(self, row: "Row") -> None:
        super().__init__()
        self.row = row

    @property
    def tail(self) -> str:
        return self.path.removeprefix(PREFIX)

    def get_operation_id(self) -> str:
        name = re.sub(r"\W+", "_", self.tail).strip("_")
        return f"{self.method.lower()}_{name}" if len(self.row.methods) > 1 else name

    def get_summary(self) -> str:
        return str(self.row.capability.label) if self.row.capability else _title(self.row.handle.__name__) + ", public"

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        codes = "\n".join(f"| {json.dumps(code.value.number)} | {code.value.message} |" for code in own_codes(self.row))
        same = f"The same as `{PREFIX}{self.row.paths[0]}`." if self.tail != self.row.paths[0] else ""
        return f"{same}\n\n| Code | Message |\n|---|---|\n{codes}".strip()

    def get_tags(self) -> list[str]:
        module = self.row.handle.__module__.rsplit(".", 1)[-1]
        return [SECTIONS.get(module) or _title(module)]

    def get_auth(self) -> list[Any]:
        return [{name: []} for name in SECURITY_SCHEMES] if self.row.capability else [{}]

    def get_override_parameters(self) -> list[Any]:
        in_path = re.findall(r"{(\w+)}", self.path)
        found: list[Any] = [OpenApiParameter(name, str, OpenApiParameter.PATH) for name in in_path]
        if self.method == "GET":
            found += [self.row.params, *(OpenApiParameter(name, exclude=True) for name in ("api_key", *in_path))]
        return found + ([IDEMPOTENCY_KEY] if self.row.changes else [])

    def get_request_serializer(self) -> type[Params]:
        return self.row.params

    def get_response_serializers(self) -> Any:
        by_status: dict[int, list[Code]] = {HTTPStatus.OK: []}
        for code in codes_of(self.row, self.method):
            by_status.setdefault(int(code.value.http_status), []).append(code)
            if code in TAKEN_FOR_SUCCESS:
                by_status.setdefault(HTTPStatus.UNPROCESSABLE_ENTITY, []).append(code)
        found: dict[Any, OpenApiResponse] = {
            status: _response(status, codes) for status, codes in sorted(by_status.items())
        }
        if issubclass(get_type_hints(self.row.handle)["return"], HttpResponseBase):
            found[(HTTPStatus.OK.value, "application/octet-stream")] = OpenApiResponse(FILE)
        return found


def own_codes(row: "Row") -> tuple[Code, ...]:
    """What this endpoint answers and not all do."""
    return answers.answers_of(row.handle)


def codes_of(row: "Row", method: str) -> Iterable[Code]:
    """Every code of this endpoint, each once."""
    shared = answers.ANY_CALLER + (answers.WITH_API_KEY if row.capability else ())
    shared += answers.WITH_BODY if method == "POST" else ()
    shared += answers.WITH_IDEMPOTENCY_KEY if row.changes else ()
    in_path = (Code.UNKNOWN_ENDPOINT,) if any("<" in path for path in row.paths) else ()
    return dict.fromkeys((*own_codes(row), *shared, *in_path))


def keep_endpoints(endpoints: list[Any], **_: Any) -> list[Any]:
    """Of all views of REST framework, those of the table."""
    return [endpoint for endpoint in endpoints if isinstance(endpoint[3].cls.schema, EndpointSchema)]


def add_components(result: Json, **_: Any) -> Json:
    result["info"]["description"] = DESCRIPTION.strip()
    components = result.setdefault("components", {})
    components["schemas"] = components.get("schemas", {}) | {"Envelope": ENVELOPE, "Code": _table_of_codes()}
    components["securitySchemes"] = SECURITY_SCHEMES
    return result


@functools.cache
def make_document() -> bytes:
    """The document as JSON. It depends on the code alone, so each process makes it once."""
    document = SchemaGenerator().get_schema(public=True)  # type: ignore[no-untyped-call]
    return json.dumps(document, default=str).encode()


def show_document(request: HttpRequest) -> HttpResponse:
    return HttpResponse(make_document(), content_type="application/json")


def _table_of_codes() -> Json:
    rows = [{"const": code.value.number, "title": code.value.message} for code in Code]
    return {"description": "Every code with its message. 400 is a text, all others are numbers.", "oneOf": rows}


def _response(status: int, codes: Iterable[Code]) -> OpenApiResponse:
    texts = " · ".join(f"{json.dumps(code.value.number)} {code.value.message}" for code in codes)
    description = "One of the codes above." if status == HTTPStatus.OK else texts
    return OpenApiResponse({"$ref": "#/components/schemas/Envelope"}, description=description)


def _words(names: Iterable[str]) -> str:
    return ", ".join(f"`{name}`" for name in names)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
