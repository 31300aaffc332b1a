"""Spreadsheets out of the admin and into it: what they hold, who may, and what is refused with which line (S32)."""

import csv
import io
import tracemalloc
import zipfile
from datetime import timedelta

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, Permission, User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from openpyxl import Workbook, load_workbook

from licenses import models
from licenses.admin.porting.table import RESOURCES
from licenses.models import AuditEvent, BlockListEntry, ImportFile, LicenseKey, Owner, Product
from licenses.services.csv_files import neutral, restored
from licenses.services.import_files import KEPT
from tests.factories import (
    ContractFactory,
    GeneratorFactory,
    LicenseKeyFactory,
    OwnerFactory,
    ProductFactory,
    ReleaseFactory,
)
from tests.test_admin_pages import fill

pytestmark = pytest.mark.django_db

NOT_EXPORTED = {  # and why
    "auth.user": "accounts of staff are no goods: who may sign in is decided one by one",
    "auth.group": "roles come from the table in licenses/roles.py",
    "settings_api.setting": "settings are read and set through their own API, where secrets stay masked",
}
SECRETS = {"digest", "private_key_locked", "webhook_url", "envelope"}
IMPORTED = [model for model, resource in RESOURCES.items() if resource.identity]
NAMES = [model.__name__ for model in IMPORTED]


def url_of(model, page: str) -> str:
    return f"/admin/licenses/{model._meta.model_name}/{page}/"


def export(client, model, *, format="csv", query="", columns=None):
    columns = columns or [column.column_name for column in client.get(url_of(model, "export")).context["columns"]]
    return client.post(url_of(model, "export") + query, {"format": format, "columns": columns})


def table(answer) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.getvalue().decode("utf-8-sig"), newline="")))


def send(client, model, content, *, name="rows.csv", encoding="utf-8-sig"):
    content = content.encode(encoding) if isinstance(content, str) else content
    return client.post(url_of(model, "import"), {"file": SimpleUploadedFile(name, content), "encoding": encoding})


def bring(client, model, content):
    """Send, look and confirm; what the preview said."""
    preview = send(client, model, content)
    assert "token" in preview.context, problems(preview)
    answer = client.post(url_of(model, "import"), {"token": preview.context["token"]})
    assert answer.status_code == 302, answer.context.get("mistakes")
    return preview.context["counts"]


def problems(answer) -> str:
    """Everything that the page complains of."""
    mistakes = [f"{line} {column} {text}" for line, column, text in answer.context.get("mistakes") or ()]
    return " ".join([*mistakes, *(answer.context["form"].errors.get("file") or ())])


def role(name: str) -> Client:
    user = User.objects.create_user(name, password="a-long-password-1", is_staff=True)
    user.groups.set([Group.objects.get(name=name)])
    client = Client()
    client.force_login(user)
    return client


def workbook(*rows) -> bytes:
    book, file = Workbook(), io.BytesIO()
    for row in rows:
        book.active.append(row)
    book.save(file)
    return file.getvalue()


# Out


def test_every_list_is_exported_or_says_why_not():
    registered = {model._meta.label_lower for model in admin.site._registry}
    exported = {model._meta.label_lower for model in RESOURCES}
    assert registered == exported | set(NOT_EXPORTED)
    assert not exported & set(NOT_EXPORTED)


def test_no_column_holds_a_secret():
    for resource in RESOURCES.values():
        attributes = {field.attribute.split("__")[-1] for field in resource.fields.values()}
        assert not attributes & SECRETS, resource


@pytest.mark.parametrize("model", RESOURCES, ids=lambda model: model.__name__)
def test_it_exports_every_list_as_csv_and_xlsx_with_an_audit_event(staff, model):
    fill()
    text = export(staff, model)
    rows = table(text)
    assert text.headers["Content-Disposition"].startswith("attachment") and text.headers["Content-Type"] == (
        "text/csv; charset=utf-8"
    )
    assert len(rows) == model._default_manager.count()
    event = AuditEvent.objects.get(kind="export.made")
    assert (event.actor, event.object_label) == ("root", model._meta.verbose_name_plural)
    assert event.after["format"] == "csv" and event.after["columns"] == list(rows[0])
    sheet = load_workbook(io.BytesIO(export(staff, model, format="xlsx").getvalue())).active
    assert [cell.value for cell in sheet[1]] == list(rows[0])
    assert sheet.max_row >= len(rows) + 1


