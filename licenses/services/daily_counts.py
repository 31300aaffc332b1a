"""Counting by day what the charts show, so that no chart reads millions of rows."""

from collections.abc import Mapping
from datetime import date
from typing import NamedTuple

from django.db import connection

ADD = """
INSERT INTO licenses_daily_count (day, name, product_number, count) VALUES (%s, %s, %s, %s)
ON CONFLICT (day, name, product_number) DO UPDATE SET count = licenses_daily_count.count + excluded.count
"""


class Counted(NamedTuple):
    """What a count is of; see `DailyCount`."""

    day: date
    name: str
    product_number: int = 0


def add_to_daily_counts(counts: Mapping[Counted, int]) -> None:
    """Add these numbers to those that are stored, exactly, whoever else does so at the same time."""
    rows = [(*counted, number) for counted, number in sorted(counts.items()) if number]  # sorted: no deadlocks
    with connection.cursor() as cursor:
        cursor.executemany(ADD, rows)
