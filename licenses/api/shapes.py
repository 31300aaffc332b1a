"""How the protocol writes what several answers hold: dates and metadata."""

from datetime import datetime

from licenses.services.shapes import pairs, row_date

__all__ = ["detail_date", "pairs", "row_date"]


def detail_date(moment: datetime | None) -> str | None:
    """`YYYY-MM-DD HH:MM:SS` in UTC, as details carry dates (D9)."""
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else None
