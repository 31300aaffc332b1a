"""The client profile `sdk` (D19): the flat fields that existing SDKs read, and a signature over the bytes they verify.

The PHP, Laravel and JavaScript SDKs read `code`, `success`, `valid`, `license` and so on beside `response`, and verify
`signature` over the JSON of the whole envelope without it. Their `license` fails open: only a status like `revoked` or
an expiry in the past denies, so every failure carries both. Keys are sorted at every level, because one of their
helpers sorts before it verifies; what PHP and JavaScript would write differently when they encode it again is left out.
"""

from collections.abc import Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any

from django.db import Error
from django.http import HttpResponse

from licenses import signing
from licenses.api.fields import LicenseParams
from licenses.api.replies import NO_USABLE_KEY, Reply, answer_failure, envelope_of, respond
from licenses.api.shapes import detail_date
from licenses.codes import Code
from licenses.models import Activation, Capability, LicenseKey
from licenses.services import signing_keys
from licenses.services.license_files import make_chunked
from licenses.signing import encode_portable, portable

LICENSE_CALLS = {
    Capability.VERIFY,
    Capability.ACTIVATE,
    Capability.DEACTIVATE,
    Capability.DEACTIVATE_ALL,
    Capability.GET_LICENSE_KEY_DETAILS,
    Capability.GET_LICENSE_KEY_FEATURE,
    Capability.GET_LICENSE_FILE,
    Capability.ACCESS_DOWNLOADABLES,
    Capability.ASSIGN_AND_ACTIVATE,
}
WITHOUT_IDENTIFIER = {
    Capability.VERIFY,
    Capability.GET_LICENSE_KEY_DETAILS,
    Capability.CREATE_LICENSE_KEY_META,
    Capability.UPDATE_LICENSE_KEY_META,
    Capability.DELETE_LICENSE_KEY_META,
}
IN_USE = {  # answers that say: this license key may run here
    Code.VALID_LICENSE_KEY,
    Code.LICENSE_KEY_ACTIVATED,
    Code.LICENSE_KEY_ALREADY_ACTIVE,
    Code.ACTIVE_LICENSE_KEY_FOUND,
    Code.LICENSE_FILE_RETRIEVED,
    Code.DOWNLOADS,
}
WITH_LICENSE_FILE = {Code.VALID_LICENSE_KEY, Code.LICENSE_KEY_ACTIVATED, Code.LICENSE_KEY_ALREADY_ACTIVE}
SUCCESSES = IN_USE | {
    Code.ENVATO_PURCHASE_CODE_ADDED,
    Code.METADATA_DELETED,
    Code.PRODUCT_METADATA_CREATED,
    Code.METADATA_UPDATED,
    Code.PRODUCT_METADATA_UPDATED,
    Code.LICENSE_KEY_DEACTIVATED,
    Code.METADATA_CREATED,
    Code.PRODUCT_METADATA_DELETED,
    Code.PRODUCT_DELETED,
    Code.PRODUCT_FOUND,
    Code.PUBLIC_KEY_FOUND,
    Code.PRODUCT_UPDATED,
    Code.LICENSE_KEYS,
    Code.AVAILABLE_COUNT,
    Code.PRODUCT_CREATED,
    Code.LICENSE_KEY_ASSIGNED,
    Code.LICENSE_KEYS_ASSIGNED,
    Code.REQUEST_QUEUED,
    Code.ALL_PRODUCTS,
    Code.LICENSE_KEYS_GENERATED,
    Code.ALL_GENERATORS,
    Code.TELEMETRY_SAVED,
    Code.CONTRACT_CREATED,
    Code.CONTRACT_UPDATED,
    Code.CONTRACT_DELETED,
    Code.ALL_CONTRACTS,
    Code.LICENSE_KEY_DELETED,
    Code.LICENSE_KEYS_CREATED,
    Code.LICENSE_KEY_UPDATED,
    Code.TELEMETRY_FOUND,
    Code.CONTRACT_FOUND,
    Code.CONTRACT_LICENSE_KEYS_GENERATED,
    Code.CONTRACT_LICENSE_KEY_DELETED,
    Code.CONTRACT_LICENSE_KEYS_DELETED,
    Code.CHANGELOG_RETRIEVED,
}
INSTEAD = {(Capability.GET_LICENSE_KEY_DETAILS, Code.LICENSE_KEY_INVALID): Code.LICENSE_KEY_DETAILS_NOT_FOUND}
# Failures that the SDKs take for a success by their number: with this HTTP status they read the message instead
TAKEN_FOR_SUCCESS = {Code.LICENSE_KEY_DETAILS_NOT_FOUND, Code.LICENSE_FILE_FAILED}
LONG_AGO = "1970-01-01 00:00:00"
NO_DEVICE = "not bound to a device"  # null would fit every device


