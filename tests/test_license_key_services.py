"""What staff do to a license key: block, unblock, extend, update, deactivate all. Same services for every door."""

from datetime import UTC, datetime

import pytest
import time_machine
from django.core.exceptions import ValidationError
from django.utils import timezone

from licenses.codes import Code, Refused
from licenses.models import AuditEvent, LicenseKey
from licenses.services.activations import activate_license, deactivate_all
from licenses.services.license_keys import (
    assign_license_key,
    block_license_key,
    delete_license_key,
    destroy_license_key,
    extend_license_key,
    unblock_license_key,
    update_license_key,
)
from tests.factories import ACTOR, ActivationFactory, LicenseKeyFactory

pytestmark = pytest.mark.django_db


def kinds():
    return list(AuditEvent.objects.order_by("pk").values_list("kind", flat=True))


def test_it_blocks_and_ends_the_activations():
    """S4: no activation survives a block."""
    key = LicenseKeyFactory(assigned=True, activation_limit=0)
    ActivationFactory.create_batch(3, license_key=key)
    assert block_license_key(license_key=key.license_key, actor=ACTOR)
    key.refresh_from_db()
    assert key.status == "blocked"
    assert key.owner is not None
    assert not key.activations.live().exists()
    assert kinds() == ["license_key.blocked", *["activation.deactivated"] * 3]


def test_it_blocks_once():
    key = LicenseKeyFactory()
    assert block_license_key(license_key=key.license_key, actor=ACTOR)
    assert not block_license_key(license_key=key.license_key, actor=ACTOR)
    assert kinds() == ["license_key.blocked"]


@pytest.mark.parametrize(("assigned", "status"), [(True, "assigned"), (False, "available")])
def test_it_unblocks_to_what_it_was(assigned, status):
    key = LicenseKeyFactory(assigned=assigned)
    block_license_key(license_key=key.license_key, actor=ACTOR)
    assert unblock_license_key(license_key=key.license_key, actor=ACTOR)
    key.refresh_from_db()
    assert key.status == status
    assert not unblock_license_key(license_key=key.license_key, actor=ACTOR)


def test_it_extends_from_the_expiry_that_is_ahead():
    key = LicenseKeyFactory(assigned=True, expires_at=datetime(2035, 1, 31, tzinfo=UTC))
    assert extend_license_key(license_key=key.license_key, days=30, actor=ACTOR)
    key.refresh_from_db()
    assert key.expires_at == datetime(2035, 3, 2, tzinfo=UTC)
    event = AuditEvent.objects.get()
    assert event.before == {"expires_at": "2035-01-31T00:00:00+00:00"}
    assert event.after == {"expires_at": "2035-03-02T00:00:00+00:00"}


def test_it_extends_an_expired_key_from_today():
    key = LicenseKeyFactory(expired=True)
    with time_machine.travel(datetime(2040, 2, 29, 12, tzinfo=UTC), tick=False):
        extend_license_key(license_key=key.license_key, days=366, actor=ACTOR)
    key.refresh_from_db()
    assert key.expires_at == datetime(2041, 3, 1, 12, tzinfo=UTC)


def test_it_lengthens_the_validity_of_a_key_nobody_owns_yet():
    key = LicenseKeyFactory(validity_days=30)
    assert extend_license_key(license_key=key.license_key, days=5, actor=ACTOR)
    key.refresh_from_db()
    assert (key.validity_days, key.expires_at) == (35, None)


@pytest.mark.parametrize("assigned", [True, False])
def test_it_leaves_a_key_that_never_expires(assigned):
    key = LicenseKeyFactory(assigned=assigned, validity_days=0)
    assert not extend_license_key(license_key=key.license_key, days=5, actor=ACTOR)
    assert not kinds()


@pytest.mark.parametrize("days", [0, -1, 36_526, 10**9])
def test_it_extends_by_a_sensible_number_of_days(days):
    key = LicenseKeyFactory(expired=True)
    with pytest.raises(ValidationError, match="Extend by"):
        extend_license_key(license_key=key.license_key, days=days, actor=ACTOR)


def test_it_never_extends_past_what_a_date_can_say():
    key = LicenseKeyFactory(assigned=True, expires_at=datetime(9999, 1, 1, tzinfo=UTC))
    with pytest.raises(ValidationError):
        extend_license_key(license_key=key.license_key, days=36_525, actor=ACTOR)


def test_it_lowers_the_limit_to_what_is_live_and_no_further():
    key = LicenseKeyFactory(assigned=True, activation_limit=5)
    ActivationFactory.create_batch(2, license_key=key)
    update_license_key(license_key=key.license_key, changes={"activation_limit": 2}, actor=ACTOR)
    with pytest.raises(ValidationError, match="Deactivate 1 of them first"):
        update_license_key(license_key=key.license_key, changes={"activation_limit": 1}, actor=ACTOR)
    key.refresh_from_db()
    assert key.activation_limit == 2
    assert AuditEvent.objects.get().after == {"activation_limit": 2}


