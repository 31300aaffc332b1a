"""Envato purchase codes in verify and activate: 206 the first time, then a license key like any other."""

import threading
import uuid
from ipaddress import ip_network

import pytest
from django.core.cache import cache
from django.db import connection

from licenses.models import AuditEvent, LicenseKey
from licenses.services import envato, outgoing
from licenses.services.envato import add_purchase_code
from licenses.services.products import create_product
from tests.factories import ACTOR, GeneratorFactory, LicenseKeyFactory, ProductFactory
from tests.server import free_port
from tests.stand_ins import receiving

pytestmark = pytest.mark.django_db

CODE = "86781236-23d0-4b3c-7dfa-c1c147e0dece"
SALE = {
    "amount": "19.84",
    "sold_at": "2026-09-07T10:54:28+10:00",
    "license": "Regular License",
    "support_amount": "0.00",
    "supported_until": None,
    "item": {"id": 17022701, "name": "Photo Editor"},
    "buyer": "AlexJ",
    "purchase_count": 1,
}


@pytest.fixture(autouse=True)
def empty_cache():
    cache.clear()
    yield
    cache.clear()


@pytest.fixture
def market(settings):
    """A stand-in for Envato that knows CODE."""
    with receiving() as running:
        settings.OUTGOING_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
        settings.ENVATO_TOKEN, settings.ENVATO_API_URL = "token", running.url
        running.answers(200, SALE)
        yield running


@pytest.fixture
def product():
    return ProductFactory(source="envato", external_reference="17022701")


def verify(portal, code=CODE, endpoint="verify", **params):
    return portal(endpoint, license_key=code, identifier="shop.example", **params)


@pytest.mark.parametrize("endpoint", ["verify", "activate"])
def test_a_purchase_code_becomes_a_license_key(portal, market, endpoint):
    product = create_product(name="Photo Editor", source="envato", external_reference="17022701", actor=ACTOR)
    answer = verify(portal, endpoint=endpoint, email="alex@example.com")
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (206, "Envato purchase code added")
    assert (portal.http.status_code, portal.label) == (200, "product")
    (request,) = market.received
    assert (request.method, request.path) == ("GET", f"/v3/market/author/sale?code={CODE}")
    assert request.headers["Authorization"] == "Bearer token"
    found = LicenseKey.objects.get()
    assert (found.license_key, found.product, found.status) == (CODE, product, "assigned")
    assert (found.activation_limit, found.validity_days, found.expires_at) == (1, 0, None)
    assert (found.owner.name, found.owner.email) == ("AlexJ", "alex@example.com")
    assert not found.activations.exists()
    kinds = list(AuditEvent.objects.filter(object_type="licensekey").order_by("pk").values_list("kind", flat=True))
    assert kinds == ["license_key.created", "license_key.assigned"]
    assert not AuditEvent.objects.filter(actor="tests", kind__startswith="license_key").exists()


def test_afterwards_it_is_a_license_key_like_any_other(portal, market, product):
    assert [verify(portal)["code"] for _ in range(2)] == [206, 202]
    assert verify(portal, endpoint="activate")["code"] == 300
    assert verify(portal)["code"] == 200
    assert len(market.received) == 1


def test_its_terms_are_those_of_the_oldest_active_generator(portal, market, product):
    GeneratorFactory(product=product, activation_limit=9, is_active=False)
    GeneratorFactory(product=product, activation_limit=3, validity_days=365)
    GeneratorFactory(product=product, activation_limit=7)
    assert verify(portal)["code"] == 206
    found = LicenseKey.objects.get()
    assert (found.activation_limit, found.validity_days) == (3, 365)
    assert found.expires_at is not None


def test_without_an_email_the_owner_is_the_buyer(portal, market, product):
    market.answers(200, SALE | {"buyer": "Al\x00ex\ud800"})
    assert verify(portal, email="x" * 300)["code"] == 206, "an address that cannot be is left out"
    owner = LicenseKey.objects.get().owner
    assert (owner.name, owner.email) == ("Alex", "")


def test_it_asks_only_for_what_looks_like_a_purchase_code(portal, market, product):
    for text in ("AAAA-BBBB", "", CODE.upper(), CODE.replace("-", ""), f"{{{CODE}}}", f"urn:uuid:{CODE}", CODE[:-1]):
        assert verify(portal, text)["code"] == 210
    assert market.received == []


def test_it_asks_nothing_about_a_license_key_that_is_known(portal, market, product):
    for state, code in ((LicenseKeyFactory(), 201), (LicenseKeyFactory(assigned=True), 202)):
        assert verify(portal, state.license_key)["code"] == code
    assert market.received == []


def test_without_a_token_it_is_off(portal, market, product, settings):
    settings.ENVATO_TOKEN = ""
    assert verify(portal)["code"] == 210
    assert market.received == []


@pytest.mark.parametrize(
    "fields",
    [
        {"source": "internal", "external_reference": "17022701"},
        {"source": "envato", "external_reference": ""},
        {"source": "envato", "external_reference": "17022701", "status": "deleted"},
    ],
)
def test_without_a_product_of_envato_it_asks_nobody(portal, market, fields):
    ProductFactory(**fields)
    assert verify(portal)["code"] == 210
    assert market.received == []


def test_the_sale_of_another_item_is_210(portal, market, product):
    market.answers(200, SALE | {"item": {"id": 1}})
    answer = verify(portal)
    assert (answer["code"], portal.label) == (210, "global")
    assert not LicenseKey.objects.exists()


