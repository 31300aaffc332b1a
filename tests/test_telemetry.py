"""send-telemetry-data and get-telemetry-data: every report is stored, and what is wrong with it is told."""

import json

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from licenses.models import AuditEvent, Capability, TelemetryRecord
from tests.factories import LicenseKeyFactory, ProductFactory, ReleaseFactory, TelemetryRecordFactory, api_key_text
from tests.protocol import Portal

pytestmark = pytest.mark.django_db

SEND, GET = "send-telemetry-data", "get-telemetry-data"
REQUIRED = {
    "product_id": ["The selected product id is invalid."],
    "user_identifier": ["The user identifier field is required."],
    "license_key": ["The license key field is required."],
    "activation_identifier": ["The activation identifier field is required."],
    "product_version": ["The product version field is required."],
    "data_type": ["The data type field is required."],
    "data_group": ["The data group field is required."],
}


@pytest.fixture
def sent(db):
    """The documented request, with the rows that it names."""
    release = ReleaseFactory(version="1.0.1")
    return {
        "data_type": "numeric-single-value",
        "numeric_data_single_value": "50",
        "numeric_data_x": "1",
        "numeric_data_y": "2",
        "text_data": "text value",
        "product_id": str(release.product_id),
        "user_identifier": "554dddsqfqs4dqd5qsd74q",
        "license_key": LicenseKeyFactory(product=release.product).license_key,
        "activation_identifier": "12135644",
        "product_version": "1.0.1",
        "data_group": "test_group",
    }


def stored() -> TelemetryRecord:
    return TelemetryRecord.objects.get()


def flags(record: TelemetryRecord) -> tuple[bool, ...]:
    return (
        record.is_correct_format,
        record.license_key_exists,
        record.product_exists,
        record.product_version_exists,
        record.has_red_flags,
    )


def test_it_stores_a_report_in_the_documented_form(portal, sent):
    answer = portal(SEND, **sent)
    assert list(answer) == ["code", "message", "errors", "timestamp"]
    assert (answer["code"], answer["message"], answer["errors"]) == (830, "Correct format data saved", [])
    assert (portal.http.status_code, portal.label) == (200, "global")
    assert flags(stored()) == (True, True, True, True, False)
    assert (stored().data, stored().product_id) == ("50", int(sent["product_id"]))
    assert (stored().address, stored().errors, stored().extras) == ("127.0.0.1", {}, {})
    for name in ("data_type", "data_group", "user_identifier", "license_key", "activation_identifier"):
        assert getattr(stored(), name) == sent[name]


def test_it_stores_an_empty_report_and_says_what_is_missing(portal):
    answer = portal(SEND)
    assert (answer["code"], answer["message"]) == (831, "Incorrect format data saved")
    assert list(answer["errors"].items()) == list(REQUIRED.items()), "as documented, in this order"
    assert (portal.http.status_code, portal.label) == (200, "global")
    assert flags(stored()) == (False, False, False, False, True)
    assert stored().errors == REQUIRED


def test_it_is_its_own_record_and_leaves_no_other(portal, sent):
    before = AuditEvent.objects.count()
    portal(SEND, **sent)
    portal(SEND)
    assert AuditEvent.objects.count() == before
    assert TelemetryRecord.objects.count() == 2


@pytest.mark.parametrize("path", ["send-telemetry-date", "send-telemetry", "telemetry"])
def test_it_answers_under_every_name_that_programs_use(portal, sent, path):
    assert portal(path, **sent)["code"] == 830


@pytest.mark.parametrize(
    ("name", "value", "flag"),
    [("license_key", "unknown", "license_key_exists"), ("product_version", "9.9", "product_version_exists")],
)
def test_what_does_not_exist_is_flagged_and_no_error(portal, sent, name, value, flag):
    assert portal(SEND, **(sent | {name: value}))["code"] == 830
    assert not getattr(stored(), flag)
    assert stored().has_red_flags


def test_a_version_is_one_of_the_reported_product(portal, sent):
    ReleaseFactory(version="7.0")
    portal(SEND, **(sent | {"product_version": "7.0"}))
    assert not stored().product_version_exists


