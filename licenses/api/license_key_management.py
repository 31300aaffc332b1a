"""update-license-key, delete-license-key, get-license-keys and get-available-license-keys-count."""

from datetime import UTC, datetime
from typing import Any

from django.core.exceptions import NON_FIELD_ERRORS, ValidationError
from rest_framework import serializers

from licenses.api.answers import answers
from licenses.api.endpoint import Call, Reply
from licenses.api.fields import (
    OWNER_ALIASES,
    PRODUCT_ALIASES,
    LicenseKeyField,
    NumberField,
    PageParams,
    Params,
    ProductParams,
    TextField,
)
from licenses.api.products import FeaturesField, WordField
from licenses.api.shapes import row_date
from licenses.codes import Code, Refused
from licenses.models import LicenseKey, Product
from licenses.models.license_keys import MAX_VALIDITY_DAYS, UNLIMITED
from licenses.reports.pages import page_of_license_keys
from licenses.services.license_key_changes import Revision, revise_license_key
from licenses.services.license_keys import destroy_license_key
from licenses.services.lookup import find_product

YEARS = range(1970, 3000)  # with a century of validity a date stays one that every program can write
NO_SUCH_PRODUCT = "There is no such product."
STATUSES = LicenseKey.Status.values


class MomentField(serializers.DateTimeField):
    """An optional `YYYY-MM-DD HH:MM:SS` in UTC, or as rows carry dates; None when missing, null or empty."""

    default_error_messages = {
        "invalid": "This must be a date as YYYY-MM-DD HH:MM:SS, in UTC.",
        "years": f"This must be a date from {YEARS[0]} to {YEARS[-1]}.",
    }

    def __init__(self) -> None:
        super().__init__(required=False, allow_null=True, default=None, default_timezone=UTC)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        return super().run_validation(serializers.empty if data is None or data == "" else data)

    def to_internal_value(self, value: Any) -> datetime:
        found: datetime = super().to_internal_value(value)
        return found if found.year in YEARS else self.fail("years")


class LimitField(NumberField):
    """An activation limit; -1 means unlimited as 0 does, as some programs write it."""

    def __init__(self) -> None:
        super().__init__(low=-1)

    def run_validation(self, data: Any = serializers.empty) -> Any:
        found = super().run_validation(data)
        return UNLIMITED if found == -1 else found


class TermsParams(ProductParams):
    """What a license key has when it is created or changed."""

    aliases = PRODUCT_ALIASES | OWNER_ALIASES | {"validity": ("validity_days",)}
    needed: tuple[str, ...] = ()

    owner_name = TextField()
    owner_email = TextField(max_length=254)
    activation_limit = LimitField()
    validity = NumberField(high=MAX_VALIDITY_DAYS, source="validity_days")
    status = WordField(*STATUSES, "", default="")
    assigned_at = MomentField()


class UpdateLicenseKeyParams(TermsParams):
    """Only what is sent is there."""

    aliases = TermsParams.aliases | {"license_key": ("entitlement_key",)}
    invalid = Code.UPDATE_LICENSE_KEY_INCORRECT
    needed: tuple[str, ...] = ("license_key",)

    license_key = LicenseKeyField()
    features = FeaturesField()

    def __init__(self, **options: Any) -> None:
        super().__init__(partial=True, **options)


NAMES = {"validity_days": "validity", "product": "product_id", NON_FIELD_ERRORS: "license_key"}


@answers(Code.LICENSE_KEY_UPDATED, Code.UPDATE_LICENSE_KEY_NOT_FOUND, Code.UPDATE_LICENSE_KEY_INCORRECT)
def update_license_key(call: Call) -> Reply:
    changes = dict(call.params)
    license_key, product = changes.pop("license_key", ""), _product(changes.pop("product_id", ""))
    try:
        found = revise_license_key(
            license_key=license_key, revision=Revision(product=product, **changes), actor=call.actor
        )
    except ValidationError as error:
        errors = {NAMES.get(name, name): texts for name, texts in error.message_dict.items()}
        raise Refused(Code.UPDATE_LICENSE_KEY_INCORRECT, errors=errors) from error
    return Reply(Code.LICENSE_KEY_UPDATED, product_id=found.product_id)


def _product(text: str) -> Product | None:
    if not text:
        return None
    return find_product(text, or_refuse=Code.UPDATE_LICENSE_KEY_INCORRECT, errors={"product_id": [NO_SUCH_PRODUCT]})


class DeleteLicenseKeyParams(Params):
    aliases = {"license_key": ("entitlement_key",)}
    needed: tuple[str, ...] = ("license_key",)

    license_key = LicenseKeyField()


@answers(Code.LICENSE_KEY_DELETED, Code.DELETE_LICENSE_KEY_NOT_FOUND)
def delete_license_key(call: Call) -> Reply:
    found = destroy_license_key(**call.params, actor=call.actor)
    return Reply(Code.LICENSE_KEY_DELETED, product_id=found.product_id)


class GetLicenseKeysParams(PageParams, ProductParams):
    """Filters; an owner's name and e-mail address are compared whole, whatever their case."""

    aliases = PRODUCT_ALIASES | OWNER_ALIASES
    needed: tuple[str, ...] = ()

    status = WordField(*STATUSES, "", default="")
    owner_email = TextField(max_length=254)
    owner_name = TextField()


@answers(Code.LICENSE_KEYS)
def get_license_keys(call: Call) -> Reply:
    filters = dict(call.params)
    text = filters.pop("product_id")
    product = Product.objects.named(text) if text else None
    found = [] if text and product is None else page_of_license_keys(**filters, product=product)
    rows = [_row(license_key) for license_key in found]
    return Reply(Code.LICENSE_KEYS, {"license_keys": rows}, product.pk if product else None)


def _row(found: LicenseKey) -> dict[str, Any]:
    """A row as shops store it: no other field may be added."""
    return {
        "id": found.pk,
        "product_id": found.product_id,
        "license_key": found.license_key,
        "owner_name": (found.owner and found.owner.name) or None,
        "owner_email": (found.owner and found.owner.email) or None,
        "activation_limit": found.activation_limit,
        "validity": found.validity_days,
        "assigned_at": row_date(found.assigned_at),
        "status": found.status,
        "created_at": row_date(found.created_at),
        "updated_at": row_date(found.updated_at),
    }


@answers(Code.AVAILABLE_COUNT, Code.COUNT_PRODUCT_NOT_FOUND)
def get_available_license_keys_count(call: Call) -> Reply:
    product = find_product(call.params["product_id"], or_refuse=Code.COUNT_PRODUCT_NOT_FOUND)
    count = LicenseKey.objects.available().filter(product=product).count()
    return Reply(Code.AVAILABLE_COUNT, {"count": count}, product.pk)