def test_what_envato_does_not_know_is_210_and_remembered(portal, market, product):
    market.answers(404, {"error": 404, "description": "No sale belonging to the current user found with that code"})
    assert [verify(portal)["code"] for _ in range(3)] == [210, 210, 210]
    assert len(market.received) == 1
    verify(portal, str(uuid.uuid4()))
    assert len(market.received) == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (401, {}),
        (403, {}),
        (429, {}),
        (500, {}),
        (302, b""),
        (200, b""),
        (200, b"<html>"),
        (200, []),
        (200, {}),
        (200, {"item": None}),
        (200, {"item": []}),
        (200, b"[" * 60_000),
        (200, b'{"item": {"id": 17022701}, "x": "' + b"x" * 100_000),
    ],
)
def test_what_envato_cannot_say_is_198(portal, market, product, status, body, caplog):
    """Not 210: that would call a paid license invalid."""
    market.answers(status, body)
    answer = verify(portal)
    assert (answer["code"], answer["message"]) == (198, "Service unavailable")
    assert portal.http.status_code == 503
    assert portal.http.headers["Retry-After"]
    assert not LicenseKey.objects.exists()
    assert "Envato cannot say" in caplog.text
    assert CODE not in caplog.text
    assert "token" not in caplog.text
    assert verify(portal)["code"] == 198
    assert len(market.received) == 1, "a service that fails is left alone for a while"
    cache.clear()
    market.answers(200, SALE)
    assert verify(portal)["code"] == 206


def test_envato_that_is_away_stops_nobody_else(portal, market, product, settings):
    settings.ENVATO_API_URL = f"http://127.0.0.1:{free_port()}"
    assert verify(portal)["code"] == 198
    assert verify(portal, LicenseKeyFactory(assigned=True).license_key)["code"] == 202
    assert verify(portal, "no-code")["code"] == 210


def test_it_is_198_with_an_idempotency_key_too_and_not_kept(portal, market, product):
    market.answers(500)
    body = {"license_key": CODE, "identifier": "shop.example"}
    headers = {"Idempotency-Key": "a"}
    assert portal.json("activate", body, **headers)["code"] == 198
    cache.clear()
    market.answers(200, SALE)
    codes = [portal.json("activate", body, **headers)["code"] for _ in range(3)]
    assert codes == [206, 300, 300], "adding is not kept under the key, so that the next call activates"
    assert LicenseKey.objects.count() == 1


@pytest.mark.statement("S30")
def test_the_operators_own_url_is_guarded_too(portal, market, product, settings):
    settings.OUTGOING_ALLOWED_NETWORKS = []
    assert verify(portal)["code"] == 198
    assert market.received == []


def test_envato_is_asked_outside_of_any_transaction(portal, market, product, monkeypatch):
    """With an Idempotency-Key too: while it is slow, others can write."""
    seen, ask = [], outgoing.get

    def look(*args, **kwargs):
        seen.append(len(connection.savepoint_ids))
        return ask(*args, **kwargs)

    monkeypatch.setattr(outgoing, "get", look)
    market.answers(200, SALE)
    before = len(connection.savepoint_ids)
    portal.json("activate", {"license_key": CODE, "identifier": "x"}, **{"Idempotency-Key": "b"})
    assert seen == [before]


def test_who_guesses_does_not_use_up_what_others_have(portal, market, product):
    market.answers(404)
    guesses = [verify(portal, str(uuid.uuid4()))["code"] for _ in range(envato.LOOK_UPS_A_CALLER + 2)]
    assert guesses[-2:] == [198, 198]
    market.answers(200, SALE)
    sent = {"api_key": portal.api_key, "license_key": CODE, "identifier": "x"}
    assert portal.read(portal.client.post("/v1/verify", sent, REMOTE_ADDR="203.0.113.9"))["code"] == 206


def test_guessing_is_not_passed_on(portal, market, product, monkeypatch):
    monkeypatch.setattr(envato, "LOOK_UPS_A_MINUTE", 3)
    market.answers(404)
    codes = [verify(portal, str(uuid.uuid4()))["code"] for _ in range(5)]
    assert codes == [210, 210, 210, 198, 198]
    assert len(market.received) == 3


def test_a_cache_that_is_away_stops_nobody(portal, market, product, monkeypatch):
    def away(*args, **options):
        raise ConnectionError

    for name in ("get", "set", "add", "incr"):
        monkeypatch.setattr(cache, name, away)
    assert verify(portal, str(uuid.uuid4()))["code"] == 206


def test_nobody_waits_for_envato_in_a_transaction(portal, market, product, monkeypatch):
    depths, get = [], outgoing.get
    before = len(connection.savepoint_ids)

    def watched(*args, **options):
        depths.append(len(connection.savepoint_ids))
        return get(*args, **options)

    monkeypatch.setattr(outgoing, "get", watched)
    for endpoint in ("verify", "activate"):
        verify(portal, str(uuid.uuid4()), endpoint=endpoint)
    assert depths == [before, before]


@pytest.mark.django_db(transaction=True)
def test_two_calls_at_once_make_one_license_key(market, product):
    """Both have asked Envato before either stores it."""
    both, added = threading.Barrier(2), []

    def answer(request):
        both.wait(timeout=10)
        return 200, {}, b'{"item": {"id": 17022701}, "buyer": "AlexJ"}'

    def call():
        try:
            added.append(add_purchase_code(license_key=CODE, owner_email="alex@example.com", actor=ACTOR))
        finally:
            connection.close()

    market.answer = answer
    threads = [threading.Thread(target=call) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    found = LicenseKey.objects.get()
    assert added == [found, found]
    assert AuditEvent.objects.filter(kind="license_key.assigned").count() == 1
    assert AuditEvent.objects.filter(kind="owner.created").count() == 1
