"""What is known about a license key: named values, written by customers' software."""

from django.db import transaction
from django.db.models import Count, Sum
from django.db.models.functions import Coalesce, Length

from licenses.codes import Code, Refused
from licenses.events import Kind, record
from licenses.models import Actor, LicenseKey, LicenseKeyMetadata
from licenses.services.lookup import lock_license_key, require_identifier, require_usable

MAX_NAMES = 100
MAX_CHARACTERS = 262_144  # of all values of a license key


@transaction.atomic
def create_metadata(
    *, license_key: str, identifier: str | None, name: str, value: str, actor: Actor
) -> LicenseKeyMetadata:
    """Store a new name with its value; refuses 452 when the name is taken. No activation is needed (D6)."""
    found = _open(license_key, identifier)
    if not name:
        raise Refused(Code.CREATE_METADATA_NAME_REQUIRED, product_id=found.product_id)
    if not value:
        raise Refused(Code.CREATE_METADATA_VALUE_REQUIRED, product_id=found.product_id)
    if found.metadata.filter(name=name).exists():
        raise Refused(Code.CREATE_METADATA_EXISTS, product_id=found.product_id)
    _require_room(found, value, more=1)
    metadata = LicenseKeyMetadata.objects.create(license_key=found, name=name, value=value)
    record(Kind.METADATA_CREATED, found, actor=actor, after={name: value})
    return metadata


@transaction.atomic
def update_metadata(
    *, license_key: str, identifier: str | None, name: str, value: str, actor: Actor
) -> LicenseKeyMetadata:
    """Give a name that exists another value; refuses 352 when it does not exist."""
    found = _open(license_key, identifier)
    if not name:
        raise Refused(Code.UPDATE_METADATA_NAME_REQUIRED, product_id=found.product_id)
    if not value:
        raise Refused(Code.UPDATE_METADATA_VALUE_REQUIRED, product_id=found.product_id)
    metadata = found.metadata.filter(name=name).first()
    if metadata is None:
        raise Refused(Code.UPDATE_METADATA_NOT_FOUND, product_id=found.product_id)
    _require_room(found, value, less=len(metadata.value))
    before, metadata.value = metadata.value, value
    metadata.save(update_fields=["value", "updated_at"])
    record(Kind.METADATA_UPDATED, found, actor=actor, before={name: before}, after={name: value})
    return metadata


@transaction.atomic
def delete_metadata(*, license_key: str, identifier: str | None, name: str, actor: Actor) -> LicenseKey:
    """Remove a name; refuses 251 when it does not exist. The audit keeps the value."""
    found = _open(license_key, identifier)
    if not name:
        raise Refused(Code.DELETE_METADATA_NAME_REQUIRED, product_id=found.product_id)
    metadata = found.metadata.filter(name=name).first()
    if metadata is None:
        raise Refused(Code.DELETE_METADATA_NOT_FOUND, product_id=found.product_id)
    metadata.delete()
    record(Kind.METADATA_DELETED, found, actor=actor, before={name: metadata.value})
    return found


def _require_room(found: LicenseKey, value: str, *, more: int = 0, less: int = 0) -> None:
    """Customers' software writes it and every answer with details carries it, so there is an end to it."""
    known = found.metadata.aggregate(names=Count("pk"), characters=Coalesce(Sum(Length("value")), 0))
    if known["names"] + more > MAX_NAMES:
        raise Refused(Code.MALFORMED_REQUEST, errors={"key": [f"A license key has at most {MAX_NAMES} names."]})
    if known["characters"] - less + len(value) > MAX_CHARACTERS:
        problem = f"The values of a license key have at most {MAX_CHARACTERS} characters together."
        raise Refused(Code.MALFORMED_REQUEST, errors={"value": [problem]})


def _open(license_key: str, identifier: str | None) -> LicenseKey:
    found = lock_license_key(license_key)
    require_usable(found)
    require_identifier(found, identifier)
    return found
