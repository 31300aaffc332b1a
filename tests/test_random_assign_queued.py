"""random-assign-license-keys-queued: promised at once, done by the worker, posted to the shop."""

import base64
import json
import socket
import struct
import time
from datetime import timedelta
from ipaddress import ip_network

import pytest
import time_machine
from django.db import OperationalError
from django.utils import timezone

from licenses import signing
from licenses.codes import Code, Refused
from licenses.models import AuditEvent, LicenseKey, QueuedAssignment
from licenses.services import outgoing, queued_assignments
from licenses.services.generators import find_generator
from licenses.services.queued_assignments import (
    Step,
    delay_after,
    is_given_up,
    queue_assignment,
    send_again,
    work_on_next,
)
from tests.factories import ACTOR, GeneratorFactory, LicenseKeyFactory, ProductFactory, QueuedAssignmentFactory
from tests.protocol import check_envelope
from tests.server import free_port
from tests.stand_ins import raw_server, read_request, receiving

pytestmark = pytest.mark.django_db

ENDPOINT = "random-assign-license-keys-queued"


@pytest.fixture(autouse=True)
def this_machine_is_allowed(settings):
    settings.OUTGOING_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]


@pytest.fixture
def product():
    return ProductFactory()


@pytest.fixture
def shop():
    with receiving() as running:
        yield running


def ask(portal, product, **params):
    sent = {
        "product_id": product.pk,
        "owner_name": "Test User",
        "owner_email": "email@domain.ltd",
        "quantity": "2",
        "generate": "1",
        "webhook_url": "https://shop.example/?keevault-webhook=secret",
        "identifier": "31",
    }
    return portal(ENDPOINT, **(sent | params))


def work(times=50):
    """What the worker does until nothing is due."""
    steps = []
    while worked := work_on_next(actor=ACTOR):
        steps.append(worked[1])
        assert len(steps) < times
    return steps


def queue(shop, product, **fields):
    return QueuedAssignmentFactory(product=product, webhook_url=f"{shop.url}/?key=secret", **fields)


# The request


def test_it_promises(portal, product):
    GeneratorFactory(product=product)
    answer = ask(portal, product)
    assert list(answer) == ["code", "message", "timestamp"]
    assert (answer["code"], answer["message"]) == (807, "Request Queued")
    assert (portal.http.status_code, portal.label) == (200, "global")
    queued = QueuedAssignment.objects.get()
    assert (queued.product, queued.quantity, queued.generate, queued.state) == (product, 2, True, "queued")
    assert (queued.owner_name, queued.owner_email, queued.identifier) == ("Test User", "email@domain.ltd", "31")
    assert queued.webhook_url == "https://shop.example/?keevault-webhook=secret"
    assert queued.requested_by.startswith("Tests")
    event = AuditEvent.objects.get(kind="assignment.queued")
    assert event.after == {"product": product.name, "quantity": 2, "identifier": "31"}
    assert "secret" not in f"{event.after}{event.object_label}"
    assert not LicenseKey.objects.exists()


def test_two_requests_alike_are_two(portal, product):
    """Two items of one order: the shop's identifier is the order's."""
    GeneratorFactory(product=product)
    assert [ask(portal, product)["code"], ask(portal, product)["code"]] == [807, 807]
    assert QueuedAssignment.objects.count() == 2


def test_one_request_sent_again_with_its_idempotency_key_is_one(portal, product):
    body = {"product_id": product.pk, "webhook_url": "https://shop.example/"}
    for _ in range(2):
        assert portal.json(ENDPOINT, body, **{"Idempotency-Key": "a"})["code"] == 807
    assert QueuedAssignment.objects.count() == 1


def test_it_resolves_no_name_and_calls_nobody(portal, product, monkeypatch):
    def fail(*args, **options):
        raise AssertionError("the request waits for nobody")

    monkeypatch.setattr(outgoing, "_resolve", fail)
    monkeypatch.setattr(outgoing, "_connect", fail)
    assert ask(portal, product, generate="0")["code"] == 807


