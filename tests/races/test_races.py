"""Never oversold: many callers at once, over HTTP, against four server processes on one database."""

import os
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.core.exceptions import ValidationError
from django.db import connection

from licenses.codes import Refused
from licenses.models import AuditEvent, LicenseKey, Owner
from licenses.services.license_keys import block_license_key, update_license_key
from tests.factories import ACTOR, LicenseKeyFactory, api_key_text
from tests.server import Server, running_portal

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

ROUNDS = int(os.environ.get("RACE_ROUNDS", "10")) if connection.vendor == "postgresql" else 3
CALLERS = 50


@pytest.fixture
def server(global_key):
    with running_portal(workers=4, threads=4) as running:
        yield running


def at_once(call: Callable[[int], int | str], numbers: Iterable[int]) -> Counter[int | str]:
    """The codes of one call per number, made by up to 50 threads at the same time."""
    with ThreadPoolExecutor(CALLERS) as pool:
        return Counter(pool.map(call, numbers))


def activator(server: Server, api_key: str, key: LicenseKey, identifier: str) -> Callable[[int], int | str]:
    def call(number: int) -> int | str:
        name = identifier.format(number)
        return server.code("activate", api_key, license_key=key.license_key, identifier=name)

    return call


@pytest.mark.statement("S1")
@pytest.mark.parametrize("limit", [1, 5])
def test_exactly_the_limit_of_200_activations_succeeds(server, limit):
    api_key = api_key_text()
    for _ in range(ROUNDS if limit > 1 else ROUNDS // 2):
        key = LicenseKeyFactory(assigned=True, activation_limit=limit)
        codes = at_once(activator(server, api_key, key, "host{}"), range(200))
        assert codes == {300: limit, 302: 200 - limit}
        assert key.activations.count() == limit


@pytest.mark.statement("S2")
def test_the_same_identifier_50_times_is_one_activation(server):
    api_key = api_key_text()
    for _ in range(ROUNDS // 3):
        key = LicenseKeyFactory(assigned=True, activation_limit=5)
        codes = at_once(activator(server, api_key, key, "the-same"), range(50))
        assert codes == {300: 1, 301: 49}
        assert key.activations.count() == 1


@pytest.mark.statement("S5")
def test_50_assignments_of_one_license_key_have_one_winner(server):
    api_key = api_key_text()
    for _ in range(ROUNDS // 3):
        key = LicenseKeyFactory()

        def assign(number, key=key):
            email = f"buyer{number}@example.com"
            return server.code("assign-license-key", api_key, license_key=key.license_key, email=email)

        assert at_once(assign, range(50)) == {800: 1, 801: 49}
        key.refresh_from_db()
        assert key.status == "assigned"


def test_50_assignments_to_one_new_owner_make_one_owner(server):
    """Made once, recorded once and named once, whatever the case of the address; no assignment is lost to the race."""
    api_key = api_key_text()
    for round_number in range(5):
        keys = LicenseKeyFactory.create_batch(50)
        name = f"Owner{round_number}@Example.com"

        def assign(number, keys=keys, name=name):
            email = name.upper() if number % 2 else name.lower()
            params = {"license_key": keys[number].license_key, "email": email}
            owner_name = f"Name {number}" if number % 3 else ""
            return server.code("assign-license-key", api_key, **params, owner_name=owner_name)

        assert at_once(assign, range(50)) == {800: 50}
        owners = LicenseKey.objects.filter(pk__in=[key.pk for key in keys]).values_list("owner", flat=True)
        assert len(set(owners)) == 1
        events = AuditEvent.objects.filter(object_type="owner", object_id=owners[0]).order_by("pk")
        assert [event.kind for event in events] in (["owner.created"], ["owner.created", "owner.updated"])
        assert Owner.objects.get(pk=owners[0]).name == events.last().after["name"]


def test_50_writers_of_one_metadata_name_make_one_row(server):
    api_key = api_key_text()
    for _ in range(5):
        key = LicenseKeyFactory(assigned=True)

        def create(number, key=key):
            params = {"identifier": "x", "key": "name", "value": str(number)}
            return server.code("create-license-key-meta", api_key, license_key=key.license_key, **params)

        assert at_once(create, range(50)) == {453: 1, 452: 49}
        assert key.metadata.count() == 1


def in_own_connection(call: Callable[[], object]) -> None:
    """A service called by a thread, as another process would: on a connection of its own, closed afterwards."""
    try:
        call()
    except (Refused, ValidationError):
        pass  # an answer, not an accident
    finally:
        connection.close()


@pytest.mark.statement("S4")
def test_no_activation_survives_a_block_and_none_passes_a_lowered_limit(server):
    api_key = api_key_text()
    for round_number in range(40):
        key = LicenseKeyFactory(assigned=True, activation_limit=8)
        lower = {"license_key": key.license_key, "changes": {"activation_limit": 3}, "actor": ACTOR}
        work: list[Callable[[], object]] = [partial(in_own_connection, partial(update_license_key, **lower))]
        if round_number % 2:
            block = partial(block_license_key, license_key=key.license_key, actor=ACTOR)
            work.insert(0, partial(in_own_connection, block))
        for number in range(12):
            for endpoint in ("activate", "deactivate") if number % 3 == 0 else ("activate",):
                params = {"license_key": key.license_key, "identifier": f"host{number}"}
                work.append(partial(server.code, endpoint, api_key, **params))
        with ThreadPoolExecutor(len(work)) as pool:
            codes = {future.result() for future in [pool.submit(call) for call in work[::-1]]}
        assert codes <= {None, 300, 302, "400", 401, 204}
        key.refresh_from_db()
        live = key.activations.live().count()
        assert live <= key.activation_limit
        assert key.status == "assigned" or live == 0
