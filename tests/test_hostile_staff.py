"""Staff with too few rights, and spreadsheets that mean harm: what they learn, and what they cost."""

import io
import tracemalloc
import zipfile

import pytest
from django.contrib.auth.models import Permission, User
from django.core.exceptions import ValidationError
from django.test import Client
from django.utils import timezone
from openpyxl import Workbook

from licenses.admin.porting.sheets import SheetProblem, read_sheet
from licenses.models import BlockListEntry, LicenseKey, Product
from licenses.services import workbooks
from licenses.services.assignment_files import MAX_LINES
from licenses.services.assignment_jobs import prepare_upload
from licenses.services.uploads import MAX_COLUMNS
from tests.bulk import started, stocked, worked
from tests.factories import ContractFactory, LicenseKeyFactory, OwnerFactory
from tests.test_import_export import problems, send, workbook

pytestmark = pytest.mark.django_db

SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'
MB = 2**20


def only(*rights: str) -> Client:
    user = User.objects.create_user("few", password="a-long-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=rights))
    client = Client()
    client.force_login(user)
    return client


# What they learn


@pytest.mark.parametrize("where", ["", "export/"])
@pytest.mark.parametrize(
    "lookup",
    [
        "product__contracts__contract_key__startswith",
        "product__queued_assignments__webhook_url__startswith",
        "product__signing_keys__private_key_locked__startswith",
        "product__name__startswith",
        "status__regex",
    ],
)
def test_no_filter_reaches_past_its_column(lookup, where):
    """Letter by letter, the rows that match would spell out the secret."""
    contract = ContractFactory(contract_key="SECRET-OF-THE-HOLDER")
    LicenseKeyFactory(product=contract.product)
    answer = only("view_licensekey").get(f"/admin/licenses/licensekey/{where}?{lookup}=S")
    assert answer.status_code == 400


def test_the_results_of_an_assignment_are_for_those_who_may_see_owners_and_license_keys():
    assignment = worked(started(",zoe@example.com,Zoe,order 1", product=stocked(1)))
    few = only("view_assignment")
    for name in ("results.csv", "results.xlsx", "problems.csv"):
        assert few.get(f"/admin/licenses/assignment/{assignment.pk}/{name}").status_code == 403
    page = few.get(f"/admin/licenses/assignment/{assignment.pk}/change/")
    assert page.status_code == 200 and "results.csv" not in page.content.decode()


@pytest.mark.parametrize(("rights", "told"), [((), False), (("view_blocklistentry",), True)])
def test_the_note_of_the_block_list_is_for_those_who_may_read_the_block_list(rights, told):
    found = LicenseKeyFactory(status="assigned", owner=OwnerFactory(), assigned_at=timezone.now())
    BlockListEntry.objects.create(kind="identifier", value="bad.example.com", reason="owes us money")
    url = f"/admin/licenses/licensekey/{found.pk}/change/"
    text = only("view_licensekey", *rights).get(url, {"identifier": "bad.example.com"}).content.decode()
    assert "on the block list" in text and ("owes us money" in text) is told


# What their files cost


def bomb(text: str) -> bytes:
    """A workbook whose sheet is this XML."""
    file, bad = io.BytesIO(), io.BytesIO()
    Workbook().save(file)
    with zipfile.ZipFile(file) as good, zipfile.ZipFile(bad, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in good.namelist():
            archive.writestr(name, text if name.endswith("sheet1.xml") else good.read(name))
    return bad.getvalue()


BOMBS = {
    "one row of millions of cells": SHEET + "<row>" + "<c/>" * (5 * MB // 4),
    "millions of levels": SHEET + "<a>" * (5 * MB // 3),
    "no row": SHEET.replace("<sheetData>", "<cols>") + "<col/>" * MB,
    "very many empty rows": SHEET + "<row/>" * 200_000,
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_small_workbook_takes_no_gigabytes(name, monkeypatch):
    monkeypatch.setattr(workbooks, "MAX_TAGS", 100_000 if "very many" in name else workbooks.MAX_TAGS)
    content = bomb(BOMBS[name])
    assert len(content) < MB
    tracemalloc.start()
    try:
        with pytest.raises(ValidationError, match=r"too large|too many cells"):
            prepare_upload(content)
        with pytest.raises(SheetProblem, match="too large"):
            read_sheet(content, encoding="utf-8-sig", most_rows=1_000)
        assert tracemalloc.get_traced_memory()[1] < 32 * MB
    finally:
        tracemalloc.stop()


def test_millions_of_blank_lines_are_refused_before_all_are_read():
    with pytest.raises(ValidationError, match="more than"):
        prepare_upload(b"email\n" + b"\n" * (MAX_LINES + 1))


def test_columns_beyond_the_last_are_refused_and_not_cut_off():
    with pytest.raises(ValidationError, match=f"more than {MAX_COLUMNS} columns"):
        prepare_upload(workbook([f"column {number}" for number in range(MAX_COLUMNS + 1)], ["a"] * (MAX_COLUMNS + 1)))


def test_no_row_of_an_import_is_passed_over(staff):
    book, file = Workbook(), io.BytesIO()
    book.active.append(["slug", "name"])
    book.active.append(["one", "One"])
    book.active.cell(500, 1, "two")
    book.active.cell(500, 2, "Two")
    book.save(file)
    answer = send(staff, Product, file.getvalue())
    assert not problems(answer) and answer.context["counts"]["new"] == 2


@pytest.mark.parametrize("cell", ["0001-01-01 00:00+12:00", "9999-12-31 23:59:59-12:00"])
def test_a_date_that_no_calendar_holds_is_a_mistake_of_its_line(staff, cell):
    found = LicenseKeyFactory(status="assigned", owner=OwnerFactory(), assigned_at=timezone.now())
    answer = send(staff, LicenseKey, f"license_key,expires_at\n{found.license_key},{cell}\n")
    assert answer.status_code == 200 and "2 expires_at Write a date between" in problems(answer)