def test_an_unknown_product_is_805_at_once(portal, product):
    for text in ("0", "999", "nothing", "", str(ProductFactory(status="deleted").pk)):
        answer = ask(portal, product, product_id=text)
        assert (answer["code"], answer["message"], list(answer)) == (
            805,
            "Product not found",
            ["code", "message", "timestamp"],
        )
    assert not QueuedAssignment.objects.exists()


def test_a_missing_generator_is_806_at_once(portal, product):
    GeneratorFactory(product=product, is_active=False)
    other = GeneratorFactory()
    for params in ({}, {"generator_uuid": other.pk}, {"generator_uuid": "x"}):
        answer = ask(portal, product, **params)
        assert (answer["code"], answer["message"]) == (806, "Generator not found")
    assert ask(portal, product, generate="0")["code"] == 807
    assert QueuedAssignment.objects.count() == 1


@pytest.mark.statement("S30")
@pytest.mark.parametrize(
    "url",
    [
        "",
        "shop.example/hook",
        "ftp://shop.example/",
        "file:///etc/passwd",
        "https://user:password@shop.example/",
        "http://169.254.169.254/latest/",
        "http://10.0.0.1/",
        "http://[::1]/",
        "http://3232235777/",
        "http://shop.example/" + "x" * 2000,
    ],
)
def test_a_webhook_url_that_cannot_be_called_is_162(portal, product, url):
    answer = ask(portal, product, generate="0", webhook_url=url)
    assert (answer["code"], list(answer["errors"])) == (162, ["webhook_url"])
    assert answer["errors"]["webhook_url"][0].endswith((".", "characters."))
    assert not QueuedAssignment.objects.exists()


@pytest.mark.parametrize("params", [{"quantity": "0"}, {"quantity": "x"}, {"generate": "2"}, {"identifier": "x" * 256}])
def test_other_parameters_that_cannot_be_are_162(portal, product, params):
    answer = ask(portal, product, **params)
    assert (answer["code"], list(answer["errors"])) == (162, list(params))


# The work


def test_it_assigns_and_posts_in_the_form_that_shops_read(portal, product, shop):
    GeneratorFactory(product=product, activation_limit=3, validity_days=365)
    ask(portal, product, webhook_url=f"{shop.url}/?keevault-webhook=secret")
    assert work() == [Step.ASSIGNED, Step.DELIVERED]
    (request,) = shop.received
    assert (request.method, request.path) == ("POST", "/?keevault-webhook=secret")
    assert request.headers["Content-Type"] == "application/json"
    assert list(request.json) == ["headers", "original", "exception"]
    assert (request.json["headers"], request.json["exception"]) == ({}, None)
    envelope = request.json["original"]
    check_envelope("application/json", envelope)
    assert envelope["private_key_used"] == "global"
    response = envelope["response"]
    assert list(response) == ["code", "message", "identifier", "license_keys", "timestamp"]
    assert (response["code"], response["message"]) == (803, "License keys assigned")
    assert response["identifier"] == "31"
    keys = LicenseKey.objects.order_by("pk")
    assert [item["license_key"] for item in response["license_keys"]] == [found.license_key for found in keys]
    assert {found.status for found in keys} == {"assigned"}
    assert {found.owner.email for found in keys} == {"email@domain.ltd"}
    queued = QueuedAssignment.objects.get()
    assert (queued.state, queued.code, queued.attempts, queued.problem) == ("delivered", 803, 1, "")
    assert timezone.now() - queued.delivered_at < timedelta(minutes=1)
    assert AuditEvent.objects.get(kind="assignment.delivered").after == {"state": "delivered", "attempts": 1}
    assert AuditEvent.objects.filter(kind="license_key.assigned", actor__startswith="Tests").count() == 2
    assert work() == []


def test_its_items_have_the_documented_fields_and_no_other(product, shop, global_key):
    """A shop stores an item as a row: one unknown field and it stores nothing."""
    LicenseKeyFactory(product=product)
    queue(shop, product, owner_name="Test User", owner_email="Not set")
    work()
    (item,) = shop.received[0].json["original"]["response"]["license_keys"]
    assert {name: type(value) for name, value in item.items()} == {
        "product_id": int,
        "license_key": str,
        "activation_limit": int,
        "validity": int,
        "status": str,
        "owner_name": str,
        "owner_email": str,
        "assigned_at": str,
        "contract_id": type(None),
        "updated_at": str,
        "created_at": str,
        "id": int,
        "meta_data": list,
    }
    assert " ".join(item) == (
        "product_id license_key activation_limit validity status owner_name owner_email assigned_at contract_id "
        "updated_at created_at id meta_data"
    )
    assert (item["owner_name"], item["owner_email"], item["meta_data"]) == ("Test User", "Not set", [])