@pytest.mark.parametrize("product_id", ["100", "-1", "x", "9" * 30, "no-such-slug", "1.0"])
def test_an_unknown_product_is_malformed_and_kept(portal, sent, product_id):
    answer = portal(SEND, **(sent | {"product_id": product_id}))
    assert (answer["code"], answer["errors"]) == (831, {"product_id": REQUIRED["product_id"]})
    assert flags(stored()) == (False, True, False, False, True)
    kept = {} if product_id == "100" else {"product_id": product_id}
    assert (stored().product_id, stored().extras) == (100 if product_id == "100" else None, kept)


def test_a_product_has_three_names(portal, sent):
    product = ProductFactory(slug="photo-editor")
    ReleaseFactory(product=product, version="1.0.1")
    del sent["product_id"]
    for name, value in (("product_uuid", str(product.uuid)), ("product_slug", "photo-editor"), ("slug", product.pk)):
        assert portal(SEND, **sent, **{name: value})["code"] == 830
    assert set(TelemetryRecord.objects.values_list("product_id", flat=True)) == {product.pk}


@pytest.mark.parametrize(
    ("data_type", "data"),
    [("numeric-single-value", "50"), ("numeric-xy-axis", "1,2"), ("text", "text value"), ("nonsense", "50")],
)
def test_it_keeps_the_value_of_the_type(portal, sent, data_type, data):
    answer = portal(SEND, **(sent | {"data_type": data_type}))
    assert stored().data == data
    if data_type == "nonsense":
        assert answer["errors"] == {"data_type": ["The selected data type is invalid."]}
    else:
        assert answer["code"] == 830


@pytest.mark.parametrize(
    ("data_type", "missing", "error"),
    [
        ("numeric-single-value", "numeric_data_single_value", "The numeric data single value field is required."),
        ("numeric-xy-axis", "numeric_data_x", "The numeric data x field is required."),
        ("numeric-xy-axis", "numeric_data_y", "The numeric data y field is required."),
        ("text", "text_data", "The text data field is required."),
    ],
)
def test_a_type_needs_its_value(portal, sent, data_type, missing, error):
    for value in ({}, {missing: ""}):
        answer = portal(SEND, **({k: v for k, v in sent.items() if k != missing} | {"data_type": data_type} | value))
        assert (answer["code"], answer["errors"]) == (831, {missing: [error]})


@pytest.mark.parametrize("value", ["50", "-1.5", "+2", ".5", "5.", "1e5", "1E-5", 50, -1.5, 0])
def test_it_takes_numbers(portal, sent, value):
    assert portal.json(SEND, sent | {"numeric_data_single_value": value})["code"] == 830
    assert stored().data == str(value)


@pytest.mark.parametrize("value", ["fifty", "1,5", "\u0665", "0x10", "NaN", "Infinity", "1e", ".", True, [1], {"a": 1}])
def test_it_tells_what_is_no_number_and_keeps_it(portal, sent, value):
    answer = portal.json(SEND, sent | {"numeric_data_single_value": value})
    expected = {"numeric_data_single_value": ["The numeric data single value must be a number."]}
    assert (answer["code"], answer["errors"]) == (831, expected)
    assert stored().data == (value if isinstance(value, str) else json.dumps(value))


@pytest.mark.parametrize(
    ("value", "kept", "error"),
    [
        (["a", 1], '["a", 1]', "must be a string."),
        ({"a": {"b": None}}, '{"a": {"b": null}}', "must be a string."),
        (True, "true", "must be a string."),
        ("x" * 300, "x" * 255, "must not be greater than 255 characters."),
        ("a\x00b", "a\ufffdb", "format is invalid."),
        ("a\nb\x1b", "a\ufffdb\ufffd", "format is invalid."),
        ("\ud800 tail", "\ufffd tail", "format is invalid."),
        ({"\ud800": "\x00"}, '{"\ufffd": "\\u0000"}', "must be a string."),
        ([[[[[]]]]], "[[[[[]]]]]", "must be a string."),
    ],
)
@pytest.mark.statement("S29")
def test_whatever_arrives_becomes_a_text_that_the_column_holds(portal, sent, value, kept, error):
    answer = portal.json(SEND, sent | {"user_identifier": value})
    assert (answer["code"], answer["errors"]) == (831, {"user_identifier": [f"The user identifier {error}"]})
    assert stored().user_identifier == kept
    assert stored().license_key_exists


