"""The OpenAPI document and the reference made of it: every endpoint, every answer, and nothing from the internet."""

import json
import re

import pytest
from django.core.management import call_command
from drf_spectacular.validation import validate_schema

from licenses.api.urls import ENDPOINTS
from licenses.codes import Code
from tests.protocol import ANSWERS

PATHS = {path: row for row in ENDPOINTS for path in row.paths}


@pytest.fixture(scope="module")
def document():
    from licenses.api.schema import make_document

    return json.loads(make_document())


def resolve(document, reference: str):
    found = document
    for name in reference.removeprefix("#/").split("/"):
        found = found[name]
    return found


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield path.removeprefix("/api/v1/"), method, operation


@pytest.mark.statement("S42")
def test_it_lists_every_route_of_the_table_and_nothing_else(document):
    listed = {(re.sub(r"{(\w+)}", r"<\1>", path), method) for path, method, _ in operations(document)}
    plain = {(re.sub(r"<\w+:", "<", path), method) for path, row in PATHS.items() for method in row.methods}
    assert listed == plain


def test_it_is_valid(document):
    assert document["openapi"] == "3.1.0"
    validate_schema(document)


def test_the_generator_has_nothing_to_complain_about(tmp_path):
    call_command("spectacular", "--validate", "--fail-on-warn", "--file", str(tmp_path / "openapi.yaml"))


@pytest.mark.parametrize("code", Code)
def test_every_code_is_in_it_with_its_message(document, code):
    rows = document["components"]["schemas"]["Code"]["oneOf"]
    found = [
        row["title"]
        for row in rows
        if row["const"] == code.value.number and type(row["const"]) is type(code.value.number)
    ]
    assert found == [code.value.message]


@pytest.mark.parametrize("path", PATHS)
def test_every_operation_says_what_it_answers(document, path):
    row = PATHS[path]
    assert ANSWERS[row.paths[0]], "its function has no @answers"
    operation = document["paths"]["/api/v1/" + re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", path)][row.methods[0]]
    for code in ANSWERS[row.paths[0]]:
        assert f"| {json.dumps(code.value.number)} | {code.value.message} |" in operation["description"]
        assert str(int(code.value.http_status)) in operation["responses"]


def test_every_code_belongs_to_an_endpoint_or_to_all():
    from licenses.api import answers

    shared = {*answers.ANY_CALLER, *answers.WITH_API_KEY, *answers.WITH_BODY, *answers.WITH_IDEMPOTENCY_KEY}
    own = {code for codes in ANSWERS.values() for code in codes}
    assert set(Code) - shared - own == {Code.METHOD_NOT_ALLOWED, Code.UNKNOWN_ENDPOINT}, "no operation answers these"


def test_an_operation_names_its_parameters_and_their_other_names(document):
    body = document["paths"]["/api/v1/activate"]["post"]["requestBody"]["content"]
    assert list(body) == ["application/x-www-form-urlencoded", "application/json"]
    fields = resolve(document, body["application/json"]["schema"]["$ref"])["properties"]
    assert {"license_key", "identifier", "post_url", "api_key"} <= set(fields)
    assert "`hardwareId`" in fields["identifier"]["description"]


def test_an_operation_says_how_to_authenticate(document):
    schemes = set(document["components"]["securitySchemes"])
    for path, _, operation in operations(document):
        row = PATHS[re.sub(r"{(\w+)}", r"<\1>", path)] if "{" not in path else None
        if row and row.capability:
            assert {name for need in operation["security"] for name in need} == schemes, path


def test_what_changes_something_takes_an_idempotency_key(document):
    for path, _, operation in operations(document):
        row = next(row for known, row in PATHS.items() if re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", known) == path)
        headers = [found["name"] for found in operation.get("parameters", []) if found["in"] == "header"]
        assert headers == (["Idempotency-Key"] if row.changes else []), path


def test_a_download_is_a_file_or_an_answer(document):
    responses = document["paths"]["/api/v1/download/{token}"]["get"]["responses"]
    assert list(responses["200"]["content"]) == ["application/json", "application/octet-stream"]


def test_operation_ids_are_unique(document):
    names = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(names) == len(set(names))


def test_anybody_may_read_it(client):
    answer = client.get("/api/schema/")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/json")
    assert answer.json()["info"]["title"] == "Licensing portal"


def test_anybody_may_read_the_reference(client):
    page = client.get("/api/docs/")
    assert page.status_code == 200
    text = page.content.decode()
    assert "://" not in text, "everything comes from this server"
    assert "<script>" not in text and "style=" not in text and "<style" not in text, "nothing inline"
    script = client.get("/api/docs/?script=")
    assert script.headers["Content-Type"].startswith("application/javascript")


@pytest.mark.parametrize("path", ["/api/schema/", "/api/docs/"])
@pytest.mark.parametrize("query", ["?lang=%00", "?lang=de", "?version=%ff", "?format=html", "?script=%00&lang=<b>"])
def test_hostile_queries_do_nothing(client, path, query):
    assert client.get(path + query).status_code in (200, 404)