def test_the_posted_bytes_are_the_ones_that_were_signed(product, shop, global_key):
    """Also where the database keeps no order of names."""
    LicenseKeyFactory(product=product)
    queue(shop, product, owner_name="Jö / Söhne")
    work()
    body = shop.received[0].body.decode("ascii")
    envelope = json.loads(body)["original"]
    assert signing.verify(envelope, global_key.public_key)
    assert f'"response":{signing.encode(envelope["response"])}' in body
    assert base64.b64decode(envelope["response_base64"]).decode() == signing.encode(envelope["response"])


def test_too_few_license_keys_are_posted_as_802(product, shop, global_key):
    LicenseKeyFactory(product=product)
    queue(shop, product, quantity=2, identifier="31")
    assert work() == [Step.REFUSED, Step.DELIVERED]
    response = shop.received[0].json["original"]["response"]
    assert list(response) == ["code", "message", "identifier", "available_quantity", "timestamp"]
    assert (response["code"], response["available_quantity"], response["identifier"]) == (802, 1, "31")
    assert LicenseKey.objects.get().status == "available"
    assert QueuedAssignment.objects.get().code == 802


def test_what_is_gone_meanwhile_is_posted_as_805_or_806(product, shop, global_key):
    generator = GeneratorFactory(product=product)
    queued = queue(shop, product, generate=True, generator_number=generator.pk)
    GeneratorFactory(product=product)
    generator.delete()
    assert work() == [Step.REFUSED, Step.DELIVERED]
    queued.refresh_from_db()
    assert queued.code == 806, "another generator would make license keys on other terms"
    queue(shop, product, generate=True)
    product.status = "deleted"
    product.save()
    assert work() == [Step.REFUSED, Step.DELIVERED]
    assert [request.json["original"]["response"]["code"] for request in shop.received] == [806, 805]


def test_it_uses_the_generator_that_was_named(portal, product, shop):
    GeneratorFactory(product=product, activation_limit=1)
    named = GeneratorFactory(product=product, activation_limit=7)
    assert ask(portal, product, generate="", generator_uuid=named.pk, webhook_url=shop.url)["code"] == 807
    assert QueuedAssignment.objects.get().generator_number == named.pk
    work()
    assert {found.activation_limit for found in LicenseKey.objects.all()} == {7}
    assert find_generator(str(named.pk)) == named


def test_one_that_crashes_keeps_no_other_one_waiting(product, shop, global_key, monkeypatch, caplog):
    crashing, other = queue(shop, product, quantity=666), queue(shop, product)
    LicenseKeyFactory(product=product)
    assign = queued_assignments.assign_from_stock_or_generate

    def crash(**arguments):
        if arguments["quantity"] == 666:
            raise RuntimeError("no luck")
        return assign(**arguments)

    monkeypatch.setattr(queued_assignments, "assign_from_stock_or_generate", crash)
    assert work() == [Step.CRASHED, Step.ASSIGNED, Step.DELIVERED]
    crashing.refresh_from_db()
    assert crashing.state == "queued"
    assert crashing.problem == "It could not be done (RuntimeError): the log says why."
    assert crashing.due_at > timezone.now() + timedelta(seconds=50)
    other.refresh_from_db()
    assert other.state == "delivered"
    assert "no luck" in caplog.text


def test_without_a_signing_key_nothing_is_assigned(product, shop):
    LicenseKeyFactory(product=product)
    queued = queue(shop, product)
    assert work() == [Step.CRASHED]
    queued.refresh_from_db()
    assert "ImproperlyConfigured" in queued.problem
    assert LicenseKey.objects.get().status == "available"


