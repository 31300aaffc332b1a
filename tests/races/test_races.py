"""Never oversold: many callers at once, in four processes and through the real server, on one database."""

import pytest

from licenses.models import AuditEvent, LicenseKey, Owner
from licenses.services.activations import activate_license, deactivate_all, deactivate_license
from licenses.services.license_key_changes import Revision, revise_license_key
from licenses.services.license_keys import assign_license_key, block_license_key, update_license_key
from licenses.services.metadata import create_metadata
from tests.factories import ACTOR, LicenseKeyFactory, api_key_text
from tests.races.callers import HTTP_ROUNDS, INVALID, ON_POSTGRESQL, ROUNDS, Job, post

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.server]

LONG = 25 * ROUNDS if ON_POSTGRESQL else 10  # rounds of S4: 500


def activate(license_key: str, identifier: str) -> int:
    activate_license(license_key=license_key, identifier=identifier, actor=ACTOR)
    return 300


def activations(key: LicenseKey, identifiers: list[str]) -> list[Job]:
    return [Job(activate, {"license_key": key.license_key, "identifier": identifier}) for identifier in identifiers]


def posts(server, endpoint: str, api_key: str, calls: list[dict[str, str]]) -> list[Job]:
    return [Job(post, {"url": server.url, "endpoint": endpoint, "api_key": api_key, **call}) for call in calls]


HOSTS = [f"host{number}" for number in range(200)]


