"""`make run`: from a copy of the checkout to a portal that serves, again, and after being killed in between."""

import contextlib
import json
import os
import re
import signal
import socket
import stat
import subprocess
import threading
import time
from collections import Counter

import pytest
import urllib3
from django.utils import timezone

from licenses.models import AuditEvent, LicenseKey, Product
from licensing_portal import catalogue
from tests.checkout import Run, copy_checkout, empty_database, running
from tests.factories import ACTOR, ProductFactory
from tests.server import free_port

pytestmark = pytest.mark.server


@pytest.fixture(scope="module")
def checkout(tmp_path_factory):
    return copy_checkout(tmp_path_factory.mktemp("quickstart"))


@pytest.fixture(scope="module")
def database():
    with empty_database() as variables:
        yield variables


@pytest.fixture(scope="module")
def first(checkout, database):
    """The first run, with what it said and with its server still there."""
    with running(checkout, **database) as run:
        yield run


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def sign_in(url, password):
    """The status of the admin's answer to the log-in form: 302 when it let us in."""
    pool = urllib3.PoolManager()
    form = pool.request("GET", f"{url}/admin/login/")
    token = re.search(r'name="csrfmiddlewaretoken" value="([^"]+)"', form.data.decode())[1]
    cookie = form.headers["Set-Cookie"].partition(";")[0]
    fields = {"login": "admin", "password": password, "csrfmiddlewaretoken": token, "next": "/admin/"}
    headers = {"Cookie": cookie, "Referer": f"{url}/admin/login/"}
    return pool.request(
        "POST", f"{url}/admin/login/", fields=fields, encode_multipart=False, headers=headers, redirect=False
    ).status


def test_it_asks_nothing_and_shows_how_to_get_in(first):
    assert f"{first.url}/admin/" in first.said
    assert sign_in(first.url, first.shown("password")) == 302
    assert sign_in(first.url, "wrong") == 200


def test_what_it_keeps_is_for_the_owner_alone(first, database):
    data = first.checkout / "data"
    assert mode(data) == 0o700
    assert mode(data / "secrets.env") == 0o600
    for path in data.iterdir():
        assert not mode(path) & 0o077, path
    assert (data / "portal.sqlite3").exists() is not bool(database)
    secrets = (data / "secrets.env").read_text()
    assert all(f"{name}=" in secrets for name in ("SECRET_KEY", "VAULT_KEYS"))
    for secret in (first.shown("password"), first.shown("API key")):
        assert all(secret.encode() not in path.read_bytes() for path in data.rglob("*") if path.is_file())


def test_the_lines_it_shows_work_as_pasted(first):
    lines = first.pasted()
    assert [line.split()[0] for line in lines] == ["curl", "curl", "curl", "openssl"]
    pasted = subprocess.run(
        ["bash"], input="\n".join(lines), cwd=first.checkout, capture_output=True, text=True, timeout=60, check=False
    )
    assert pasted.stderr == ""
    *answers, verdict = pasted.stdout.strip().splitlines()
    assert [json.loads(answer)["response"]["code"] for answer in answers] == [800, 300, 200]
    assert verdict == "Verified OK"


def test_the_last_line_refuses_another_answer(first):
    answer = first.checkout / "data" / "answer.json"
    answer.write_text(answer.read_text().replace('"response_base64":"ey', '"response_base64":"eY'))
    pasted = subprocess.run(
        ["bash", "-c", first.pasted()[-1]], cwd=first.checkout, capture_output=True, text=True, check=False
    )
    assert (pasted.returncode, pasted.stdout.strip()) == (1, "Verification failure")


def test_its_log_has_no_secret_and_no_query(first):
    urllib3.request("GET", f"{first.url}/api/v1/verify?api_key={first.shown('API key')}")
    log = first.wait_until_said('"GET /api/v1/verify HTTP/1.1" 405').partition("Ctrl-C")[2]
    assert first.shown("API key") not in log
    assert first.shown("password") not in log