def test_a_database_that_is_away_is_no_crash_of_one(product, shop, global_key, monkeypatch):
    def away(*args, **arguments):
        raise OperationalError("gone")

    queue(shop, product)
    monkeypatch.setattr(queued_assignments, "assign_from_stock_or_generate", away)
    monkeypatch.setattr(QueuedAssignment, "save", away)
    with pytest.raises(OperationalError):
        work_on_next(actor=ACTOR)
    assert QueuedAssignment.objects.get().problem == ""


def test_a_time_out_of_one_keeps_no_other_waiting_and_is_tried_ever_more_rarely(product, shop, global_key, monkeypatch):
    def too_slow(**arguments):
        raise OperationalError("canceling statement due to statement timeout")

    queued = queue(shop, product)
    monkeypatch.setattr(queued_assignments, "assign_from_stock_or_generate", too_slow)
    for expected in (60, 60, 60, 80, 160):
        later(queued)
        assert work() == [Step.CRASHED]
        queued.refresh_from_db()
        assert abs((queued.due_at - timezone.now()).total_seconds() - expected) < 30


# The delivery


def later(queued, **changes):
    """As if its time had come."""
    QueuedAssignment.objects.filter(pk=queued.pk).update(due_at=timezone.now(), **changes)
    queued.refresh_from_db()


@pytest.mark.statement("R3")
def test_a_shop_that_is_down_gets_it_once_when_it_is_up_again(product, global_key):
    LicenseKeyFactory(product=product)
    port = free_port()
    queued = QueuedAssignmentFactory(product=product, webhook_url=f"http://127.0.0.1:{port}/")
    assert work() == [Step.ASSIGNED, Step.PUT_OFF]
    queued.refresh_from_db()
    assert (queued.state, queued.attempts, queued.problem) == ("delivering", 1, "The host refused the connection.")
    assert timedelta(seconds=6) < queued.due_at - timezone.now() < timedelta(seconds=13)
    with receiving(port) as shop:
        shop.answers(503)
        later(queued)
        assert work() == [Step.PUT_OFF]
        queued.refresh_from_db()
        assert (queued.attempts, queued.problem) == (2, "The shop answered with status 503.")
        assert work() == []
        later(queued)
        shop.answers(204)
        assert work() == [Step.DELIVERED]
        later(queued)
        assert work() == []
        bodies = [request.body for request in shop.received]
        assert len(bodies) == 2
        assert len(set(bodies)) == 1, "each time the same bytes"
    queued.refresh_from_db()
    assert (queued.state, queued.attempts, queued.problem) == ("delivered", 3, "")


@pytest.mark.statement("R3")
def test_after_three_days_it_is_given_up(product, shop, global_key):
    LicenseKeyFactory(product=product)
    shop.answers(500)
    with time_machine.travel("2027-01-01T00:00:00Z", tick=False) as clock:
        queued = queue(shop, product, due_at=timezone.now())
        began, steps = timezone.now(), []
        while (queued.refresh_from_db() or queued.state) != "failed":
            clock.move_to(queued.due_at)
            steps += work()
        took = timezone.now() - began
    assert steps == [Step.ASSIGNED, *[Step.PUT_OFF] * (len(shop.received) - 1), Step.FAILED]
    assert timedelta(days=2) < took < timedelta(days=4)
    assert 15 < len(shop.received) < 30
    assert queued.problem == "The shop answered with status 500."
    event = AuditEvent.objects.get(kind="assignment.undelivered")
    assert event.after == {"state": "failed", "attempts": len(shop.received), "problem": queued.problem}


def test_the_delays_double_up_to_six_hours():
    assert [delay_after(number).total_seconds() for number in (1, 2, 3, 11, 12, 13, 10_000)] == [
        10,
        20,
        40,
        10_240,
        20_480,
        21_600,
        21_600,
    ]
    assert not is_given_up(20)
    assert is_given_up(30)


