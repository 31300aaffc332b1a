"""send-telemetry-data and get-telemetry-data."""

from typing import Any

from rest_framework.serializers import empty

from licenses.api.answers import answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import (
    LICENSE_ALIASES,
    PRODUCT_ALIASES,
    FlagField,
    PageParams,
    Params,
    ProductParams,
    TextField,
)
from licenses.api.shapes import row_date
from licenses.codes import Code
from licenses.models import TelemetryRecord
from licenses.reports.pages import page_of_telemetry
from licenses.services.telemetry import store_telemetry

ALIASES = PRODUCT_ALIASES | {
    "license_key": LICENSE_ALIASES["license_key"],
    "activation_identifier": ("hwid", "identifier", *LICENSE_ALIASES["identifier"]),
}


class AsSentField(TextField):
    """Whatever was sent, as it is: telemetry is stored also when it is malformed, so nothing is refused here."""

    def run_validation(self, data: Any = empty) -> Any:
        return None if data is empty else data


class SendTelemetryParams(Params):
    aliases = ALIASES
    needed: tuple[str, ...] = (
        "product_id",
        "user_identifier",
        "license_key",
        "activation_identifier",
        "product_version",
        "data_type",
        "data_group",
    )

    product_id = AsSentField()
    user_identifier = AsSentField()
    license_key = AsSentField()
    activation_identifier = AsSentField()
    product_version = AsSentField()
    data_type = AsSentField()
    data_group = AsSentField()
    numeric_data_single_value = AsSentField()
    numeric_data_x = AsSentField()
    numeric_data_y = AsSentField()
    text_data = AsSentField()
    hwid = AsSentField()
    country = AsSentField()
    flags = AsSentField()
    metadata = AsSentField()


@answers(Code.TELEMETRY_SAVED, Code.TELEMETRY_SAVED_MALFORMED)
def send_telemetry_data(call: Call) -> Reply:
    stored = store_telemetry(sent=call.params, actor=call.actor)
    if stored.is_correct_format:
        return Reply(Code.TELEMETRY_SAVED, {"errors": []})
    return Reply(Code.TELEMETRY_SAVED_MALFORMED, {"errors": stored.errors})


class GetTelemetryParams(PageParams, ProductParams):
    aliases = ALIASES
    needed: tuple[str, ...] = ()

    data_type = TextField()
    data_group = TextField()
    user_identifier = TextField()
    license_key = TextField()
    activation_identifier = TextField()
    product_version = TextField()
    license_key_exists = FlagField()
    product_exists = FlagField()
    product_version_exists = FlagField()
    is_correct_format = FlagField()
    has_red_flags = FlagField()


@answers(Code.TELEMETRY_FOUND)
def get_telemetry_data(call: Call) -> Reply:
    return Reply(Code.TELEMETRY_FOUND, {"data": [_row(stored) for stored in page_of_telemetry(**call.params)]})


def _row(stored: TelemetryRecord) -> dict[str, Any]:
    return {
        "id": stored.pk,
        "user_identifier": stored.user_identifier,
        "license_key": stored.license_key,
        "activation_identifier": stored.activation_identifier,
        "product_id": stored.product_id,
        "product_version": stored.product_version,
        "data_type": stored.data_type,
        "data_group": stored.data_group,
        "data": stored.data,
        "is_correct_format": int(stored.is_correct_format),
        "license_key_exists": int(stored.license_key_exists),
        "product_exists": int(stored.product_exists),
        "product_version_exists": int(stored.product_version_exists),
        "has_red_flags": int(stored.has_red_flags),
        "created_at": row_date(stored.created_at),
        "updated_at": row_date(stored.created_at),
    }
