"""The gate that every call about a license key passes, in the order of the protocol (D4): 210, 201, 203, 204, 205.

Rows are locked in this order, so that no two calls wait for each other: the answer of an Idempotency-Key, product,
contract, license keys by their number, then what belongs to them and API keys; owners by their address, and last the
license keys that are new, by their text. Who stores a reference to a row shares a lock on that row when it commits, at
the end of all order: what is locked to be changed before others are waited for is locked with `no_key`, which lets
references through. What loses all the same is done again by the door (`retries.retried`).

Beside this order, because no call locks both: signing keys (the oldest row of a product's, or of the global ones, is
locked for all of them) and accounts of staff (by their number). The end of the audit chain is locked alone, after the
commit. So is the count of a throttle, except of a wrong guess under an Idempotency-Key: then after everything else.
"""

from typing import Any

from django.utils import timezone

from licenses.codes import Code, Refused
from licenses.models import LicenseKey, Product


def find_product(text: str, *, or_refuse: Code, **fields: Any) -> Product:
    """The product with this id, UUID or slug that is not deleted; refuses with the given code when there is none."""
    found = Product.objects.named(text)
    if found is None:
        raise Refused(or_refuse, **fields)
    return found


def find_license_key(license_key: str) -> LicenseKey:
    """The license key with its product and owner; refuses 210 when there is none."""
    found = LicenseKey.objects.select_related("product", "owner").filter(license_key=license_key).first()
    if found is None:
        raise Refused(Code.LICENSE_KEY_INVALID)
    return found


def lock_license_key(license_key: str, *, or_refuse: Code = Code.LICENSE_KEY_INVALID) -> LicenseKey:
    """As `find_license_key`, with the row locked until the transaction ends: whoever changes a key locks it first.

    Product and owner are read when they are asked for. In one statement with the lock they would be those from before
    it waited: PostgreSQL reads again what it locks and nothing else, and a row that no longer fits the join is gone.
    """
    found = LicenseKey.objects.select_for_update().filter(license_key=license_key).first()
    if found is None:
        raise Refused(or_refuse)
    return found


def require_assigned(found: LicenseKey) -> None:
    """Refuses 201 for a key that nobody owns yet, 203 for one whose product is inactive."""
    if found.status in (LicenseKey.Status.AVAILABLE, LicenseKey.Status.RESERVED):
        raise Refused(Code.LICENSE_KEY_NOT_ASSIGNED, product_id=found.product_id)
    if not found.product.is_active:
        raise Refused(Code.PRODUCT_INACTIVE, product_id=found.product_id)


def require_usable(found: LicenseKey) -> None:
    """`require_assigned`, then 204 for a blocked key and 205 for an expired one where the product minds."""
    require_assigned(found)
    if found.is_blocked:
        raise Refused(Code.LICENSE_KEY_BLOCKED, product_id=found.product_id)
    if found.product.require_non_expired and found.is_expired(timezone.now()):
        raise Refused(Code.LICENSE_KEY_EXPIRED, product_id=found.product_id)


def require_identifier(found: LicenseKey, identifier: str | None) -> None:
    """Refuses 215 for a call that does not say where the license key runs; None: it need not (client profile sdk)."""
    if identifier == "":
        raise Refused(Code.IDENTIFIER_REQUIRED, product_id=found.product_id)
