"""Counts by day: exact, whoever adds at the same time."""

import threading
from datetime import date

import pytest
from django.db import connection

from licenses.models import DailyCount
from licenses.services.daily_counts import Counted, add_to_daily_counts

DAY = date(2026, 2, 28)


@pytest.mark.django_db
def test_numbers_add_up_by_day_name_and_product():
    add_to_daily_counts({Counted(DAY, "refused.210"): 2, Counted(DAY, "refused.210", 7): 3, Counted(DAY, "none"): 0})
    add_to_daily_counts({Counted(DAY, "refused.210"): 40})
    rows = DailyCount.objects.values_list("day", "name", "product_number", "count")
    assert sorted(rows) == [(DAY, "refused.210", 0, 42), (DAY, "refused.210", 7, 3)]


@pytest.mark.django_db(transaction=True)
def test_nothing_is_lost_between_writers():
    def add() -> None:
        for _ in range(25):
            add_to_daily_counts({Counted(DAY, "b"): 1, Counted(DAY, "a"): 2})
        connection.close()

    writers = [threading.Thread(target=add) for _ in range(4)]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert dict(DailyCount.objects.values_list("name", "count")) == {"a": 200, "b": 100}