def test_again_it_starts_in_seconds_keeps_the_data_and_shows_no_secret(first, database):
    """While the first one serves, on another port: the files are the same."""
    kept = (first.checkout / "data" / "secrets.env").read_text()
    start = time.monotonic()
    with running(first.checkout, **database) as again:
        seconds = time.monotonic() - start
        sent = {"api_key": first.shown("API key"), "license_key": "unknown"}
        answer = urllib3.request("POST", f"{again.url}/api/v1/verify", json=sent).json()
        assert answer["response"]["code"] == 210
    assert seconds < 15  # a whole suite runs beside it; alone it takes two
    assert "changepassword admin" in again.said
    assert "API key  " not in again.said
    assert again.pasted() == []
    assert (first.checkout / "data" / "secrets.env").read_text() == kept


def test_it_does_what_shops_have_queued(first):
    sent = {
        "api_key": first.shown("API key"),
        "product_id": 1,
        "quantity": 1,
        "generate": 0,
        "identifier": "1003",
        "owner_email": "cy@example.com",
        "webhook_url": "https://shop.invalid/license-keys",
    }
    answer = urllib3.request("POST", f"{first.url}/api/v1/random-assign-license-keys-queued", json=sent).json()
    assert answer["response"]["code"] == 807
    first.wait_until_said("): assigned")
    assert re.search(r"^worker: Queued assignment \d+ \(1 of .+\): assigned$", first.said, re.MULTILINE)


# In a terminal Ctrl-C reaches every process; a service manager may ask only the one that it has started
@pytest.mark.parametrize(("number", "all_of_them"), [(signal.SIGINT, True), (signal.SIGTERM, False)])
def test_it_stops_cleanly_while_it_is_asked(first, database, number, all_of_them):
    with running(first.checkout, **database) as run, hammered(f"{run.url}/healthz"):
        start = time.monotonic()
        assert (run.stop(number) if all_of_them else run.stop_server(number)) == 0
        run.wait_until_gone()
        assert time.monotonic() - start < 15  # after 20 seconds a process that hangs would be killed
    assert "SIGKILL" not in run.said
    assert "Traceback" not in run.said
    assert "started again" not in run.said


def test_killed_its_worker_is_started_again_and_none_outlives_the_server(first, database):
    with running(first.checkout, **database) as run:
        run.wait_until_said("worker: Waiting")
        os.kill(run.processes()["run_worker"], signal.SIGKILL)
        run.wait_until_said("worker: It was killed (SIGKILL). It is started again in 1 s.")
        run.wait_until(lambda: run.said.count("worker: Waiting") == 2)
        assert sorted(run.processes()) == ["keep_worker", "run_worker", "server"]
        assert run.stop_server(signal.SIGKILL) == -signal.SIGKILL
        run.wait_until_gone()
    with running(first.checkout, **database) as run:
        run.wait_until_said("worker: Waiting")
        os.kill(run.processes()["keep_worker"], signal.SIGKILL)
        run.wait_until(lambda: "run_worker" not in run.processes())
        assert list(run.processes()) == ["server"]
        assert urllib3.request("GET", f"{run.url}/readyz").status == 200


@contextlib.contextmanager
def hammered(url):
    """Four callers ask again and again until the end of the block."""
    ended = threading.Event()

    def ask():
        while not ended.is_set():
            with contextlib.suppress(urllib3.exceptions.HTTPError):
                urllib3.request("GET", url, retries=False, timeout=5)

    callers = [threading.Thread(target=ask) for _ in range(4)]
    for caller in callers:
        caller.start()
    time.sleep(0.3)
    try:
        yield
    finally:
        ended.set()
        for caller in callers:
            caller.join()


