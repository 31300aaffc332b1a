"""Uploaded assignments in tests: spreadsheets, and a worker without a process."""

import io
from typing import Any
from unittest import mock

from openpyxl import Workbook

from licenses.models import Assignment, Product
from licenses.services import assignment_work
from licenses.services.assignment_jobs import check_assignment, prepare_upload, start_assignment, store_upload
from licenses.services.assignment_work import work_on_next_assignment
from licenses.services.stock import generate_license_keys
from tests.audit import BY
from tests.factories import ACTOR, ProductFactory

HEADER = "license_key,owner_email,owner_name,reference"
ALL = {"license_key": 0, "owner_email": 1, "owner_name": 2, "reference": 3}


def stocked(quantity: int) -> Product:
    product = ProductFactory(name="Photo Editor")
    if quantity:
        generate_license_keys(product=product, quantity=quantity, actor=ACTOR)
    return product


def csv_of(*rows: str, header: str = HEADER) -> bytes:
    return "".join(f"{row}\n" for row in (header, *rows)).encode()


def xlsx_of(*rows: list[Any]) -> bytes:
    book = Workbook()
    for row in rows:
        book.active.append(row)
    file = io.BytesIO()
    book.save(file)
    return file.getvalue()


def uploaded(*rows: str, name: str = "owners.csv") -> Assignment:
    return store_upload(name=name, upload=prepare_upload(csv_of(*rows)), **BY)


def checked(*rows: str, product: Product | None, again: bool = False) -> Assignment:
    assignment = uploaded(*rows)
    assert check_assignment(assignment=assignment, columns=ALL, product=product, again=again)
    return worked(assignment)


def started(*rows: str, product: Product | None, again: bool = False) -> Assignment:
    assignment = checked(*rows, product=product, again=again)
    assert start_assignment(assignment=assignment, **BY)
    assignment.refresh_from_db()
    return assignment


def worked(assignment: Assignment, *, batches: int = 0, size: int = 500) -> Assignment:
    """What a worker makes of it; with `batches`, one that is asked to stop after so many."""
    left = [batches]

    def between() -> bool:
        left[0] -= 1
        return left[0] == 0

    with mock.patch.object(assignment_work, "BATCH", size):
        work_on_next_assignment(between=between)
    assignment.refresh_from_db()
    return assignment
