"""Counting only as far as anybody reads: a million rows cost what ten thousand do."""

from typing import Any, NamedTuple

from django.db.models import IntegerField, QuerySet, Subquery

COUNT_CAP = 10_000  # a list says "10,000+" instead of counting further
ROW_COUNT_CAP = 1_000  # the same for a count inside a row of a list


class Count(NamedTuple):
    """A number of rows, and whether there are more than that."""

    number: int
    more: bool

    def __str__(self) -> str:
        return f"{self.number:,}{'+' if self.more else ''}"


def capped(number: int, cap: int) -> Count:
    """What a count that stopped at `cap` + 1 says."""
    return Count(min(number, cap), number > cap)


def count_up_to(rows: QuerySet[Any], cap: int = COUNT_CAP) -> Count:
    return capped(rows.order_by().values("pk")[: cap + 1].count(), cap)


class CountUpTo(Subquery):
    """How many rows a correlated query finds, counting to `ROW_COUNT_CAP` + 1 at most."""

    template = "(SELECT COUNT(*) FROM (%(subquery)s) counted)"
    output_field = IntegerField()

    def __init__(self, rows: QuerySet[Any]) -> None:
        super().__init__(rows.order_by().values("pk")[: ROW_COUNT_CAP + 1])
