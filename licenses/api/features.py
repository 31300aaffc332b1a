"""get-license-key-feature: what software may do under a license key."""

from licenses.api.answers import USABLE, answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import LicenseParams, TextField
from licenses.codes import Code
from licenses.services.activations import find_running


class FeatureParams(LicenseParams):
    needed: tuple[str, ...] = ("license_key", "feature")

    feature = TextField()


@answers(Code.VALID_LICENSE_KEY, *USABLE, Code.NO_ACTIVATION_FOUND)
def get_license_key_feature(call: Call) -> Reply:
    """A feature that nobody defined is off. Without an identifier no activation is asked for."""
    found, _ = find_running(license_key=call.params["license_key"], identifier=call.params["identifier"] or None)
    feature = call.params["feature"]
    value = found.allowed_features.get(feature)
    fields = {"enabled": bool(value), "feature": feature, "value": value}
    return Reply(Code.VALID_LICENSE_KEY, fields, found.product_id)