@pytest.mark.parametrize(("value", "kept"), [(5, "5"), (5.2, "5.2"), ("  5.2 ", "5.2"), (10**30, str(10**30))])
def test_numbers_are_texts_too(portal, sent, value, kept):
    assert portal.json(SEND, sent | {"product_version": value})["code"] == 830
    assert stored().product_version == kept


@pytest.mark.statement("S29")
def test_nothing_that_can_be_sent_is_lost_or_crashes(portal, sent):
    """Every parameter at its worst, also those that are stored beside the documented ones."""
    worst = ["\x00", "\ud800", "A" * 60_000, 10**30, -1, 1e308, True, None, [], {}, [[["\udfff"]]], {"\x00": "\ud800"}]
    names = [*sent, "hwid", "country", "flags", "metadata"]
    for value in worst:
        assert portal.json(SEND, dict.fromkeys(names, value))["code"] == 831
        assert portal.http.status_code == 200
    assert TelemetryRecord.objects.count() == len(worst)


@pytest.mark.statement("S29")
def test_json_as_deep_as_it_can_be_read_is_stored(portal, sent):
    """Under an Idempotency-Key parameters are written again, which Python can do less deep than read."""
    for depth, code in {31: 830, 32: 162, 400: 162, 800: 162, 990: 162, 5000: 162}.items():
        body = json.dumps(sent)[:-1] + ', "metadata": ' + "[" * depth + "]" * depth + "}"
        assert portal.json(SEND, body, **{"Idempotency-Key": str(depth)})["code"] == code


def test_a_text_keeps_its_lines(portal, sent):
    text = "  first\n\tsecond é 😀\r\n"
    assert portal(SEND, **(sent | {"data_type": "text", "text_data": text}))["code"] == 830
    assert stored().data == text


def test_it_keeps_what_sdks_send_beside(portal, sent):
    extras = {"hwid": "HW-1", "country": "AT", "flags": ["debug"], "metadata": {"os": "linux", "note": "x" * 9000}}
    del sent["activation_identifier"]
    assert portal.json(SEND, sent | extras)["code"] == 830
    assert stored().activation_identifier == "HW-1", "hwid is another name for it"
    assert set(stored().extras) == {"hwid", "country", "flags", "metadata"}
    assert stored().extras["flags"] == '["debug"]'
    assert len(stored().extras["metadata"]) == 4096


def test_the_same_report_twice_is_two_unless_it_says_so(portal, sent):
    portal(SEND, **sent)
    portal(SEND, **sent)
    assert TelemetryRecord.objects.count() == 2
    for _ in range(2):
        assert portal.json(SEND, sent, **{"Idempotency-Key": "k"})["code"] == 830
    assert TelemetryRecord.objects.count() == 3


def test_the_sdk_profile_reads_the_code(client, global_key, sent):
    text = api_key_text(Capability.SEND_TELEMETRY_DATA, profile="sdk")
    for body, code in ((sent, 830), ({}, 831)):
        sealed = client.post(f"/v1/{SEND}", body | {"api_key": text}).json()
        assert sealed["code"] == code
        assert not {"telemetry_id", "is_flagged"} & set(sealed)


# get-telemetry-data

FIELDS = {
    "id": int,
    "user_identifier": str,
    "license_key": str,
    "activation_identifier": str,
    "product_id": int,
    "product_version": str,
    "data_type": str,
    "data_group": str,
    "data": str,
    "is_correct_format": int,
    "license_key_exists": int,
    "product_exists": int,
    "product_version_exists": int,
    "has_red_flags": int,
    "created_at": str,
    "updated_at": str,
}


def ids(answer) -> list[int]:
    assert answer["code"] == 970
    return [row["id"] for row in answer["data"]]


def test_it_lists_in_the_documented_form(portal, sent):
    portal(SEND, **sent)
    answer = portal(GET, data_type="numeric-single-value", data_group="test_group")
    assert list(answer) == ["code", "message", "data", "timestamp"]
    assert (answer["code"], answer["message"]) == (970, "Telemetry data found")
    assert (portal.http.status_code, portal.label) == (200, "global")
    [row] = answer["data"]
    assert {name: type(value) for name, value in row.items()} == FIELDS
    assert list(row) == list(FIELDS)
    assert (row["data"], row["is_correct_format"], row["has_red_flags"]) == ("50", 1, 0)
    assert row["created_at"] == row["updated_at"]
    assert row["created_at"].endswith(".000000Z")


