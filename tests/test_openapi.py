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


def described(document):
    """Every parameter: where it stands, its name and what is said of it."""
    for name, schema in document["components"]["schemas"].items():
        for field, found in schema.get("properties", {}).items():
            if "$ref" not in found:
                yield name, field, found
    for path, _, operation in operations(document):
        for found in operation.get("parameters", []):
            yield path, found["name"], found


def test_every_parameter_says_what_it_is(document):
    silent = [(where, name) for where, name, found in described(document) if not found.get("description")]
    assert silent == []


@pytest.mark.parametrize("row", ENDPOINTS, ids=lambda row: row.paths[0])
def test_what_a_call_needs_are_parameters_of_it(row):
    params = row.params()
    assert set(params.needed) <= set(params.fields)
    assert not any(field.required for field in params.fields.values()), "what is missing is a code, not a bad request"


def body_of(document, path):
    content = document["paths"][f"/api/v1/{path}"]["post"]["requestBody"]["content"]["application/json"]
    return resolve(document, content["schema"]["$ref"])


def test_an_operation_says_what_it_needs(document):
    assert body_of(document, "verify")["required"] == ["license_key", "identifier"]
    assert body_of(document, "create-product")["required"] == ["name", "description"]
    assert body_of(document, "random-assign-license-keys-queued")["required"] == ["product_id", "webhook_url"]
    assert body_of(document, "licenses/{license_key}/offline-file")["required"] == ["identifier"]
    parameters = document["paths"]["/api/v1/get-product"]["get"]["parameters"]
    assert [found["name"] for found in parameters if found.get("required")] == ["product_id"]


def test_words_flags_and_numbers_have_their_limits(document):
    fields = body_of(document, "create-license-keys")["properties"]
    assert fields["status"]["enum"] == ["available", "assigned", "reserved", "blocked"]
    assert (fields["validity"]["minimum"], fields["validity"]["maximum"]) == (0, 36525)
    fields = body_of(document, "create-product")["properties"]
    assert (fields["status"]["enum"], fields["status"]["default"]) == (["active", "inactive"], "active")
    assert (fields["changelog_enabled"]["enum"], fields["changelog_enabled"]["default"]) == ([0, 1], 0)
    assert "default" not in body_of(document, "update-product")["properties"]["status"], "not sent: it stays"


def test_no_docstring_of_the_house_is_in_it(document):
    text = json.dumps(document)
    assert "unknown names are ignored. `aliases` maps" not in text
    assert "description" in body_of(document, "verify")
    assert "description" not in body_of(document, "activate"), "a docstring is about its own class"


def test_documented_answers_are_its_examples(document):
    operation = document["paths"]["/api/v1/random-assign-license-keys"]["post"]
    examples = operation["responses"]["200"]["content"]["application/json"]["examples"].values()
    by_code = {example["value"]["response"]["code"]: example for example in examples}
    assert list(by_code) == [805, 806, 802, 803]
    assert by_code[803]["summary"] == "803: A license key of the stock is assigned"
    assert list(by_code[803]["value"]) == ["response", "response_base64", "private_key_used", "signature"]
    [sent] = operation["requestBody"]["content"]["application/json"]["examples"].values()
    assert sent["value"]["quantity"] and "api_key" not in sent["value"]


def test_it_can_be_made_without_the_examples(settings, tmp_path):
    from licenses.api import schema, schema_parts

    settings.BASE_DIR = tmp_path
    schema_parts.read_examples.cache_clear()
    try:
        document = json.loads(schema.make_document.__wrapped__())
    finally:
        schema_parts.read_examples.cache_clear()
    assert (
        "examples" not in document["paths"]["/api/v1/verify"]["post"]["responses"]["200"]["content"]["application/json"]
    )


def test_it_says_what_is_posted_to_a_webhook(document):
    operation = document["paths"]["/api/v1/random-assign-license-keys-queued"]["post"]
    posted = operation["callbacks"]["result"]["{$request.body#/webhook_url}"]["post"]
    content = posted["requestBody"]["content"]["application/json"]
    assert list(content["schema"]["properties"]) == ["headers", "original", "exception"]
    example = content["examples"]["assigned"]["value"]
    assert (example["headers"], example["exception"]) == ({}, None)
    assert list(example["original"]["response"])[:4] == ["code", "message", "identifier", "license_keys"]
    assert "2XX" in posted["responses"]


def test_another_path_of_an_endpoint_stands_aside(document):
    for path, _, operation in operations(document):
        first = next(
            row.paths[0] for known, row in PATHS.items() if re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", known) == path
        )
        is_other = path != re.sub(r"<(\w+)>", r"{\1}", first)
        assert operation.get("deprecated", False) is is_other, path
        assert (operation["tags"] == ["Other paths"]) is is_other
    assert document["tags"][-1]["name"] == "Other paths"
    assert document["paths"]["/api/v1/licenses/verify"]["post"]["summary"] == "Another path of verify"


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
