"""verify, activate, deactivate and deactivate-all."""

from collections.abc import Mapping
from typing import Any

from rest_framework.serializers import ValidationError, empty

from licenses.api.answers import GATE, answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import LICENSE_ALIASES, OWNER_ALIASES, LicenseKeyField, LicenseParams, Params, TextField
from licenses.codes import Code
from licenses.services.activations import activate_license, deactivate_license, verify_license
from licenses.services.envato import add_purchase_code as add


class OwnerEmailField(TextField):
    """An e-mail address that only a new purchase code needs: what is none must not stop a license key from working."""

    def run_validation(self, data: Any = empty) -> Any:
        try:
            return super().run_validation(data)
        except ValidationError:
            return ""


class VerifyParams(LicenseParams):
    """`owner_email` is stored when an Envato purchase code becomes a license key, and only then."""

    aliases = LICENSE_ALIASES | {"owner_email": OWNER_ALIASES["owner_email"]}

    owner_email = OwnerEmailField(max_length=254)


@answers(Code.VALID_LICENSE_KEY, *GATE, Code.NO_ACTIVATION_FOUND, Code.ENVATO_PURCHASE_CODE_ADDED)
def verify(call: Call) -> Reply:
    found = verify_license(**without(call.params, "owner_email"))
    return Reply(Code.VALID_LICENSE_KEY, product_id=found.product_id)


class ActivateParams(VerifyParams):
    post_url = TextField(max_length=2000)


@answers(
    Code.LICENSE_KEY_ACTIVATED,
    *GATE,
    Code.LICENSE_KEY_ALREADY_ACTIVE,
    Code.ACTIVATION_LIMIT_REACHED,
    Code.ENVATO_PURCHASE_CODE_ADDED,
)
def activate(call: Call) -> Reply:
    found = activate_license(**without(call.params, "owner_email"), actor=call.actor)
    return Reply(Code.LICENSE_KEY_ACTIVATED, product_id=found.product_id)


def add_purchase_code(call: Call) -> Reply | None:
    """Before a license key is looked up: what nobody knows may be an Envato purchase code, which is added now."""
    license_key, owner_email = call.params["license_key"], call.params["owner_email"]
    added = add(license_key=license_key, owner_email=owner_email, actor=call.actor)
    return Reply(Code.ENVATO_PURCHASE_CODE_ADDED, product_id=added.product_id) if added else None


def without(params: Mapping[str, Any], name: str) -> dict[str, Any]:
    return {key: value for key, value in params.items() if key != name}


class DeactivateParams(LicenseParams):
    pass


@answers(
    Code.LICENSE_KEY_DEACTIVATED,
    Code.LICENSE_KEY_INVALID,
    Code.LICENSE_KEY_NOT_ASSIGNED,
    Code.PRODUCT_INACTIVE,
    Code.IDENTIFIER_REQUIRED,
    Code.LICENSE_KEY_ALREADY_INACTIVE,
)
def deactivate(call: Call) -> Reply:
    found = deactivate_license(**call.params, actor=call.actor)
    return Reply(Code.LICENSE_KEY_DEACTIVATED, product_id=found.product_id)


class DeactivateAllParams(Params):
    aliases = {"license_key": LICENSE_ALIASES["license_key"]}
    needed: tuple[str, ...] = ("license_key",)

    license_key = LicenseKeyField()


@answers(
    Code.LICENSE_KEY_DEACTIVATED,
    Code.LICENSE_KEY_INVALID,
    Code.LICENSE_KEY_NOT_ASSIGNED,
    Code.PRODUCT_INACTIVE,
    Code.LICENSE_KEY_ALREADY_INACTIVE,
)
def deactivate_all(call: Call) -> Reply:
    found = deactivate_license(**call.params, identifier=None, actor=call.actor)
    return Reply(Code.LICENSE_KEY_DEACTIVATED, product_id=found.product_id)
