"""How the protocol writes license keys that were just assigned: in an answer, and in what is posted to a shop."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import prefetch_related_objects

from licenses.models import LicenseKey, LicenseKeyMetadata, ProductMetadata


def assigned_rows(keys: Sequence[LicenseKey], *, owner_name: str, owner_email: str) -> list[dict[str, Any]]:
    """Just assigned license keys as shops store them: with the owner as the caller wrote it, and no other field."""
    prefetch_related_objects(keys, "metadata")
    return [_row(found, owner_name, owner_email) for found in keys]


def _row(found: LicenseKey, owner_name: str, owner_email: str) -> dict[str, Any]:
    return {
        "product_id": found.product_id,
        "license_key": found.license_key,
        "activation_limit": found.activation_limit,
        "validity": found.validity_days,
        "status": found.status,
        "owner_name": owner_name or None,
        "owner_email": owner_email or None,
        "assigned_at": exact_date(found.assigned_at) if found.assigned_at else None,
        "contract_id": found.contract_id,
        "updated_at": row_date(found.updated_at),
        "created_at": row_date(found.created_at),
        "id": found.pk,
        "meta_data": pairs(found.metadata.all()),
    }


def row_date(moment: datetime | None) -> str | None:
    """`YYYY-MM-DDTHH:MM:SS.000000Z`, as rows carry dates (D9): always six zeros."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000000Z") if moment else None


def exact_date(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`: only `assigned_at` of random assignments has real microseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def pairs(rows: Iterable[LicenseKeyMetadata | ProductMetadata]) -> list[dict[str, str]]:
    return [{"key": row.name, "value": row.value} for row in rows]