def test_ctrl_c_while_it_sets_up(checkout, tmp_path):
    with Run(checkout, free_port(), DATA_DIR=str(tmp_path / "data")) as run:
        run.wait_until((tmp_path / "data" / "secrets.env").exists)
        assert run.stop() == 1
    assert run.said.strip() == "Stopped. The next `make run` goes on from here."


def test_a_port_in_use_is_said_before_anything_is_done(checkout, tmp_path):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with Run(checkout, port, DATA_DIR=str(tmp_path / "new")) as run:
            assert run.process.wait(timeout=30) == 1
    assert f"Port {port} of 127.0.0.1 cannot be used: Address already in use." in run.said
    assert f"make run PORT={port + 1}" in run.said
    assert "Traceback" not in run.said
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"PORT": "http"}, "The environment variable PORT must be a whole number from 1 to 65535."),
        ({"DEBUG": "maybe"}, "The environment variable DEBUG must be true or false."),
        ({"DATABASE_URL": "postgres://portal@127.0.0.1:9/portal"}, "refused"),
        ({"DATA_DIR": "/dev/null/data"}, "Not a directory"),
    ],
)
def test_what_keeps_it_from_starting_is_said_in_words(checkout, tmp_path, variables, words):
    with Run(checkout, free_port(), **{"DATA_DIR": str(tmp_path)} | variables) as run:
        assert run.process.wait(timeout=30) == 1
    assert words in run.said
    assert "Traceback" not in run.said


def test_killed_in_the_middle_it_is_completed_by_the_next_run(checkout, tmp_path):
    data = tmp_path / "data"
    with empty_database() as database:
        variables = {"DATA_DIR": str(data), **database}
        for name in ("setup.lock", "secrets.env", "staticfiles", "staticfiles.txt"):  # in the order it makes them
            Run(checkout, free_port(), **variables).kill_when((data / name).exists)
        killed = Run(checkout, free_port(), **variables)
        killed.kill_when(lambda: "  API key  " in killed.said)
        with running(checkout, **variables) as run:
            # What the killed run has shown holds, or it was taken back and the next run shows its own
            shown_by = run if "  API key  " in run.said else killed
            assert sign_in(run.url, shown_by.shown("password")) == 302
            sent = {"api_key": shown_by.shown("API key"), "license_key": "unknown"}
            answer = urllib3.request("POST", f"{run.url}/api/v1/verify", json=sent).json()
            assert answer["response"]["code"] == 210


def test_two_first_runs_at_once_show_one_password(checkout, tmp_path):
    with empty_database() as database:
        variables = {"DATA_DIR": str(tmp_path / "data"), **database}
        with running(checkout, **variables) as one, running(checkout, **variables) as other:
            pass
    assert sorted("  password  " in run.said for run in (one, other)) == [False, True]


@pytest.mark.django_db
def test_the_catalogue_has_license_keys_in_every_state(global_key):
    catalogue.load(ACTOR)
    states = Counter(LicenseKey.objects.values_list("status", flat=True))
    assert set(states) == set(LicenseKey.Status.values)
    assert 50 <= states.total() <= 65
    assert LicenseKey.objects.expired(timezone.now()).exists()
    assert LicenseKey.objects.filter(activations__deactivated_at=None, metadata__name="app_version").exists()
    assert LicenseKey.objects.filter(activations__deactivated_at__isnull=False).exists()
    assert all(key.owner.email.endswith("@example.com") for key in LicenseKey.objects.exclude(owner=None))
    recorded = Counter(AuditEvent.objects.values_list("kind", flat=True))
    assert recorded["license_key.created"] == states.total()
    assert recorded["license_key.assigned"] == LicenseKey.objects.exclude(owner=None).count()
    assert catalogue.spare_license_key().status == "available"


@pytest.mark.django_db
def test_the_catalogue_leaves_products_of_ones_own_alone():
    own = ProductFactory()
    catalogue.load(ACTOR)
    assert list(Product.objects.all()) == [own]
    assert catalogue.spare_license_key() is None
