"""S42: requests made from the OpenAPI document, valid and not, against the running server."""

import json
import time
from contextlib import suppress

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import CHECKS, load_all_checks

from licenses.api.schema import codes_of, make_document
from licenses.api.urls import ENDPOINTS
from tests.factories import ActivationFactory, ContractFactory, GeneratorFactory, LicenseKeyFactory, api_key_text
from tests.server import running_portal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server, pytest.mark.statement("S42")]

SECONDS = 6  # in all; then the operations that are left get one example each
EXAMPLES = 5  # of an operation, valid ones and as many that are not
ROWS = {path: row for row in ENDPOINTS for path in row.paths}
PROFILE = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=True,
    phases=[Phase.generate],
    suppress_health_check=list(HealthCheck),
)


def documented_code(context, response, case) -> None:
    """What stands in `response` is among the codes of the operation's description."""
    if response.headers["content-type"] == ["application/json"]:
        row = ROWS[case.operation.path.removeprefix("/api/v1/").replace("{", "<").replace("}", ">")]
        code = json.loads(response.content)["response"]["code"]
        assert code in {code.value.number for code in codes_of(row, case.method)} | {166}, f"{code} is not documented"


load_all_checks()
NAMED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
)
CHOSEN = [*CHECKS.get_by_names(NAMED), documented_code]


def fuzz(operation, mode, call, examples: int) -> None:
    @settings(PROFILE, max_examples=examples)
    @given(case=operation.as_strategy(generation_mode=mode))
    def attempt(case):
        case.validate_response(call(case), checks=CHOSEN)

    with suppress(Unsatisfiable):  # nothing that an operation without parameters gets is invalid
        attempt()


def test_no_request_finds_an_undocumented_answer(global_key):
    found = LicenseKeyFactory(assigned=True)
    ActivationFactory(license_key=found)
    ContractFactory(product=found.product), GeneratorFactory(product=found.product)
    headers = {"Authorization": f"Bearer {api_key_text()}"}
    schema = schemathesis.openapi.from_dict(json.loads(make_document()))
    operations = [result.ok() for result in schema.get_all_operations()]
    assert len(operations) >= len(ROWS)
    with running_portal() as server, requests.Session() as session:
        started, count = time.monotonic(), 0

        def call(case):
            nonlocal count
            count += 1
            return case.call(base_url=server.url, headers=headers, session=session)

        for operation in operations:
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                fuzz(operation, mode, call, EXAMPLES if time.monotonic() - started < SECONDS else 1)
                print(operation.path, mode, count, round(time.monotonic() - started, 1))
    assert count >= 2 * len(operations)
