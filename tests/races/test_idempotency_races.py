"""R1 with real processes: many at once, and a server that is killed in the middle."""

import contextlib
import json
import random
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import urllib3
from django.db import connection

from licenses.events import Kind
from licenses.models import AuditEvent, LicenseKey
from tests.factories import LicenseKeyFactory, api_key_text
from tests.server import Server, running_portal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server, pytest.mark.statement("R1")]

ROUNDS = 6 if connection.vendor == "postgresql" else 2
KILLS = 3 if connection.vendor == "postgresql" else 2


def activate(server: Server, api_key: str, license_key: str, identifier: str, key: str) -> bytes:
    headers = {"Authorization": f"Bearer {api_key}", "Idempotency-Key": key}
    body = {"license_key": license_key, "identifier": identifier}
    return server.request("POST", "/v1/activate", json=body, headers=headers).data


def test_50_at_once_are_one_effect_and_50_equal_answers(server):
    api_key = api_key_text()
    with ThreadPoolExecutor(50) as pool:
        for number in range(ROUNDS):
            key = LicenseKeyFactory(assigned=True, activation_limit=5)
            answers = set(
                pool.map(lambda _: activate(server, api_key, key.license_key, "host", f"key-{number}"), range(50))  # noqa: B023
            )
            assert len(answers) == 1
            assert json.loads(answers.pop())["response"]["code"] == 300
            assert key.activations.count() == 1
            activated = AuditEvent.objects.filter(kind=Kind.ACTIVATION_ACTIVATED, object_id=key.pk)
            assert activated.count() == 1


def test_a_kill_in_the_middle_leaves_one_effect_after_the_retry(global_key):
    """The server that answers the retry is the one that is killed next."""
    api_key, key, call = api_key_text(), None, ()
    for number in range(KILLS + 1):
        with running_portal(workers=1, threads=2) as server:
            if key:
                assert json.loads(activate(server, *call))["response"]["code"] == 300
                check_one_effect(key)
            if number == KILLS:
                return
            key = LicenseKeyFactory(assigned=True, activation_limit=5)
            call = (api_key, key.license_key, "host", f"kill-{number}")
            caller = threading.Thread(target=ignore_failure, args=(server, *call))
            caller.start()
            time.sleep(random.uniform(0, 0.06))
            kill(server)
            caller.join()


def check_one_effect(key: LicenseKey) -> None:
    assert AuditEvent.objects.filter(kind=Kind.ACTIVATION_ACTIVATED, object_id=key.pk).count() == 1


def ignore_failure(*args) -> None:
    with contextlib.suppress(urllib3.exceptions.HTTPError):
        activate(*args)


def kill(server: Server) -> None:
    """SIGKILL to the server and its workers, as the kernel does when memory runs out."""
    subprocess.run(["pkill", "-KILL", "-P", str(server.pid)], check=False)
    subprocess.run(["kill", "-KILL", str(server.pid)], check=True)
