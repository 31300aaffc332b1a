"""run_worker as a command and as real processes: stopped, killed, and several at once."""

import os
import random
import signal
import subprocess
import sys
import time
from datetime import timedelta
from ipaddress import ip_network

import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.utils import timezone

from licenses.management.commands import run_worker
from licenses.models import ApiKey, IdempotencyRecord, LicenseKey, QueuedAssignment, ThrottleBucket, Worker
from licenses.services.queued_assignments import Step, work_on_next
from licenses.services.signing_keys import create_signing_key
from licenses.services.stock import generate_license_keys
from tests.commands import end, run, start
from tests.factories import ACTOR, LicenseKeyFactory, ProductFactory, QueuedAssignmentFactory, api_key_text
from tests.server import ROOT, database_url
from tests.stand_ins import raw_server, read_request, receiving

pytestmark = pytest.mark.django_db(transaction=True)

LOOPBACK = {"OUTGOING_ALLOWED_NETWORKS": "127.0.0.0/8"}


@pytest.fixture(autouse=True)
def ready(settings):
    settings.OUTGOING_ALLOWED_NETWORKS = [ip_network("127.0.0.0/8")]
    create_signing_key(product=None, actor=ACTOR)


@pytest.fixture
def product():
    return ProductFactory(name="Photo Editor")


@pytest.fixture
def shop():
    with receiving() as running:
        yield running


def wait_until(happened, process=None, seconds=60):
    ends_at = time.monotonic() + seconds
    while not happened() and (process is None or process.poll() is None):
        assert time.monotonic() < ends_at, "it did not happen"
        time.sleep(0.01)


def states():
    return sorted(QueuedAssignment.objects.values_list("state", flat=True))


def queue_many(product, shop, number, quantity=1):
    generate_license_keys(product=product, quantity=number * quantity, actor=ACTOR)
    for place in range(number):
        QueuedAssignmentFactory(
            product=product,
            quantity=quantity,
            identifier=str(place),
            owner_email=f"owner{place}@example.com",
            webhook_url=f"{shop.url}/?key=secret",
        )


def identifiers(shop):
    return [request.json["original"]["response"]["identifier"] for request in shop.received]


def check_assigned_once(number, quantity):
    """Each request has license keys of its own, as many as it asked for, and its envelope names them."""
    named = [
        item["license_key"]
        for queued in QueuedAssignment.objects.all()
        for item in queued.envelope["response"]["license_keys"]
    ]
    assert len(named) == len(set(named)) == number * quantity
    assert set(LicenseKey.objects.filter(status="assigned").values_list("license_key", flat=True)) == set(named)


def test_once_does_what_is_due_and_says_what_it_did(product, shop):
    LicenseKeyFactory(product=product)
    queued = QueuedAssignmentFactory(product=product, webhook_url=f"{shop.url}/?key=secret")
    ran = run("run_worker", "--once")
    assert (ran.code, ran.out) == (0, "")
    assert ran.err.splitlines() == [
        f"Queued assignment {queued.pk} (1 of Photo Editor): assigned",
        f"Queued assignment {queued.pk} (1 of Photo Editor): delivered",
        "Done: 1 assigned, 1 delivered",
    ]
    assert "secret" not in ran.err
    assert run("run_worker", "--once").err == "Done: nothing was due\n"
    assert len(shop.received) == 1


def test_it_forgets_old_answers_and_past_counts(product):
    ThrottleBucket.objects.create(name="past", empty_at=1.0)
    api_key_text()
    record = IdempotencyRecord.objects.create(api_key=ApiKey.objects.get(), idempotency_key="a", request_digest="b")
    IdempotencyRecord.objects.update(created_at=timezone.now() - timedelta(hours=25))
    run("run_worker", "--once")
    assert not IdempotencyRecord.objects.filter(pk=record.pk).exists()
    assert not ThrottleBucket.objects.exists()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_works_until_it_is_stopped(product, shop, number):
    worker = start("run_worker", **LOOPBACK)
    queue_many(product, shop, 1)
    wait_until(lambda: states() == ["delivered"], worker)
    worker.send_signal(number)
    ran = end(worker)
    assert ran.code == 0, ran.err
    assert "Ctrl-C ends the worker" in ran.err
    assert ran.err.splitlines()[-1] == "Done: 1 assigned, 1 delivered"
    assert "Traceback" not in ran.err


def test_it_ends_what_it_is_doing_before_it_stops(product):
    def serve(connection):
        read_request(connection)
        time.sleep(1)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    with raw_server(serve) as shop:
        queue_many(product, shop, 2)
        worker = start("run_worker", **LOOPBACK)
        wait_until(lambda: shop.connections, worker)
        worker.send_signal(signal.SIGTERM)
        ran = end(worker)
        assert ran.code == 0, ran.err
        assert shop.connections == 1
    assert states() == ["delivered", "delivering"]