def test_it_exports_what_the_list_shows_in_the_columns_that_were_chosen(staff):
    wanted = LicenseKeyFactory(status="blocked", reference="mine")
    LicenseKeyFactory.create_batch(3)
    query = "?status__exact=blocked"
    page = staff.get(url_of(LicenseKey, "export") + query)
    assert str(page.context["count"]) == "1"
    rows = table(export(staff, LicenseKey, query=query, columns=["license_key", "reference"]))
    assert rows == [{"license_key": wanted.license_key, "reference": "mine"}]
    found = table(export(staff, LicenseKey, query=f"?q={wanted.license_key}", columns=["license_key"]))
    assert found == [{"license_key": wanted.license_key}]
    asked = AuditEvent.objects.filter(kind="export.made").latest("pk").after["filters"]
    assert wanted.license_key not in str(asked) and asked["q"].startswith("…")


@pytest.mark.parametrize("columns", [[], ["private_key"], ["license_key", "nonsense"]])
def test_it_exports_no_column_that_is_not_offered(staff, columns):
    LicenseKeyFactory()
    answer = staff.post(url_of(LicenseKey, "export"), {"format": "csv", "columns": columns})
    assert answer.context["form"].errors["columns"]
    assert not AuditEvent.objects.filter(kind="export.made").exists()


def test_the_list_links_to_the_export_with_its_filters(staff):
    LicenseKeyFactory(status="blocked")
    page = staff.get("/admin/licenses/licensekey/?status__exact=blocked").content.decode()
    assert 'href="/admin/licenses/licensekey/export/?status__exact=blocked"' in page
    assert 'href="/admin/licenses/licensekey/import/"' in page
    assert "/export/" not in staff.get("/admin/licenses/licensekey/?status__exact=assigned").content.decode()


def test_a_filter_that_cannot_be_read_leads_back_to_the_list(staff):
    answer = staff.get(url_of(LicenseKey, "export") + "?owner__id__exact=abc")
    assert (answer.status_code, answer.headers["Location"]) == (302, "../")


def test_contract_keys_go_to_those_who_may_change_contracts(db):
    contract = ContractFactory()
    assert contract.contract_key in export(role("License manager"), models.Contract).getvalue().decode()
    support = role("Support")
    assert contract.contract_key not in export(support, models.Contract).getvalue().decode()
    answer = export(support, models.Contract, columns=["contract_key", "name"])
    assert answer.context["form"].errors["columns"]


def test_a_workbook_has_an_end(staff, monkeypatch):
    monkeypatch.setattr("licenses.admin.porting.exporting.XLSX_MOST", 2)
    OwnerFactory.create_batch(3)
    answer = export(staff, Owner, format="xlsx")
    assert "more than 2 rows" in answer.context["form"].errors["format"][0]
    assert not AuditEvent.objects.filter(kind="export.made").exists()


def test_many_rows_take_few_queries_and_little_memory(staff):
    """Nothing grows with the rows but the pages that are read: the first page is as large as memory gets."""
    Owner.objects.bulk_create([Owner(name=f"Owner {n}", email=f"o{n}@example.com") for n in range(20_000)])
    answer = export(staff, Owner)
    with CaptureQueriesContext(connection) as queries:
        tracemalloc.start()
        rows = sum(piece.count(b"\r\n") for piece in answer.streaming_content)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert rows == 20_001
    assert len(queries) <= 5
    assert peak < 30 * 2**20  # all rows at once are several times that


@pytest.mark.statement("S32")
@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@x", "\tx", "\rx", "'=1", "''=1", "it's", "'quoted'", "a=b", ""])
def test_formulas_are_neutralized_and_taken_back(text):
    assert not neutral(text).startswith(("=", "+", "-", "@", "\t", "\r"))
    assert restored(neutral(text)) == text


@pytest.mark.statement("S32")
def test_no_cell_of_an_export_is_a_formula(staff):
    OwnerFactory(name='=HYPERLINK("http://x.example")', email="")
    assert table(export(staff, Owner))[0]["name"].startswith("'=")
    sheet = load_workbook(io.BytesIO(export(staff, Owner, format="xlsx").getvalue())).active
    assert "f" not in {cell.data_type for row in sheet.iter_rows() for cell in row}


def test_a_control_character_does_not_break_a_workbook(staff):
    models.TelemetryRecord.objects.create(
        data="a\x01b",
        is_correct_format=True,
        license_key_exists=True,
        product_exists=True,
        product_version_exists=True,
        has_red_flags=False,
    )
    assert export(staff, models.TelemetryRecord, format="xlsx").status_code == 200


