"""How the protocol writes what several answers hold: dates and metadata."""

from collections.abc import Iterable
from datetime import datetime

from licenses.models import LicenseKeyMetadata, ProductMetadata


def detail_date(moment: datetime | None) -> str | None:
    """`YYYY-MM-DD HH:MM:SS` in UTC, as details carry dates (D9)."""
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else None


def row_date(moment: datetime | None) -> str | None:
    """`YYYY-MM-DDTHH:MM:SS.000000Z`, as rows carry dates (D9): always six zeros."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.000000Z") if moment else None


def exact_date(moment: datetime) -> str:
    """`YYYY-MM-DDTHH:MM:SS.ffffffZ`: only `assigned_at` of random assignments has real microseconds."""
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def pairs(rows: Iterable[LicenseKeyMetadata | ProductMetadata]) -> list[dict[str, str]]:
    return [{"key": row.name, "value": row.value} for row in rows]
