"""get-license-file: what customers' software needs to run without the portal."""

from licenses.api.answers import GATE, answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import LicenseParams, NumberField, TextField
from licenses.codes import Code
from licenses.services.license_files import GRACE_PERIOD_DAYS, MAX_GRACE_PERIOD_DAYS
from licenses.services.license_files import get_license_file as get


class LicenseFileParams(LicenseParams):
    grace_period_days = NumberField(default=GRACE_PERIOD_DAYS, high=MAX_GRACE_PERIOD_DAYS)
    environment = TextField(max_length=50)


@answers(Code.LICENSE_FILE_RETRIEVED, *GATE, Code.NO_ACTIVATION_FOUND, Code.LICENSE_FILE_FAILED)
def get_license_file(call: Call) -> Reply:
    found, made = get(**call.params, actor=call.actor)
    fields = {"licFileContent": made.chunked, "licenseFile": made.document}
    return Reply(Code.LICENSE_FILE_RETRIEVED, fields, found.product_id)