# There and back


def make_rows() -> None:
    """A row of each noun that comes in, with all that makes reading difficult."""
    hard = {"export": True, "seats": 5, "name": 'x"; =1'}
    product = ProductFactory(slug="photo", description='Lines,\r\n"quotes"; and\ttabs', features=hard)
    license_key = LicenseKeyFactory(product=product, license_key="=KEY-1", reference="+1", assigned=True, features=hard)
    license_key.metadata.create(name="a", value="@b")
    product.metadata.create(name="a", value="'=b")
    GeneratorFactory(product=product, prefix="-P ")
    ContractFactory(product=product, information="one\ntwo")
    ReleaseFactory(product=product, changelog="- one\r\n- two")
    BlockListEntry.objects.create(kind="address", value="203.0.113.0/24")
    BlockListEntry.objects.create(kind="identifier", value="-x", reason="=1")


@pytest.mark.statement("S32")
@pytest.mark.parametrize("format", ["csv", "xlsx"])
@pytest.mark.parametrize("model", IMPORTED, ids=NAMES)
def test_what_was_exported_comes_back_as_it_was(staff, model, format):
    make_rows()
    answer = send(staff, model, export(staff, model, format=format).getvalue())
    assert answer.context.get("mistakes") == [], problems(answer)
    totals = answer.context["counts"]
    assert (totals["new"], totals["update"], totals["skip"]) == (0, 0, model._default_manager.count())
    assert "token" not in answer.context and not ImportFile.objects.exists()


@pytest.mark.parametrize("kind", ["csv", "xlsx"])
@pytest.mark.parametrize("model", IMPORTED, ids=NAMES)
def test_the_template_has_the_columns_that_are_read(staff, model, kind):
    answer = staff.get(url_of(model, "import") + f"?template={kind}")
    assert f"template.{kind}" in answer.headers["Content-Disposition"]
    assert "no rows" in problems(send(staff, model, answer.getvalue()))


# Each noun: a new record and a changed one, each with its audit event

NEW_AND_CHANGED = {
    Product: ("slug,name,status\nphoto,Photo 2,inactive\nvideo,Video,\n", "product", "name", "Photo 2"),
    Owner: ("email,name\nADA@example.com,Ada 2\nbob@example.com,Bob\n", "owner", "name", "Ada 2"),
    LicenseKey: (
        "license_key,product,reference,activation_limit\nKEY-1,photo,order 2,7\nKEY-2,Photo,,\n",
        "license_key",
        "reference",
        "order 2",
    ),
    models.Contract: (
        "contract_key,name,information,product,license_keys_quantity\nC-1,Two,x,photo,9\nC-2,New,y,photo,3\n",
        "contract",
        "name",
        "Two",
    ),
    models.Release: (
        "product,version,released_at,changelog\nphoto,1.0,2027-01-31,Better\nphoto,2.0,2027-01-31 18:30,New\n",
        "release",
        "changelog",
        "Better",
    ),
    BlockListEntry: (
        "kind,value,reason\naddress,203.0.113.7,stolen\nidentifier,host,\n",
        "block_list_entry",
        "reason",
        "stolen",
    ),
    models.ProductMetadata: ("product,name,value\nphoto,a,2\nphoto,b,3\n", "metadata", "value", "2"),
    models.LicenseKeyMetadata: ("license_key,name,value\nKEY-1,a,2\nKEY-1,b,3\n", "metadata", "value", "2"),
}


@pytest.fixture
def known(db):
    """One record of each noun, which the files above name."""
    photo = ProductFactory(slug="photo", name="Photo")
    license_key = LicenseKeyFactory(product=photo, license_key="KEY-1")
    license_key.metadata.create(name="a", value="1")
    photo.metadata.create(name="a", value="1")
    OwnerFactory(email="ada@example.com")
    ContractFactory(product=photo, contract_key="C-1")
    ReleaseFactory(product=photo, version="1.0")
    BlockListEntry.objects.create(kind="address", value="203.0.113.7/32")
    return photo


