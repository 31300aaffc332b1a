"""S29: hostile values in every parameter of every endpoint. No 5xx, a clear sealed answer, nothing changed."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from licenses.api.urls import ENDPOINTS
from licenses.models import AuditEvent, LicenseKey
from tests.factories import ActivationFactory, LicenseKeyFactory
from tests.protocol import Portal

pytestmark = [pytest.mark.django_db, pytest.mark.statement("S29")]

PARAMETERS = {row.capability.value: [*row.params().fields, "api_key"] for row in ENDPOINTS}
CORPUS = [
    "' OR 1=1 --",
    '"; DROP TABLE licenses_licensekey; --',
    "%' AND SLEEP(5) AND '%'='",
    "a\x00b",
    "\x00",
    "\x1b[2J",
    "line\nbreak",
    "\ud800",
    "\udfff tail",
    "\u202egnp.exe",
    "\u200f\u200e",
    "\ufeff",
    "\ufffe",
    "😀" * 200,
    "A" * 100_000,
    "../../etc/passwd",
    "{{7*7}}",
    "${jndi:ldap://x}",
    "<script>alert(1)</script>",
    "=cmd|' /C calc'!A0",
    10**30,
    -1,
    0,
    1e308,
    -0.0,
    True,
    False,
    None,
    [],
    ["a"],
    {},
    {"a": {"b": {}}},
    [[[[[]]]]],
    {"$gt": ""},
]
PAIRS = [(path, name) for path, names in PARAMETERS.items() for name in names]


def state() -> tuple[object, ...]:
    """Everything that a refused call must leave as it was."""
    keys = list(LicenseKey.objects.order_by("pk").values())
    activations = list(ActivationFactory._meta.model.objects.order_by("pk").values("identifier", "deactivated_at"))
    return keys, activations, AuditEvent.objects.count()


def as_json(portal, path, params, *, hostile):
    headers = {"Authorization": ""} if hostile == "api_key" else {}
    return portal.json(path, params, **headers)


def as_form(portal, path, params, *, hostile):
    """A form carries texts only, and no lone surrogates."""
    value = params[hostile]
    text = value.encode("utf-8", "replace").decode() if isinstance(value, str) else json.dumps(value)
    return portal(path, **(params | {hostile: text}))


@pytest.mark.parametrize(("path", "name"), PAIRS, ids=lambda value: value)
def test_no_hostile_value_gets_through(portal, path, name):
    """One parameter hostile, the others good: as JSON, and as a form where the value is a text."""
    activation = ActivationFactory(license_key__activation_limit=0)
    good = {
        "license_key": activation.license_key.license_key,
        "identifier": activation.identifier,
        "key": "name",
        "value": "value",
    }
    if path == "assign-license-key":
        good["license_key"] = LicenseKeyFactory().license_key
    for value in CORPUS:
        for send in (as_json, as_form):
            before = state()
            answer = send(portal, path, good | {name: value}, hostile=name)
            assert portal.http.status_code < 500, (value, answer)
            if answer["code"] in (100, 162, 210, 215, 801):
                assert state() == before, (value, answer)
            if answer["code"] == 162:
                assert list(answer["errors"]) == [name], "the answer names the parameter"


@pytest.mark.parametrize("path", PARAMETERS)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_no_generated_body_gets_a_5xx(portal, path, data):
    values = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.lists(st.text())
    body = data.draw(st.dictionaries(st.sampled_from(PARAMETERS[path]) | st.text(), values))
    answer = portal.json(path, json.dumps(body))
    assert portal.http.status_code < 500, (body, answer)


@pytest.mark.parametrize("path", PARAMETERS)
@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.binary(max_size=200))
def test_no_generated_bytes_get_a_5xx(portal, path, body):
    for content_type in (
        "application/json",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=b",
        "application/json; charset=utf-16",
    ):
        http = portal.client.generic("POST", f"/v1/{path}", body, content_type=content_type)
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
