"""The OpenAPI document of the v1 protocol, made from the table of endpoints and the table of answers."""

import functools
import json
import re
from collections.abc import Iterable
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, get_type_hints

from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse

from licenses.api import answers, schema_params
from licenses.api.fields import Params
from licenses.api.schema_parts import (
    DESCRIPTION,
    ENVELOPE,
    ENVELOPE_REF,
    FILE,
    IDEMPOTENCY_KEY,
    NONCE,
    SECURITY_SCHEMES,
    Json,
    answer_examples,
    callback,
    request_examples,
)
from licenses.api.sdk import TAKEN_FOR_SUCCESS
from licenses.codes import Code
from licenses.models import Capability

if TYPE_CHECKING:
    from licenses.api.urls import Row

PREFIX = "/api/v1/"
OTHER_PATHS = "Other paths"
MEDIA_TYPES = ("application/x-www-form-urlencoded", "application/json")
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


class EndpointSchema(AutoSchema):
    """One operation: what a row of `api/urls.py` says of its endpoint."""

    def __init__(self, row: "Row") -> None:
        super().__init__()
        self.row = row

    @property
    def tail(self) -> str:
        return self.path.removeprefix(PREFIX)

    @property
    def in_path(self) -> list[str]:
        """The parameters that stand in the path."""
        return re.findall(r"{(\w+)}", self.path)

    def is_deprecated(self) -> bool:
        """Whether this is another path of an endpoint, for programs that know it by that."""
        return self.tail != re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", self.row.paths[0])

    def get_operation_id(self) -> str:
        name = re.sub(r"\W+", "_", self.tail).strip("_")
        return f"{self.method.lower()}_{name}" if len(self.row.methods) > 1 else name

    def get_summary(self) -> str:
        if self.is_deprecated():
            return f"Another path of {self.row.paths[0]}"
        return str(self.row.capability.label) if self.row.capability else _title(self.row.handle.__name__) + ", public"

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular has it
        codes = "\n".join(f"| {json.dumps(code.value.number)} | {code.value.message} |" for code in own_codes(self.row))
        same = f"The same as `{PREFIX}{self.row.paths[0]}`." if self.is_deprecated() else ""
        return f"{same}\n\n| Code | Message |\n|---|---|\n{codes}".strip()

    def get_tags(self) -> list[str]:
        module = self.row.handle.__module__.rsplit(".", 1)[-1]
        return [OTHER_PATHS if self.is_deprecated() else SECTIONS.get(module) or _title(module)]

    def get_auth(self) -> list[Any]:
        return [{name: []} for name in SECURITY_SCHEMES] if self.row.capability else [{}]

    def get_override_parameters(self) -> list[Any]:
        found: list[Any] = [
            OpenApiParameter(name, str, OpenApiParameter.PATH, description=schema_params.ABOUT.get(name, ""))
            for name in self.in_path
        ]
        if self.method == "GET":
            found += [self.row.params, OpenApiParameter("api_key", exclude=True)]
        return found + ([IDEMPOTENCY_KEY] if self.row.changes else [])

    def get_examples(self) -> list[Any]:
        if self.is_deprecated():
            return []
        success = {code.value.number for code in own_codes(self.row)[:1]}
        name = self.row.paths[0]
        return answer_examples(name) + request_examples(name, success, MEDIA_TYPES)

    def get_operation(self, *arguments: Any) -> Json | None:
        operation: Json | None = super().get_operation(*arguments)
        if operation and self.row.capability is Capability.RANDOM_ASSIGN_QUEUED:
            operation["callbacks"] = callback()
        return operation

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
    tags = dict.fromkeys(tag for path in result["paths"].values() for one in path.values() for tag in one["tags"])
    aside = {"name": OTHER_PATHS, "description": "The same endpoints, for programs that know them by these paths."}
    result["tags"] = [*({"name": tag} for tag in tags if tag != OTHER_PATHS), aside]
    components = result.setdefault("components", {})
    components["schemas"] = components.get("schemas", {}) | {"Envelope": ENVELOPE, "Code": _table_of_codes()}
    components["securitySchemes"] = SECURITY_SCHEMES
    components["parameters"] = {"Nonce": NONCE}
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
    return OpenApiResponse(ENVELOPE_REF, description=description)


def _title(name: str) -> str:
    return name.replace("_", " ").capitalize()