@pytest.mark.parametrize("model", NEW_AND_CHANGED, ids=lambda model: model.__name__)
def test_a_row_makes_or_changes_its_record_with_an_audit_event(staff, known, model):
    content, kind, field, value = NEW_AND_CHANGED[model]
    first, before = model._default_manager.order_by("pk").first(), model._default_manager.count()
    preview = send(staff, model, content)
    assert model._default_manager.count() == before, "the preview stored something"
    assert not AuditEvent.objects.filter(actor="root").exists()
    assert (preview.context["counts"]["new"], preview.context["counts"]["update"]) == (1, 1), problems(preview)
    staff.post(url_of(model, "import"), {"token": preview.context["token"]})
    first.refresh_from_db()
    assert getattr(first, field) == value
    assert model._default_manager.count() == before + 1
    kinds = list(AuditEvent.objects.filter(actor="root").values_list("kind", flat=True))
    assert {f"{kind}.created", f"{kind}.updated", "import.made"} <= set(kinds)
    summary = AuditEvent.objects.get(kind="import.made")
    assert summary.after == {"file": "rows.csv", "new": 1, "updated": 1, "unchanged": 0}
    assert not ImportFile.objects.exists()
    assert bring_nothing(staff, model, content) == 2


def bring_nothing(client, model, content) -> int:
    """The same file again changes nothing."""
    answer = send(client, model, content)
    assert "token" not in answer.context
    return answer.context["counts"]["skip"]


def test_only_so_many_known_records_are_changed_at_once(staff, monkeypatch):
    monkeypatch.setattr("licenses.admin.porting.resources.MOST_ALONE", 2)
    keys = LicenseKeyFactory.create_batch(3)
    lines = [f"{key.license_key},ordered\r\n" for key in keys]
    page = send(staff, LicenseKey, "license_key,reference\r\n" + "".join(lines)).content.decode()
    assert "changes more than 2 records that are there already" in page
    assert "ordered" in send(staff, LicenseKey, "license_key,reference\r\n" + "".join(lines[:2])).content.decode()
    assert not LicenseKey.objects.filter(reference="ordered").exists()


def test_a_generator_is_known_by_number_and_product_together(staff, known):
    generator, other = GeneratorFactory(product=known), ProductFactory(slug="video")
    content = f"generator,product,prefix\n{generator.pk},photo,PRO-\n,video,NEW-\n"
    assert bring(staff, models.Generator, content)["new"] == 1
    generator.refresh_from_db()
    assert generator.prefix == "PRO-" and other.generators.get().prefix == "NEW-"
    wrong = send(staff, models.Generator, f"generator,product\n{generator.pk},video\n99999999,photo\nx,photo\n")
    assert [mistake.line for mistake in wrong.context["mistakes"]] == [2, 3, 4]


def test_numbers_name_no_product(staff, known):
    answer = send(staff, LicenseKey, f"license_key,product\nKEY-9,{known.pk}\n")
    assert "2 product There is no such product" in problems(answer)


def test_an_empty_cell_empties_a_text_and_leaves_the_rest(staff, known):
    LicenseKey.objects.update(reference="old", activation_limit=9, features={"a": 1})
    bring(staff, LicenseKey, "license_key,reference,activation_limit,features\nKEY-1,,,\n")
    found = LicenseKey.objects.get()
    assert (found.reference, found.activation_limit, found.features) == ("", 9, {"a": 1})


def test_new_license_keys_with_features_come_in_too(staff, known):
    bring(staff, LicenseKey, 'license_key,product,features,status\nKEY-8,photo,"{""a"": 1}",reserved\n')
    found = LicenseKey.objects.get(license_key="KEY-8")
    assert (found.features, found.status, found.product) == ({"a": 1}, "reserved", known)


# All or nothing, by line

REFUSED = {
    "status,license_key,product\nassigned,KEY-2,photo\n": "2 status A new license key is available or reserved",
    "license_key,product\nKEY-2,\n": "2 product A new license key needs a product",
    "license_key,product\nKEY-2,nothing\n": "2 product There is no such product",
    "license_key\n\nKEY-1\nKEY-1\n": "4  The same is on line 3 already",
    "license_key,product\n,photo\n": "2 license_key This cell says which record",
    "license_key,status\nKEY-1,blocked\n": "2 status An import does not change this",
    "license_key,expires_at\nKEY-1,2027-01-31\n": "2 expires_at A license key expires only once it is assigned",
    "license_key,expires_at\nKEY-1,31.01.2027\n": "2 expires_at Write a date as",
    "license_key,activation_limit\nKEY-1,-1\n": "2 activation_limit Write a whole number",
    "license_key,activation_limit\nKEY-1,1e3\n": "2 activation_limit Write a whole number",
    "license_key,activation_limit\nKEY-1,999999999999999\n": "2 activation_limit",
    "license_key,product,validity_days\nKEY-3,photo,99999\n": "2  validity_days must be",
    "license_key,features\nKEY-1,{\n": "2 features Write a JSON object",
    "license_key,features\nKEY-1,[1]\n": "2 features",
    f"license_key,product\n{'x' * 300},photo\n": "2 license_key license_key is 300 characters long",
}


