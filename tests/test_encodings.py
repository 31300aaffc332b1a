"""How a request may be written (protocol, 1.2 and 1.3): form, multipart, JSON, query; the API key in four places."""

import json

import pytest

from tests.factories import ActivationFactory, LicenseKeyFactory, api_key_text

pytestmark = pytest.mark.django_db


@pytest.fixture
def sent():
    activation = ActivationFactory(identifier="domain.ltd")
    return {"license_key": activation.license_key.license_key, "identifier": "domain.ltd"}


def urlencoded(client, path, params, **options):
    from urllib.parse import urlencode

    return client.post(path, urlencode(params), content_type="application/x-www-form-urlencoded", **options)


def test_a_form(portal, sent):
    http = urlencoded(portal.client, "/api/v1/verify", sent | {"api_key": portal.api_key})
    assert portal.read(http)["code"] == 200


def test_multipart(portal, sent):
    assert portal("verify", **sent)["code"] == 200


def test_json_with_a_bearer_header(portal, sent):
    assert portal.json("verify", sent)["code"] == 200


def test_json_with_the_api_key_in_the_body(portal, sent):
    body = sent | {"api_key": portal.api_key}
    assert portal.json("verify", body, Authorization="")["code"] == 200


def test_a_query_on_a_post(portal, sent):
    http = portal.client.post("/api/v1/verify", query_params=sent | {"api_key": portal.api_key})
    assert portal.read(http)["code"] == 200


def test_the_body_wins_over_the_query(portal, sent):
    http = portal.client.post("/api/v1/verify", sent | {"api_key": portal.api_key}, query_params={"identifier": "x"})
    assert portal.read(http)["code"] == 200


def test_an_x_api_key_header(portal, sent):
    http = portal.client.post("/api/v1/verify", sent, headers={"X-API-Key": portal.api_key})
    assert portal.read(http)["code"] == 200


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_header_wins_over_the_body(portal, sent, scheme):
    """D14, both ways round."""
    body = json.dumps(sent | {"api_key": "wrong"})
    good = {"Authorization": f"{scheme} {portal.api_key}"}
    http = portal.client.post("/api/v1/verify", body, content_type="application/json", headers=good)
    assert portal.read(http)["code"] == 200
    assert portal.json("verify", sent | {"api_key": portal.api_key}, Authorization="Bearer wrong")["code"] == 100


def test_another_kind_of_authorization_is_passed_over(portal, sent):
    body = sent | {"api_key": portal.api_key}
    assert portal.json("verify", body, Authorization="Basic dXNlcjpwdw==")["code"] == 200


def test_a_json_content_type_with_an_empty_body_is_no_parameters(portal):
    assert portal.json("verify", b"")["code"] == 210


def test_numbers_come_as_json_numbers_or_as_text(portal):
    activation = ActivationFactory(identifier="12135644")
    sent = {"license_key": activation.license_key.license_key}
    assert portal.json("verify", sent | {"identifier": 12135644})["code"] == 200
    assert portal.json("verify", sent | {"identifier": "12135644"})["code"] == 200


def test_null_counts_as_missing(portal, sent):
    assert portal.json("verify", sent | {"identifier": None})["code"] == 215


def test_of_a_parameter_sent_twice_the_last_counts(portal, sent):
    http = portal.client.post("/api/v1/verify", sent | {"api_key": portal.api_key, "identifier": ["x", "domain.ltd"]})
    assert portal.read(http)["code"] == 200


def test_unknown_parameters_are_ignored(portal, sent):
    assert portal("verify", **sent, nonsense="1", idempotencyKey="x")["code"] == 200


def test_accept_headers_change_nothing(portal, sent):
    http = portal.client.post(
        "/api/v1/verify?format=html", sent | {"api_key": portal.api_key}, headers={"Accept": "text/html"}
    )
    assert portal.read(http)["code"] == 200


def test_white_space_around_an_api_key_does_not_matter(portal, sent):
    assert portal.read(portal.client.post("/v1/verify", sent | {"api_key": f" {portal.api_key} "}))["code"] == 200


def test_no_session_or_cookie_is_needed_or_made(portal, sent):
    portal("verify", **sent)
    assert not portal.http.cookies


def test_a_cross_site_check_does_not_stop_programs(global_key, sent):
    from django.test import Client

    from tests.protocol import Portal

    strict = Portal(Client(enforce_csrf_checks=True), api_key_text())
    assert strict("verify", **sent)["code"] == 200


def test_null_under_the_canonical_name_leaves_the_alias_its_place(portal):
    key = LicenseKeyFactory(assigned=True)
    body = {"license_key": None, "entitlement_key": key.license_key, "identifier": None, "hardwareId": "host"}
    assert portal.json("activate", body)["code"] == 300


@pytest.mark.statement("S29")
def test_bytes_that_are_no_text_are_162_and_not_all_the_same_identifier(portal):
    key = LicenseKeyFactory(assigned=True, activation_limit=0)
    for odd in (b"dev%80", b"dev%ff"):
        body = f"api_key={portal.api_key}&license_key={key.license_key}&identifier=".encode() + odd
        http = portal.client.generic("POST", "/v1/activate", body, content_type="application/x-www-form-urlencoded")
        answer = portal.read(http)
        assert (answer["code"], list(answer["errors"])) == (162, ["identifier"])
    assert not key.activations.exists()
