"""Programs that manage the same license keys at the same moment, each in a connection of its own."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import pytest
from django.db import connection

from licenses.codes import Code, Refused
from licenses.models import AuditEvent, LicenseKey, Owner
from licenses.services.activations import activate_license
from licenses.services.license_key_batches import Created, NewLicenseKey, create_license_keys
from licenses.services.license_key_changes import Revision, revise_license_key
from licenses.services.license_keys import destroy_license_key
from tests.factories import ACTOR, LicenseKeyFactory, ProductFactory

pytestmark = pytest.mark.django_db(transaction=True)
CALLERS = 8


def at_once(*calls: Callable[[], object]) -> list[object]:
    """What each call returned, or the code with which it was refused; anything else fails the test."""

    def run(call):
        try:
            return call()
        except Refused as refused:
            return refused.code
        finally:
            connection.close()

    with ThreadPoolExecutor(CALLERS) as pool:
        return list(pool.map(run, calls))


def activations(text: str, quantity: int) -> list[Callable[[], object]]:
    """So many calls that activate the license key, each at another place."""
    return [
        partial(activate_license, license_key=text, identifier=f"host{number}", actor=ACTOR)
        for number in range(quantity)
    ]


def test_a_text_is_created_once_and_the_others_count_a_duplicate():
    product = ProductFactory()
    for round_number in range(4):
        texts = [f"{round_number}-{number}" for number in range(20)]

        rows = [NewLicenseKey(product, text, owner_email="a@domain.ltd", status="assigned") for text in texts]
        overlapping = [(rows[shift:] + rows[:shift])[: 10 + shift] for shift in range(CALLERS)]
        answers = at_once(*(partial(create_license_keys, rows=some, actor=ACTOR) for some in overlapping))
        created = [answer.created for answer in answers if isinstance(answer, Created)]
        assert {answer for answer in answers if not isinstance(answer, Created)} <= {Code.NO_LICENSE_KEYS_CREATED}
        assert sum(created) == product.license_keys.filter(license_key__startswith=f"{round_number}-").count()
    assert AuditEvent.objects.filter(kind="license_key.created").count() == product.license_keys.count()
    assert Owner.objects.count() == 1


def test_owners_beyond_ascii_in_any_order_never_wait_for_each_other():
    """Each batch makes the same new owners, half of them the other way round: without one order they would deadlock."""
    product = ProductFactory()
    for round_number in range(4):
        emails = [f"ö{number}@{round_number}.example" for number in range(30)]
        batches = [
            [NewLicenseKey(product, f"{round_number}-{batch}-{email}", owner_email=email) for email in order]
            for batch, order in enumerate([emails, emails[::-1]] * 4)
        ]
        answers = at_once(*(partial(create_license_keys, rows=rows, actor=ACTOR) for rows in batches))
        assert answers == [Created(30, 0)] * 8
    assert Owner.objects.count() == 4 * 30


@pytest.mark.statement("S4")
@pytest.mark.parametrize("status", ["blocked", "available"])
def test_no_activation_survives_a_change_of_the_status(status):
    for _ in range(4):
        key = LicenseKeyFactory(assigned=True, activation_limit=0)
        text = key.license_key
        at_once(
            *activations(text, CALLERS - 1),
            partial(revise_license_key, license_key=text, revision=Revision(status=status), actor=ACTOR),
        )
        key.refresh_from_db()
        assert key.status == status
        assert not key.activations.live().exists()


def test_a_license_key_is_destroyed_once_whatever_else_happens_to_it():
    for _ in range(4):
        text = LicenseKeyFactory(assigned=True, activation_limit=0).license_key
        answers = at_once(
            *[partial(destroy_license_key, license_key=text, actor=ACTOR)] * 3,
            *activations(text, 3),
            partial(revise_license_key, license_key=text, revision=Revision(activation_limit=5), actor=ACTOR),
        )
        assert answers.count(Code.DELETE_LICENSE_KEY_NOT_FOUND) == 2
        assert not LicenseKey.objects.exists()
    assert AuditEvent.objects.filter(kind="license_key.deleted").count() == 4