@pytest.mark.statement("S32")
@pytest.mark.parametrize("content", REFUSED)
def test_a_mistake_is_named_with_its_line_and_nothing_is_stored(staff, known, content):
    before = list(LicenseKey.objects.values())
    answer = send(staff, LicenseKey, content)
    assert REFUSED[content] in problems(answer)
    assert "token" not in answer.context
    assert list(LicenseKey.objects.values()) == before


def test_one_mistake_holds_back_all_rows(staff, known):
    answer = send(staff, Owner, "email,name\nnew@example.com,New\nno address,x\n")
    assert problems(answer).startswith("3 email")
    assert Owner.objects.count() == 1 and not ImportFile.objects.exists()


def test_what_has_changed_since_the_preview_is_asked_again(staff, known):
    preview = send(staff, LicenseKey, "license_key,product\nKEY-2,photo\n")
    Product.objects.update(status="deleted")
    answer = staff.post(url_of(LicenseKey, "import"), {"token": preview.context["token"]})
    assert "2 product There is no such product" in problems(answer)
    assert "Something has changed since the preview" in answer.content.decode()
    assert LicenseKey.objects.count() == 1 and not AuditEvent.objects.filter(kind="import.made").exists()


def test_a_deleted_product_is_neither_made_nor_unmade(staff, known):
    assert "2 status" in problems(send(staff, Product, "slug,name,status\nphoto,Photo,deleted\n"))
    assert "2 status" in problems(send(staff, Product, "slug,name,status\nnew,New,deleted\n"))
    assert "2 slug" in problems(send(staff, Product, "name\nNameless\n"))


# Broken files

BROKEN = {
    "empty": (b"", "empty"),
    "only a mark": (b"\xef\xbb\xbf", "empty"),
    "no rows": (b"email,name\n", "no rows"),
    "NUL": (b"email,name\na@b.example,x\nb@b.example,x\0y\n", "Line 3: there is a NUL"),
    "duplicate header": (b"email,name,Email\na@b.example,x,y\n", "“email” is there twice"),
    "nameless column": (b"email,,name\na@b.example,x,y\n", "none of them is empty"),
    "unknown column": (b"email,nmae\na@b.example,x\n", "Unknown columns: nmae"),
    "missing column": (b"name\nx\n", "needed, and not there: email"),
    "too many cells": (b"email,name\na@b.example,x,y\n", "Line 2 has 3 cells for 2 columns"),
    "too few cells": (b"email,name\na@b.example\n", "Line 2 has 1 cells for 2 columns"),
    "1 MB in one cell": (b'email,name\na@b.example,"' + b"x" * 2**20 + b'"\n', "Line 2 cannot be read"),
    "a quote without end": (b'email,name\na@b.example,"x\n', "Line 2 cannot be read"),
    "another encoding": ("email,name\na@b.example,Zoë\n".encode("cp1252"), "Line 2 is not UTF-8"),
    "control character": (b"email,name\na@b.example,x\x07y\n", "Line 2: A cell has a control character"),
    "a picture": (b"\x89PNG\r\n\x1a\n\0\0\0", "Line 1"),
    "old Excel": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 99, "old Excel"),
    "broken archive": (b"PK\x03\x04" + b"x" * 99, "no spreadsheet"),
    "formula": (workbook(["email", "name"], ["a@b.example", "=1+1"]), "Line 2: the cell B2 is a formula"),
}


@pytest.mark.statement("S32", "S31")
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_is_refused_in_words(staff, name):
    content, words = BROKEN[name]
    answer = send(staff, Owner, content)
    assert answer.status_code == 200 and words in problems(answer)
    assert not (Owner.objects.exists() or ImportFile.objects.exists())


HANDLED = {
    "BOM and CRLF": b"\xef\xbb\xbfemail,name\r\nzoe@b.example,Zo\xc3\xab\r\n",
    "semicolons": "email;name\nzoe@b.example;Zoë\n".encode(),
    "tabs and old line ends": "email\tname\rzoe@b.example\tZoë\r".encode(),
    "quotes and lines": ' Email ,"name"\n"zoe@b.example","Zoë"\n\n,\n'.encode(),
    "workbook": workbook(["email", "name", None], ["zoe@b.example", "Zoë"], [None, None]),
}