def test_a_product_that_is_no_number_is_null(portal):
    portal(SEND, product_id="unknown")
    assert portal(GET)["data"][0]["product_id"] is None


@pytest.mark.parametrize("path", ["get-telemetry-date", "get-telemetry"])
def test_it_lists_under_every_name_that_programs_use(portal, path):
    record = TelemetryRecordFactory()
    assert ids(portal.read(portal.client.get(f"/api/v1/{path}", {"api_key": portal.api_key}))) == [record.pk]


def test_it_is_a_get(portal):
    assert portal.read(portal.client.post(f"/api/v1/{GET}", {"api_key": portal.api_key}))["code"] == 165


@pytest.mark.parametrize(
    "name", ["data_type", "data_group", "user_identifier", "license_key", "activation_identifier", "product_version"]
)
def test_it_filters_by_a_text(portal, name):
    TelemetryRecordFactory()
    wanted = TelemetryRecordFactory(**{name: "wanted"})
    assert ids(portal(GET, **{name: "wanted"})) == [wanted.pk]
    assert ids(portal(GET, **{name: "unknown"})) == []


@pytest.mark.parametrize(
    "name",
    ["license_key_exists", "product_exists", "product_version_exists", "is_correct_format", "has_red_flags"],
)
def test_it_filters_by_a_flag(portal, name):
    yes, no = TelemetryRecordFactory(**{name: True}), TelemetryRecordFactory(**{name: False})
    for value, expected in (("1", [yes.pk]), ("0", [no.pk]), ("true", [yes.pk]), ("", [yes.pk, no.pk])):
        assert ids(portal(GET, **{name: value})) == expected
    assert portal(GET, **{name: "2"})["errors"] == {name: ["This must be 1 for true or 0 for false."]}


def test_it_filters_by_a_product_under_any_name(portal):
    product = ProductFactory(slug="photo-editor")
    known, unknown = TelemetryRecordFactory(product_id=product.pk), TelemetryRecordFactory(product_id=100_000)
    TelemetryRecordFactory()
    for name, value in (("product_id", product.pk), ("product_uuid", product.uuid), ("slug", "photo-editor")):
        assert ids(portal(GET, **{name: value})) == [known.pk]
    assert ids(portal(GET, product_id=100_000)) == [unknown.pk]
    for value in ("unknown", "9" * 30, "-1", "0"):
        assert ids(portal(GET, product_id=value)) == []


def test_it_pages_from_the_oldest(portal):
    rows = [record.pk for record in TelemetryRecordFactory.create_batch(105)]
    assert ids(portal(GET)) == rows[:100]
    assert ids(portal(GET, page=2)) == rows[100:]
    assert ids(portal(GET, page=3, items_per_page=2)) == rows[4:6]
    assert ids(portal(GET, page=2_147_483_647, items_per_page=1000)) == []
    for wrong in ({"page": 0}, {"items_per_page": 0}, {"items_per_page": 1001}, {"page": "x"}):
        answer = portal(GET, **wrong)
        assert (answer["code"], list(answer["errors"])) == (162, list(wrong))


def test_it_asks_once_however_many_rows(portal):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            portal(GET, product_id=1)
        return len(captured)

    TelemetryRecordFactory(product_id=1)
    queries()  # the first call notes when the API key was used
    few = queries()
    TelemetryRecordFactory.create_batch(20, product_id=1)
    assert queries() == few


def test_sending_and_reading_are_two_rights(client, global_key):
    sender, reader = (Portal(client, api_key_text(right)) for right in (SEND, GET))
    assert (sender(SEND)["code"], sender(GET)["code"]) == (831, 102)
    assert (reader(SEND)["code"], reader(GET)["code"]) == (102, 970)


@pytest.mark.statement("S29")
@pytest.mark.parametrize("name", ["license_key", "data_group", "product_version"])
@pytest.mark.parametrize("value", ["a\x00b", "x" * 300, "a\nb"])
def test_a_filter_that_cannot_be_is_refused_by_name(portal, name, value):
    TelemetryRecordFactory()
    answer = portal(GET, **{name: value})
    assert (answer["code"], list(answer["errors"])) == (162, [name])