@pytest.mark.statement("R3")
@pytest.mark.parametrize("end", ["silence", "reset", "504", "524", "103"])
def test_what_may_have_arrived_is_not_sent_again(product, global_key, monkeypatch, end):
    """D17: the shop stores what it gets twice twice."""
    monkeypatch.setattr(outgoing, "TIME_LIMIT", 0.3)

    def serve(connection):
        read_request(connection)
        if end == "silence":
            time.sleep(1)
        elif end == "reset":
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        else:
            connection.sendall(f"HTTP/1.1 {end} x\r\nContent-Length: 0\r\n\r\n".encode())

    LicenseKeyFactory(product=product)
    with raw_server(serve) as shop:
        queued = queue(shop, product)
        assert work() == [Step.ASSIGNED, Step.UNCERTAIN]
        later(queued)
        assert work() == []
        assert shop.connections == 1
    assert queued.state == "uncertain"
    assert queued.problem
    assert AuditEvent.objects.get(kind="assignment.undelivered").after["state"] == "uncertain"


def test_one_whose_worker_was_lost_is_uncertain(product, shop, global_key):
    LicenseKeyFactory(product=product)
    queued = queue(shop, product)
    assert work_on_next(actor=ACTOR)[1] == Step.ASSIGNED
    queued.refresh_from_db()
    queued_assignments._announce(queued)  # and then nothing more is heard of that worker
    assert work() == [], "its lease runs"
    later(queued)
    assert work() == [Step.UNCERTAIN]
    queued.refresh_from_db()
    assert (queued.state, queued.attempts) == ("uncertain", 1)
    assert queued.problem == "The worker ended while it was sending, so it may have arrived."
    assert shop.received == []


def test_a_worker_that_was_only_slow_still_says_what_became_of_it(product, shop, global_key, monkeypatch):
    LicenseKeyFactory(product=product)
    queued = queue(shop, product)
    work_on_next(actor=ACTOR)
    deliver = queued_assignments.deliver

    def slow(*arguments):
        QueuedAssignment.objects.update(state="uncertain", problem="lost")  # what another worker makes of it
        return deliver(*arguments)

    monkeypatch.setattr(queued_assignments, "deliver", slow)
    assert work() == [Step.DELIVERED]
    queued.refresh_from_db()
    assert (queued.state, queued.problem) == ("delivered", "")


def test_a_slow_worker_does_not_undo_what_staff_have_done_since(product, shop, global_key, monkeypatch):
    LicenseKeyFactory(product=product)
    queued = queue(shop, product)
    work_on_next(actor=ACTOR)
    deliver = queued_assignments.deliver

    def slow(*arguments):
        if not shop.received:
            QueuedAssignment.objects.update(state="uncertain")
            assert send_again(queued=queued, actor=ACTOR)
            shop.answers(500)
        return deliver(*arguments)

    monkeypatch.setattr(queued_assignments, "deliver", slow)
    assert work_on_next(actor=ACTOR)[1] == Step.UNCERTAIN
    queued.refresh_from_db()
    assert (queued.state, queued.attempts, queued.problem) == ("delivering", 0, "")


@pytest.mark.statement("S30")
def test_a_name_that_leads_inside_is_not_called(product, shop, global_key, settings):
    settings.OUTGOING_ALLOWED_NETWORKS = []
    LicenseKeyFactory(product=product)
    queued = queue(shop, product)
    assert work() == [Step.ASSIGNED, Step.PUT_OFF]
    queued.refresh_from_db()
    assert queued.problem == "This address is not public."
    assert shop.received == []


@pytest.mark.parametrize("state", ["uncertain", "failed"])
def test_staff_send_it_again(product, shop, global_key, state):
    LicenseKeyFactory(product=product)
    queued = queue(shop, product)
    work_on_next(actor=ACTOR)
    later(queued, state=state, attempts=21, problem="Something")
    assert send_again(queued=queued, actor=ACTOR)
    assert not send_again(queued=queued, actor=ACTOR), "it is on its way"
    event = AuditEvent.objects.get(kind="assignment.sent_again")
    assert (event.before, event.after) == ({"state": state}, {"state": "delivering"})
    assert work() == [Step.DELIVERED]
    assert len(shop.received) == 1
    assert LicenseKey.objects.filter(status="assigned").count() == 1
    assert not send_again(queued=queued, actor=ACTOR), "it has arrived"


def test_the_service_refuses_806_itself(product):
    with pytest.raises(Refused) as refused:
        queue_assignment(product=product, generate=True, quantity=1, webhook_url="https://shop.example/", actor=ACTOR)
    assert refused.value.code is Code.GENERATOR_NOT_FOUND