def test_it_lifts_the_limit():
    key = LicenseKeyFactory(assigned=True, activation_limit=1)
    ActivationFactory(license_key=key)
    update_license_key(license_key=key.license_key, changes={"activation_limit": 0}, actor=ACTOR)
    activate_license(license_key=key.license_key, identifier="one more", actor=ACTOR)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"activation_limit": -1}, "activation_limit"),
        ({"activation_limit": "many"}, "activation_limit"),
        ({"validity_days": 36_526}, "__all__"),
        ({"expires_at": "tomorrow"}, "expires_at"),
        ({"reference": "x" * 256}, "reference"),
    ],
)
def test_it_names_the_field_that_cannot_be_set_so(changes, field):
    key = LicenseKeyFactory(assigned=True)
    with pytest.raises(ValidationError) as error:
        update_license_key(license_key=key.license_key, changes=changes, actor=ACTOR)
    assert field in error.value.message_dict
    assert not kinds()


def test_it_sets_no_expiry_before_the_assignment():
    key = LicenseKeyFactory()
    with pytest.raises(ValidationError, match="only once it is assigned"):
        update_license_key(license_key=key.license_key, changes={"expires_at": timezone.now()}, actor=ACTOR)


def test_it_sets_features():
    key = LicenseKeyFactory()
    update_license_key(license_key=key.license_key, changes={"features": {"seats": 5}}, actor=ACTOR)
    key.refresh_from_db()
    assert key.features == {"seats": 5}
    with pytest.raises(ValidationError):
        update_license_key(license_key=key.license_key, changes={"features": {"seats": [5]}}, actor=ACTOR)


@pytest.mark.parametrize("field", ["status", "owner", "license_key", "product", "pk"])
def test_it_sets_no_other_field(field):
    key = LicenseKeyFactory()
    with pytest.raises(ValidationError, match="cannot be set"):
        update_license_key(license_key=key.license_key, changes={field: "x"}, actor=ACTOR)


def test_nothing_changed_is_nothing_written():
    key = LicenseKeyFactory(activation_limit=3)
    update_license_key(license_key=key.license_key, changes={"activation_limit": 3}, actor=ACTOR)
    assert not kinds()


def test_it_deactivates_all():
    key = LicenseKeyFactory(assigned=True, activation_limit=0)
    ActivationFactory.create_batch(2, license_key=key)
    ActivationFactory(license_key=key, deactivated_at=timezone.now())
    assert deactivate_all(license_key=key.license_key, actor=ACTOR) == 2
    assert not key.activations.live().exists()
    assert deactivate_all(license_key=key.license_key, actor=ACTOR) == 0


@pytest.mark.parametrize("verb", [block_license_key, unblock_license_key, deactivate_all])
def test_an_unknown_license_key_is_210(verb):
    with pytest.raises(Refused) as refused:
        verb(license_key="unknown", actor=ACTOR)
    assert refused.value.code is Code.LICENSE_KEY_INVALID


@pytest.mark.statement("R15")
@pytest.mark.parametrize(
    ("now", "days", "expires"),
    [
        (datetime(2028, 2, 28, tzinfo=UTC), 1, datetime(2028, 2, 29, tzinfo=UTC)),
        (datetime(2028, 2, 29, tzinfo=UTC), 365, datetime(2029, 2, 28, tzinfo=UTC)),
        (datetime(2027, 3, 27, 23, 30, tzinfo=UTC), 1, datetime(2027, 3, 28, 23, 30, tzinfo=UTC)),
        (datetime(2037, 12, 31, tzinfo=UTC), 60, datetime(2038, 3, 1, tzinfo=UTC)),
        (datetime(2026, 11, 21, tzinfo=UTC), 36_525, datetime(2126, 11, 22, tzinfo=UTC)),
    ],
)
def test_the_expiry_is_the_assignment_plus_whole_days(now, days, expires):
    key = LicenseKeyFactory(validity_days=days)
    with time_machine.travel(now, tick=False):
        assign_license_key(license_key=key.license_key, owner_email="a@b.c", actor=ACTOR)
    key.refresh_from_db()
    assert key.expires_at == expires


def test_a_refused_assignment_leaves_nothing_behind():
    key = LicenseKeyFactory(assigned=True)
    with pytest.raises(Refused):
        assign_license_key(license_key=key.license_key, owner_email="new@b.c", actor=ACTOR)
    assert not kinds()


def test_it_destroys_what_staff_may_not_delete():
    """A program's call is meant; a click may be a slip."""
    key = LicenseKeyFactory(assigned=True)
    with pytest.raises(ValidationError):
        delete_license_key(license_key=key.license_key, actor=ACTOR)
    assert destroy_license_key(license_key=key.license_key, actor=ACTOR) == key
    assert not LicenseKey.objects.exists()
    assert kinds() == ["license_key.deleted"]


def test_destroying_an_unknown_license_key_is_851():
    with pytest.raises(Refused) as refused:
        destroy_license_key(license_key="unknown", actor=ACTOR)
    assert refused.value.code is Code.DELETE_LICENSE_KEY_NOT_FOUND
