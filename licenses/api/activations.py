"""verify, activate and deactivate."""

from licenses.api.endpoint import Call, Reply
from licenses.api.fields import LicenseParams, TextField
from licenses.codes import Code
from licenses.services.activations import activate_license, deactivate_license, verify_license


class VerifyParams(LicenseParams):
    pass


def verify(call: Call) -> Reply:
    found = verify_license(**call.params)
    return Reply(Code.VALID_LICENSE_KEY, product_id=found.product_id)


class ActivateParams(LicenseParams):
    post_url = TextField(max_length=2000)


def activate(call: Call) -> Reply:
    found = activate_license(**call.params, actor=call.actor)
    return Reply(Code.LICENSE_KEY_ACTIVATED, product_id=found.product_id)


class DeactivateParams(LicenseParams):
    pass


def deactivate(call: Call) -> Reply:
    found = deactivate_license(**call.params, actor=call.actor)
    return Reply(Code.LICENSE_KEY_DEACTIVATED, product_id=found.product_id)