@pytest.mark.statement("S32")
@pytest.mark.parametrize("name", HANDLED)
def test_a_file_of_another_make_is_read(staff, name):
    bring(staff, Owner, HANDLED[name])
    assert Owner.objects.get().name == "Zoë"


@pytest.mark.statement("S32")
@pytest.mark.parametrize("encoding", ["cp1252", "utf-16"])
def test_other_encodings_can_be_chosen(staff, encoding):
    answer = send(staff, Owner, "email,name\nzoe@b.example,Zoë\n", encoding=encoding)
    staff.post(url_of(Owner, "import"), {"token": answer.context["token"]})
    assert Owner.objects.get().name == "Zoë"


@pytest.mark.statement("S32", "S31")
def test_a_bomb_is_not_unpacked(staff):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("xl/worksheets/sheet1.xml", b"0" * (50 * 2**20))
    assert len(file.getvalue()) < 100_000
    assert "too large when it is unpacked" in problems(send(staff, Owner, file.getvalue()))


@pytest.mark.statement("S32", "S31")
def test_entities_in_a_workbook_are_not_resolved(staff):
    source, file = zipfile.ZipFile(io.BytesIO(workbook(["email", "name"], ["a@b.example", "x"]))), io.BytesIO()
    evil = b'<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    with zipfile.ZipFile(file, "w") as archive:
        for part in source.infolist():
            data = source.read(part)
            archive.writestr(part.filename, data.replace(b"<worksheet", evil + b"<worksheet", 1))
    assert "no spreadsheet that can be read" in problems(send(staff, Owner, file.getvalue()))


def test_too_much_is_refused_with_the_way_to_do_more(staff, monkeypatch, settings):
    monkeypatch.setattr(RESOURCES[LicenseKey], "most_rows", 2)
    answer = send(staff, LicenseKey, "license_key\na\nb\nc\n")
    assert "more than 2 rows" in problems(answer) and "import_license_keys" in problems(answer)
    settings.FILE_UPLOAD_MAX_MEMORY_SIZE = 1000
    assert "at most 1000" in problems(send(staff, LicenseKey, "license_key\n" + "x" * 2000)).replace("\xa0", " ")


# Whose file


def test_a_preview_is_for_whoever_sent_it_once_and_for_an_hour(staff, known):
    content, other = "email,name\nnew@example.com,New\n", role("License manager")
    token = send(staff, Owner, content).context["token"]
    assert other.post(url_of(Owner, "import"), {"token": token}).headers["Location"] == "./"
    assert staff.post(url_of(LicenseKey, "import"), {"token": token}).headers["Location"] == "./"
    ImportFile.objects.update(created_at=ImportFile.objects.get().created_at - KEPT - timedelta(seconds=1))
    assert staff.post(url_of(Owner, "import"), {"token": token}).headers["Location"] == "./"
    assert Owner.objects.count() == 1
    send(other, Owner, content)
    assert ImportFile.objects.count() == 1, "what was forgotten is still there"
    token = ImportFile.objects.get().token
    assert other.post(url_of(Owner, "import"), {"token": token}).headers["Location"] == "../"
    assert other.post(url_of(Owner, "import"), {"token": token}).headers["Location"] == "./"
    assert AuditEvent.objects.filter(kind="import.made").count() == 1


@pytest.mark.parametrize("token", ["", "\0", "é", "x" * 5000])
def test_a_token_that_nobody_got_imports_nothing(staff, token):
    assert staff.post(url_of(Owner, "import"), {"token": token}).headers["Location"] == "./"


@pytest.mark.statement("S12")
@pytest.mark.parametrize("name", ["Support", "Auditor"])
def test_whoever_only_looks_imports_nothing(known, name):
    """Not with a file, and not with the token of a preview."""
    client = role(name)
    for model in IMPORTED:
        before = list(model._default_manager.order_by("pk").values())
        assert send(client, model, "email\nx\n").status_code == 403, model
        assert client.post(url_of(model, "import"), {"token": "x"}).status_code == 403
        assert list(model._default_manager.order_by("pk").values()) == before


@pytest.mark.statement("S12")
def test_one_of_the_two_rights_is_not_enough(known):
    for verb in ("add", "change"):
        user = User.objects.create_user(verb, password="a-long-password-1", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename=f"{verb}_owner"))
        client = Client()
        client.force_login(user)
        assert send(client, Owner, "email\nx@example.com\n").status_code == 403
    assert Owner.objects.count() == 1
