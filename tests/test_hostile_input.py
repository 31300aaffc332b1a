"""S29: hostile values in every parameter of every endpoint. No 5xx, a clear sealed answer, nothing changed."""

import json
from urllib.parse import quote

import pytest
from django.db import transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from licenses import models
from licenses.api import sdk
from licenses.api.urls import ENDPOINTS
from tests.factories import ActivationFactory, ContractFactory, GeneratorFactory, LicenseKeyFactory
from tests.hostile import CLASSES, CORPUS, TEXT_CLASSES, one_of_each
from tests.protocol import READS, Portal, in_query

pytestmark = [pytest.mark.django_db, pytest.mark.statement("S29")]

ROWS = [row for row in ENDPOINTS if row.capability]
PARAMETERS = {row.capability.value: [*row.params().fields, "api_key"] for row in ROWS}
INVALID = {row.capability.value: row.params.invalid.value.number for row in ROWS}
SUCCESSES = {code.value.number for code in sdk.SUCCESSES}
TAKES_ANYTHING = {"send-telemetry-data"}  # what is malformed there is stored as it came
IN_PATHS = [(row.methods[0], path) for row in ENDPOINTS for path in row.paths if "<" in path]
TURNS = {pair: turn for turn, pair in enumerate((path, name) for path, names in PARAMETERS.items() for name in names)}


def state() -> int:
    """What a refused call must leave as it was: every change has its audit row, as other tests show."""
    return models.AuditEvent.objects.count()


def good_parameters() -> dict[str, object]:
    """A value for every parameter of every endpoint, with the rows that they name."""
    activation = ActivationFactory(license_key__activation_limit=0)
    found = activation.license_key
    models.LicenseKeyMetadata.objects.create(license_key=found, name="name", value="value")
    GeneratorFactory(product=found.product)
    return {
        "license_key": found.license_key,
        "license_keys": ["NEW-1"],
        "identifier": activation.identifier,
        "name": "Product",
        "description": "A product",
        "key": "name",
        "value": "value",
        "product_id": found.product_id,
        "quantity": 1,
        "contract_key": ContractFactory(product=found.product).contract_key,
        "webhook_url": "https://shop.example/",
    }


def as_json(portal, path, params, *, hostile):
    headers = {"Authorization": ""} if hostile == "api_key" else {}
    return portal.json(path, params, **headers)


def as_form(portal, path, params, *, hostile):
    """A form carries texts only, and no lone surrogates."""
    return portal(path, **in_query(params))


@pytest.mark.parametrize("path", PARAMETERS)
def test_no_hostile_value_gets_through(portal, path, settings):
    """One parameter hostile, the others good: as JSON, and as a form where the value is a text."""
    settings.PRODUCT_SIGNING_KEYS = False
    good, before = good_parameters(), state()
    for name in PARAMETERS[path]:
        turn = TURNS[path, name]
        sent = [(as_json, value) for value in one_of_each(CLASSES, turn)]
        if path not in READS:
            sent += [(as_form, value) for value in one_of_each(TEXT_CLASSES, turn)]
        for send, value in sent:
            with transaction.atomic():
                check_one(portal, path, good | {name: value}, name, send, before)
                transaction.set_rollback(True)


def test_every_value_has_its_turn():
    sent = [value for turn in TURNS.values() for value in one_of_each(CLASSES, turn)]
    assert {repr(value) for value in sent} == {repr(value) for value in CORPUS}


def check_one(portal, path, params, name, send, before):
    answer = send(portal, path, params, hostile=name)
    context = (name, params[name], answer)
    assert portal.http.status_code < 500, context
    if answer["code"] == INVALID[path]:
        assert name in answer["errors"], (context, "the answer names the parameter")
    if answer["code"] not in SUCCESSES and path not in TAKES_ANYTHING:
        assert state() == before, context


@pytest.mark.parametrize(("method", "path"), IN_PATHS)
def test_no_hostile_value_in_a_path_gets_through(portal, method, path):
    for value in CORPUS:
        text = quote(value if isinstance(value, str) else json.dumps(value), safe="", errors="replace")
        before = state()
        filled = "/".join(text[:2000] if "<" in part else part for part in path.split("/"))
        http = portal.client.generic(method.upper(), f"/api/v1/{filled}")
        answer = portal.read(http)
        assert http.status_code < 500, (value, answer)
        assert state() == before


@pytest.mark.parametrize("path", PARAMETERS)
@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_generated_body_gets_a_5xx(portal, path, data):
    values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.text())
    body = data.draw(st.dictionaries(st.sampled_from(PARAMETERS[path]) | st.text(), values))
    answer = portal.json(path, json.dumps(body))
    assert portal.http.status_code < 500, (body, answer)


@pytest.mark.parametrize("path", PARAMETERS)
@settings(max_examples=3, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_no_generated_bytes_get_a_5xx(portal, path, body):
    for content_type in (
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "application/json; charset=utf-16",
    ):
        http = portal.client.generic("GET" if path in READS else "POST", f"/v1/{path}", body, content_type=content_type)
        portal.read(http)
        assert http.status_code < 500


def test_a_value_that_looks_like_markup_stays_text(portal):
    """S33's other half is the admin's: here it is stored and answered unchanged."""
    key = LicenseKeyFactory()
    name = "<script>alert(1)</script>"
    assert portal("assign-license-key", license_key=key.license_key, owner_name=name)["code"] == 800
    key.refresh_from_db()
    assert key.owner.name == name


def test_a_bad_api_key_never_reaches_the_parameters(client, global_key):
    portal = Portal(client, "nonsense")
    for path in PARAMETERS:
        assert portal(path, license_key="\x00", identifier="\x00" * 10)["code"] == 100
