"""What customers' software reported, in the admin."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from licenses.models import TelemetryRecord
from tests.factories import LicenseKeyFactory, ProductFactory, TelemetryRecordFactory

pytestmark = pytest.mark.django_db

RECORDS = "/admin/licenses/telemetryrecord/"


def listed(staff, **params) -> set[int]:
    return {row.pk for row in staff.get(RECORDS, params).context["cl"].result_list}


def test_it_finds_by_red_flags_type_and_license_key(staff):
    good = TelemetryRecordFactory(license_key="GOOD-1")
    flagged = TelemetryRecordFactory(license_key="BAD-1", data_type="text", data="hello", has_red_flags=True)
    assert listed(staff) == {good.pk, flagged.pk}
    assert listed(staff, has_red_flags__exact=1) == {flagged.pk}
    assert listed(staff, data_type="text") == {flagged.pk}
    assert listed(staff, q="GOOD") == {good.pk}
    assert listed(staff, q="OOD") == set()


def test_it_shows_a_record_whole(staff):
    found = LicenseKeyFactory()
    record = TelemetryRecordFactory(
        license_key=found.license_key,
        product_id=found.product_id,
        extras={"hwid": "HW-1", "metadata": '{"os": "linux"}'},
        errors={"user_identifier": ["The user identifier field is required."]},
        is_correct_format=False,
        has_red_flags=True,
    )
    page = staff.get(f"{RECORDS}{record.pk}/change/").content.decode()
    for text in ("HW-1", "The user identifier field is required.", found.license_key, found.product.name, "Format"):
        assert text in page
    assert f"/admin/licenses/licensekey/{found.pk}/change/" in page


def test_it_shows_a_record_that_names_nothing_there_is(staff):
    record = TelemetryRecord.objects.create(
        is_correct_format=False,
        license_key_exists=False,
        product_exists=False,
        product_version_exists=False,
        has_red_flags=True,
        license_key="unknown",
        product_id=2**63 - 1,
    )
    assert staff.get(RECORDS).status_code == 200
    page = staff.get(f"{RECORDS}{record.pk}/change/").content.decode()
    assert str(2**63 - 1) in page
    assert "unknown" in page


def test_nobody_adds_changes_or_deletes_one(staff):
    record = TelemetryRecordFactory()
    assert staff.get(RECORDS + "add/").status_code == 403
    assert staff.post(f"{RECORDS}{record.pk}/change/", {"data": "x"}).status_code == 403
    assert staff.post(f"{RECORDS}{record.pk}/delete/", {"post": "yes"}).status_code == 403
    assert TelemetryRecord.objects.get().data == "50"


def test_the_list_costs_the_same_for_many(staff):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            staff.get(RECORDS)
        return len(captured)

    TelemetryRecordFactory()
    few = queries()
    product = ProductFactory()
    TelemetryRecordFactory.create_batch(20, product_id=product.pk, license_key=LicenseKeyFactory().license_key)
    assert queries() == few