def lenient(params: Mapping[str, Any], capability: Capability | None) -> Mapping[str, Any]:
    """The parameters with None for the identifier that these SDKs do not send with every call."""
    if capability in WITHOUT_IDENTIFIER and not params["identifier"]:
        return {**params, "identifier": None}
    return params


def seal_reply(reply: Reply, capability: Capability | None, sent: Mapping[str, Any]) -> HttpResponse:
    """The answer in the form of this profile, signed with the product's key wherever a product is known."""
    reply = replace(reply, code=INSTEAD.get((capability, reply.code), reply.code)) if capability else reply
    try:
        signer = signing_keys.signer_for(reply.product_id)
        envelope = envelope_of(reply, signer) | _extras(reply, capability, sent) | reply.beside()
    except (Error, *NO_USABLE_KEY) as exc:
        return answer_failure(exc, reply.echo)
    del envelope["signature"]
    sealed = portable(envelope)
    sealed["signature"] = signing.sign_text(encode_portable(sealed), private_key=signer.private_key)
    http_status = reply.code.value.http_status
    return respond(sealed, HTTPStatus.UNPROCESSABLE_ENTITY if reply.code in TAKEN_FOR_SUCCESS else http_status)


def _extras(reply: Reply, capability: Capability | None, sent: Mapping[str, Any]) -> dict[str, Any]:
    """What stands beside `response`: its own fields, and those that SDKs read of every answer (null, never false)."""
    in_use = reply.code in IN_USE and capability in LICENSE_CALLS
    found, activation = _find(sent) if in_use else (None, None)
    success = reply.code in SUCCESSES
    return {
        **replace(reply, echo={}).response(),
        "code": int(reply.code.value.number),
        "success": success,
        "message": reply.code.value.message,
        "valid": found is not None,
        "license": _license(found, activation) if found else _denied(reply.code, capability, success=success),
        "activation": _activation(activation),
        "licFileContent": reply.fields.get("licFileContent") or _license_file(reply.code, found, activation),
    }


def _find(sent: Mapping[str, Any]) -> tuple[LicenseKey | None, Activation | None]:
    """The license key that the call was about, and its live activation there."""
    params = LicenseParams(data=sent)
    params.is_valid(raise_exception=True)  # it was, or there would be no such answer
    named = params.validated_data
    found = LicenseKey.objects.select_related("product").filter(license_key=named["license_key"]).first()
    live = Activation.objects.live().filter(license_key=found, identifier=named["identifier"])
    return found, live.first() if found else None


def _license(found: LicenseKey, activation: Activation | None) -> dict[str, Any]:
    """`hardware_id` binds it to the device, or to none, should anybody take the answer for a license file."""
    return {
        "license_key": found.license_key,
        "status": "active",
        "expires_at": detail_date(found.expires_at),
        "hardware_id": activation.identifier if activation else NO_DEVICE,
        "features": {name: value for name, value in found.allowed_features.items() if value is not False},
        "metadata": {row.name: row.value for row in found.metadata.all()},
    }


def _denied(code: Code, capability: Capability | None, *, success: bool) -> dict[str, Any] | None:
    if success or capability not in LICENSE_CALLS:
        return None
    status = "suspended" if code in (Code.LICENSE_KEY_BLOCKED, Code.LICENSE_KEY_EXPIRED) else "revoked"
    return {"license_key": None, "status": status, "expires_at": LONG_AGO, "features": {}, "metadata": {}}


def _activation(activation: Activation | None) -> dict[str, Any] | None:
    if activation is None:
        return None
    return {
        "id": str(activation.pk),
        "identifier": activation.identifier,
        "activated_at": detail_date(activation.activated_at),
    }


def _license_file(code: Code, found: LicenseKey | None, activation: Activation | None) -> str | None:
    if found is None or activation is None or code not in WITH_LICENSE_FILE:
        return None
    return make_chunked(found, identifier=activation.identifier)
