"""R15: a validity is whole days of 24 hours from the assignment, to the second, whatever the calendar does."""

from datetime import UTC, datetime, timedelta

import pytest
import time_machine

from licenses.services.license_keys import assign_license_key, extend_license_key
from tests.factories import ACTOR, LicenseKeyFactory, ProductFactory

pytestmark = [pytest.mark.django_db, pytest.mark.statement("R15")]

SECOND = timedelta(seconds=1)
MOMENTS = {
    "31 January and a month of 30 days": (datetime(2027, 1, 31, 12), 30, datetime(2027, 3, 2, 12)),
    "the same in a leap year": (datetime(2028, 1, 31, 12), 30, datetime(2028, 3, 1, 12)),
    "a year from a leap day": (datetime(2028, 2, 29), 365, datetime(2029, 2, 28)),
    "over the clocks going forward": (datetime(2027, 3, 27, 23, 30), 1, datetime(2027, 3, 28, 23, 30)),
    "over the clocks going back": (datetime(2027, 10, 30, 23, 30), 1, datetime(2027, 10, 31, 23, 30)),
    "the last second of 32 bits": (datetime(2037, 12, 20, 3, 14, 7), 30, datetime(2038, 1, 19, 3, 14, 7)),
    "beyond it": (datetime(2038, 1, 19, 3, 14, 8), 1, datetime(2038, 1, 20, 3, 14, 8)),
}


@pytest.mark.parametrize("name", MOMENTS)
def test_it_is_valid_until_the_second_it_is_not(portal, name):
    assigned, days, expires = (
        part.replace(tzinfo=UTC) if isinstance(part, datetime) else part for part in MOMENTS[name]
    )
    key = LicenseKeyFactory(product=ProductFactory(require_non_expired=True), validity_days=days, activation_limit=2)
    with time_machine.travel(assigned, tick=False):
        assign_license_key(license_key=key.license_key, owner_email="owner@example.com", actor=ACTOR)
        assert portal("activate", license_key=key.license_key, identifier="host")["code"] == 300
    asked = {"license_key": key.license_key, "identifier": "host"}
    with time_machine.travel(expires - SECOND, tick=False):
        assert portal("verify", **asked)["code"] == 200
    with time_machine.travel(expires, tick=False):
        answer = portal("verify", **asked)
        assert (answer["code"], answer["timestamp"]) == (205, int(expires.timestamp()))


def test_a_month_more_from_31_january_is_30_days(portal):
    """A license key that has expired counts from today, any other from its own end."""
    key = LicenseKeyFactory(validity_days=10)
    with time_machine.travel(datetime(2027, 1, 21, 12, tzinfo=UTC), tick=False):
        assign_license_key(license_key=key.license_key, owner_email="owner@example.com", actor=ACTOR)
        extend_license_key(license_key=key.license_key, days=30, actor=ACTOR)
    key.refresh_from_db()
    assert key.expires_at == datetime(2027, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize("skew", [-300, 300])
def test_a_callers_clock_changes_nothing(portal, skew):
    """Five minutes off: what counts is the portal's clock, whatever dates a caller sends."""
    now = datetime(2027, 6, 1, 12, tzinfo=UTC)
    key = LicenseKeyFactory(product=ProductFactory(require_non_expired=True), validity_days=1)
    with time_machine.travel(now - timedelta(days=1), tick=False):
        assign_license_key(license_key=key.license_key, owner_email="owner@example.com", actor=ACTOR)
    http_date = (now + timedelta(seconds=skew)).strftime("%a, %d %b %Y %H:%M:%S GMT")
    with time_machine.travel(now, tick=False):
        sent = {"license_key": key.license_key, "identifier": "host", "timestamp": int(now.timestamp()) + skew}
        assert portal.json("verify", sent, Date=http_date)["code"] == 205
    with time_machine.travel(now - SECOND, tick=False):
        assert portal.json("verify", sent, Date=http_date)["code"] == 202  # it is only not active there