@pytest.mark.statement("R6")
def test_killed_in_the_middle_of_a_delivery_it_is_uncertain(product):
    def serve(connection):
        read_request(connection)
        time.sleep(5)

    with raw_server(serve) as shop:
        queue_many(product, shop, 1)
        worker = start("run_worker", **LOOPBACK)
        wait_until(lambda: shop.connections, worker)
        worker.kill()
        assert end(worker).code == -signal.SIGKILL
        queued = QueuedAssignment.objects.get()
        assert (queued.state, queued.attempts, queued.problem) == ("delivering", 1, "It is being sent.")
        assert queued.due_at > timezone.now(), "its lease runs: another worker would leave it alone"
        assert work_on_next(actor=ACTOR) is None
        QueuedAssignment.objects.update(due_at=timezone.now())
        assert work_on_next(actor=ACTOR)[1] == Step.UNCERTAIN
        assert work_on_next(actor=ACTOR) is None
        assert shop.connections == 1
    assert states() == ["uncertain"]
    check_assigned_once(1, 1)


@pytest.mark.statement("R6")
def test_killed_anywhere_it_assigns_and_delivers_nothing_twice(product, shop):
    number, quantity, kills = 24, 10, 3
    queue_many(product, shop, number, quantity)
    for _ in range(kills):
        worker = start("run_worker", "--once", **LOOPBACK)
        before = LicenseKey.objects.filter(status="assigned").count()
        wanted = before + random.randrange(10, number * quantity // 5)
        wait_until(lambda: LicenseKey.objects.filter(status="assigned").count() >= wanted, worker)  # noqa: B023
        time.sleep(random.uniform(0, 0.03))
        worker.kill()
        end(worker)
    QueuedAssignment.objects.filter(state="delivering").update(due_at=timezone.now())
    ran = end(start("run_worker", "--once", **LOOPBACK))
    assert ran.code == 0, ran.err
    check_assigned_once(number, quantity)
    assert set(states()) <= {"delivered", "uncertain"}
    assert states().count("uncertain") <= kills
    delivered = identifiers(shop)
    assert len(delivered) == len(set(delivered)) >= number - kills
    assert set(QueuedAssignment.objects.filter(state="delivered").values_list("identifier", flat=True)) <= set(
        delivered
    )


@pytest.mark.statement("R6")
def test_several_at_once_do_each_once(product, shop):
    queue_many(product, shop, 36, 3)
    workers = [start("run_worker", "--once", **LOOPBACK) for _ in range(3)]
    ended = [end(worker) for worker in workers]
    assert [ran.code for ran in ended] == [0, 0, 0], ended
    assert set(states()) == {"delivered"}
    check_assigned_once(36, 3)
    assert sorted(identifiers(shop), key=int) == [str(place) for place in range(36)]
    if connection.vendor == "postgresql":
        assert all("delivered" in ran.err for ran in ended), "they shared the work"


def test_it_is_seen_while_it_runs_and_gone_when_it_has_ended():
    worker = start("run_worker")
    wait_until(Worker.objects.exists, worker)
    seen = Worker.objects.get()
    assert seen.name.endswith(f":{worker.pid}")
    assert (seen.doing, seen.version) == ("Waiting for work", settings.PORTAL_VERSION)
    assert timezone.now() - seen.seen_at < timedelta(seconds=30)
    worker.terminate()
    assert end(worker).code == 0
    assert not Worker.objects.exists()


def test_killed_it_stays_in_the_list_until_a_day_has_passed():
    worker = start("run_worker")
    wait_until(Worker.objects.exists, worker)
    worker.kill()
    end(worker)
    assert run("run_worker", "--once").code == 0
    assert Worker.objects.get().name.endswith(f":{worker.pid}")
    Worker.objects.update(seen_at=timezone.now() - timedelta(days=1, seconds=5))
    assert run("run_worker", "--once").code == 0
    assert not Worker.objects.exists()


def test_the_end_of_its_input_ends_it():
    """As when the server that started it has died, however that happened."""
    worker = subprocess.Popen(
        [sys.executable, ROOT / "manage.py", "run_worker", "--until-input-ends"],
        env={**os.environ, "DATABASE_URL": database_url()},
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    wait_until(Worker.objects.exists, worker)
    worker.stdin.close()
    assert worker.wait(timeout=60) == 0
    said = worker.stderr.read()
    worker.stderr.close()
    assert said.splitlines() == ["worker: Waiting for queued assignments.", "worker: Done: nothing was due"]


def test_it_stays_while_the_database_is_away(monkeypatch):
    """As if it came back after a while, and one piece of work then crashed: the worker goes on."""
    happened = []

    def look(*, actor):
        happened.append(1)
        if len(happened) == 1:
            raise OperationalError("the server closed the connection")
        if len(happened) == 2:
            raise RuntimeError("no luck")
        if len(happened) == 3:
            signal.raise_signal(signal.SIGTERM)

    monkeypatch.setattr(run_worker, "work_on_next", look)
    monkeypatch.setattr(run_worker, "PAUSE", 0.01)
    monkeypatch.setattr(run_worker, "PAUSE_WITHOUT_DATABASE", 0.01)
    ran = run("run_worker")
    assert ran.code == 0
    assert "The database does not serve, trying again" in ran.err
    assert len(happened) == 3


def test_once_says_when_the_database_does_not_serve(monkeypatch):
    def look(*, actor):
        raise OperationalError("the server closed the connection")

    monkeypatch.setattr(run_worker, "work_on_next", look)
    ran = run("run_worker", "--once")
    assert ran.code == 2
    assert "The database does not serve: the server closed the connection" in ran.err