@pytest.mark.statement("S1")
@pytest.mark.parametrize(("limit", "share"), [(1, 8), (5, 6), (50, 6)])
def test_exactly_the_limit_of_200_activations_succeeds(server, callers, limit, share):
    """20 rounds in all, more where RACE_ROUNDS asks for them."""
    api_key = api_key_text()
    for round_number in range(max(1, ROUNDS * share // 20)):
        key = LicenseKeyFactory(assigned=True, activation_limit=limit)
        if round_number < HTTP_ROUNDS:
            calls = [{"license_key": key.license_key, "identifier": host} for host in HOSTS]
            codes = callers.count(posts(server, "activate", api_key, calls))
        else:
            codes = callers.count(activations(key, HOSTS))
        assert codes == {300: limit, 302: 200 - limit}
        assert key.activations.live().count() == key.activations.count() == limit
    assert server.call("activate", api_key, license_key=key.license_key, identifier="late")["code"] == 302  # sealed


@pytest.mark.statement("S2")
def test_the_same_identifier_50_times_is_one_activation(server, callers):
    api_key = api_key_text()
    for round_number in range(ROUNDS):
        key = LicenseKeyFactory(assigned=True, activation_limit=5)
        if round_number < HTTP_ROUNDS:
            calls = [{"license_key": key.license_key, "identifier": "the-same"}] * 50
            codes = callers.count(posts(server, "activate", api_key, calls))
        else:
            codes = callers.count(activations(key, ["the-same"] * 50))
        assert codes == {300: 1, 301: 49}
        assert key.activations.count() == 1


@pytest.mark.statement("S2")
def test_an_ended_activation_begins_again_once(callers):
    for _ in range(max(1, ROUNDS // 4)):
        key = LicenseKeyFactory(assigned=True, activation_limit=1)
        activate(key.license_key, "the-same")
        deactivate_all(license_key=key.license_key, actor=ACTOR)
        assert callers.count(activations(key, ["the-same"] * 20)) == {300: 1, 301: 19}
        assert key.activations.count() == 1


@pytest.mark.statement("S4")
def test_the_limit_holds_and_no_activation_survives_while_everything_changes(callers):
    for round_number in range(LONG):
        key = LicenseKeyFactory(assigned=True, activation_limit=5)
        named = {"license_key": key.license_key, "actor": ACTOR}
        jobs = activations(key, HOSTS[:4])
        jobs.insert(round_number % 3, Job(deactivate, named | {"identifier": HOSTS[round_number % 4]}))
        jobs.insert(round_number % 5, Job(lower, named | {"limit": 2}))
        if round_number % 2:
            jobs.insert(round_number % 7, Job(ENDS[round_number // 2 % len(ENDS)], named))
        codes = set(callers(jobs))
        assert codes <= {300, 302, 400, 401, 201, 204, None, INVALID}
        key.refresh_from_db()
        live = key.activations.live().count()
        assert live <= key.activation_limit
        assert live == 0 or key.status == "assigned"


def deactivate(**named) -> int:
    deactivate_license(**named)
    return 400


def lower(limit: int, **named) -> None:
    update_license_key(**named, changes={"activation_limit": limit})


def block(**named) -> None:
    block_license_key(**named)


def block_by_revision(**named) -> None:
    revise_license_key(**named, revision=Revision(status="blocked"))


def take_back(**named) -> None:
    revise_license_key(**named, revision=Revision(status="available"))


ENDS = (block, block_by_revision, take_back)


@pytest.mark.statement("S4")
def test_the_limit_holds_through_the_server_too(server, callers):
    api_key = api_key_text()
    for _ in range(HTTP_ROUNDS * 5):
        key = LicenseKeyFactory(assigned=True, activation_limit=8)
        calls = [{"license_key": key.license_key, "identifier": host} for host in HOSTS[:12]]
        jobs = posts(server, "activate", api_key, calls) + posts(server, "deactivate", api_key, calls[:4])
        changes = [{"license_key": key.license_key, "activation_limit": "3"}]
        jobs += posts(server, "update-license-key", api_key, changes)
        if key.pk % 2:
            jobs += posts(server, "update-license-key", api_key, [calls[0] | {"status": "blocked"}])
        assert set(callers(jobs[::-1])) <= {300, 302, "400", 401, 204, 950, 951}
        key.refresh_from_db()
        live = key.activations.live().count()
        assert live <= key.activation_limit
        assert live == 0 or key.status == "assigned"


def assign(license_key: str, email: str, name: str = "") -> int:
    assign_license_key(license_key=license_key, owner_email=email, owner_name=name, actor=ACTOR)
    return 800


@pytest.mark.statement("S5")
def test_50_assignments_of_one_license_key_have_one_winner(server, callers):
    api_key = api_key_text()
    for round_number in range(ROUNDS):
        key = LicenseKeyFactory()
        calls = [{"license_key": key.license_key, "email": f"buyer{number}@example.com"} for number in range(50)]
        if round_number < HTTP_ROUNDS:
            codes = callers.count(posts(server, "assign-license-key", api_key, calls))
        else:
            codes = callers.count(Job(assign, call) for call in calls)
        assert codes == {800: 1, 801: 49}
        key.refresh_from_db()
        assert key.status == "assigned"


def test_50_assignments_to_one_new_owner_make_one_owner(callers):
    """Made once, recorded once and named once, whatever the case of the address; no assignment is lost to the race."""
    for round_number in range(min(ROUNDS, 5)):
        keys = LicenseKeyFactory.create_batch(50)
        address = f"Owner{round_number}@Example.com"
        calls = [
            {
                "license_key": key.license_key,
                "email": address.upper() if number % 2 else address.lower(),
                "name": f"Name {number}" if number % 3 else "",
            }
            for number, key in enumerate(keys)
        ]
        assert callers.count(Job(assign, call) for call in calls) == {800: 50}
        owners = LicenseKey.objects.filter(pk__in=[key.pk for key in keys]).values_list("owner", flat=True)
        assert len(set(owners)) == 1
        events = AuditEvent.objects.filter(object_type="owner", object_id=owners[0]).order_by("pk")
        assert [event.kind for event in events] in (["owner.created"], ["owner.created", "owner.updated"])
        assert Owner.objects.get(pk=owners[0]).name == events.last().after["name"]


def write_metadata(license_key: str, value: str) -> int:
    create_metadata(license_key=license_key, identifier="x", name="name", value=value, actor=ACTOR)
    return 453


def test_50_writers_of_one_metadata_name_make_one_row(callers):
    for _ in range(min(ROUNDS, 5)):
        key = LicenseKeyFactory(assigned=True)
        calls = [{"license_key": key.license_key, "value": str(number)} for number in range(50)]
        assert callers.count(Job(write_metadata, call) for call in calls) == {453: 1, 452: 49}
        assert key.metadata.count() == 1
