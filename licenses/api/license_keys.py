"""assign-license-key, assign-and-activate-license-key and get-license-key-details."""

from typing import Any

from licenses.api.answers import GATE, answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import LICENSE_ALIASES, OWNER_ALIASES, LicenseKeyField, LicenseParams, Params, TextField
from licenses.api.shapes import detail_date, pairs
from licenses.codes import Code
from licenses.models import LicenseKey, Product
from licenses.services.activations import find_running
from licenses.services.license_keys import assign_and_activate
from licenses.services.license_keys import assign_license_key as assign


class AssignLicenseKeyParams(Params):
    aliases = OWNER_ALIASES | {"license_key": LICENSE_ALIASES["license_key"]}
    needed: tuple[str, ...] = ("license_key",)

    license_key = LicenseKeyField()
    owner_name = TextField()
    owner_email = TextField(max_length=254)


@answers(Code.LICENSE_KEY_ASSIGNED, Code.LICENSE_KEY_NOT_AVAILABLE)
def assign_license_key(call: Call) -> Reply:
    found = assign(**call.params, actor=call.actor)
    return Reply(Code.LICENSE_KEY_ASSIGNED, product_id=found.product_id)


class AssignAndActivateParams(AssignLicenseKeyParams):
    aliases = AssignLicenseKeyParams.aliases | LICENSE_ALIASES
    needed: tuple[str, ...] = ("license_key", "identifier")

    identifier = TextField()
    post_url = TextField(max_length=2000)


@answers(
    Code.LICENSE_KEY_ACTIVATED,
    Code.LICENSE_KEY_NOT_AVAILABLE,
    Code.PRODUCT_INACTIVE,
    Code.IDENTIFIER_REQUIRED,
    Code.ACTIVATION_LIMIT_REACHED,
)
def assign_and_activate_license_key(call: Call) -> Reply:
    found = assign_and_activate(**call.params, actor=call.actor)
    return Reply(Code.LICENSE_KEY_ACTIVATED, product_id=found.product_id)


class LicenseKeyDetailsParams(LicenseParams):
    pass


@answers(Code.ACTIVE_LICENSE_KEY_FOUND, *GATE, Code.NO_ACTIVATION_FOUND, Code.LICENSE_KEY_DETAILS_NOT_FOUND)
def get_license_key_details(call: Call) -> Reply:
    found, _ = find_running(**call.params)
    fields = {"licenseKey": _license_key_details(found), "product": _product_details(found.product)}
    return Reply(Code.ACTIVE_LICENSE_KEY_FOUND, fields, found.product_id)


def _license_key_details(found: LicenseKey) -> dict[str, Any]:
    return {
        "id": found.pk,
        "license_key": found.license_key,
        "owner_name": found.owner.name if found.owner else "",
        "owner_email": found.owner.email if found.owner else "",
        "activation_limit": found.activation_limit,
        "validity": found.validity_days,
        "assigned_at": detail_date(found.assigned_at),
        "meta_data": pairs(found.metadata.all()),
        "expires_at": detail_date(found.expires_at) or False,
    }


def _product_details(product: Product) -> dict[str, Any]:
    return {
        "id": product.pk,
        "external_reference": product.external_reference,
        "source": product.source,
        "name": product.name,
        "post_url": product.post_url,
        "description": product.description,
        "meta_data": pairs(product.metadata.all()),
    }
