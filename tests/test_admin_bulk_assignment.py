"""The pages of a bulk assignment in the admin: each state, what it says, and who may do what."""

import csv
import io
import json
from pathlib import Path

import pytest
from django.contrib.auth.models import Group, Permission, User
from django.contrib.staticfiles import finders
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from openpyxl import load_workbook

from licenses.models import Assignment, LicenseKey
from licenses.services.assignment_jobs import pause_assignment
from licenses.services.assignment_work import work_on_next_assignment
from tests.audit import BY
from tests.bulk import HEADER, checked, csv_of, started, stocked, uploaded, worked, xlsx_of
from tests.factories import LicenseKeyFactory

pytestmark = pytest.mark.django_db

LIST = "/admin/licenses/assignment/"
OWNERS = [f",owner{n}@example.com,Owner {n},order {n}" for n in range(3)]


@pytest.fixture
def manager(global_key):
    user = User.objects.create_user("mia", password="a-long-password-1", is_staff=True)
    user.groups.add(Group.objects.get(name="License manager"))
    client = Client()
    client.force_login(user)
    return client


def upload(client, data, name="owners.csv"):
    return client.post(f"{LIST}add/", {"file": SimpleUploadedFile(name, data)})


def page(client, assignment):
    return client.get(f"{LIST}{assignment.pk}/change/").content.decode()


def press(client, verb, assignment, **fields):
    form = {"action": verb, "_selected_action": assignment.pk, "from_object": "1", "confirmed": "1", **fields}
    return client.post(LIST, form, follow=True)


def progress(client, assignment):
    return json.loads(client.get(f"{LIST}{assignment.pk}/progress/").content)


def downloaded(client, assignment, name="results.csv"):
    answer = client.get(f"{LIST}{assignment.pk}/{name}")
    assert answer.headers["Content-Disposition"].startswith("attachment")
    text = b"".join(answer.streaming_content).decode("utf-8-sig")
    return list(csv.DictReader(io.StringIO(text)))


def test_a_manager_goes_from_the_file_to_the_result(manager):
    product = stocked(2)
    answer = upload(
        manager, xlsx_of(["E-mail", "Customer", "Order"], *[[f"o{n}@example.com", "O", n] for n in range(3)])
    )
    assignment = Assignment.objects.get()
    assert answer.url == f"{LIST}{assignment.pk}/columns/"
    shown = manager.get(answer.url)
    assert {name: shown.context["form"].initial[name] for name in ("owner_email", "owner_name", "reference")} == {
        "owner_email": 0,
        "owner_name": 1,
        "reference": 2,
    }
    assert "A: E-mail" in shown.content.decode() and "o1@example.com" in shown.content.decode()
    chosen = {"owner_email": "0", "owner_name": "1", "reference": "2", "product": product.pk}
    assert manager.post(answer.url, chosen).url == f"{LIST}{assignment.pk}/change/"
    assert "The file is being checked" in page(manager, assignment)
    worked(assignment)
    ready = page(manager, assignment)
    assert "<strong>2</strong> license keys get their owners" in ready
    assert "<strong>1</strong> rows are refused" in ready
    assert "No license key of Photo Editor is available any more." in ready
    assert [row["line"] for row in downloaded(manager, assignment, "problems.csv")] == ["4"]
    assert LicenseKey.objects.filter(status="assigned").count() == 0
    assert "1 bulk assignment was started." in press(manager, "start", assignment).content.decode()
    assert progress(manager, assignment) | {"text": ""} == {
        "state": "running",
        "done": 0,
        "total": 3,
        "percent": 0,
        "text": "",
        "is_moving": True,
        "waiting": False,
    }
    worked(assignment)
    assert (progress(manager, assignment)["state"], progress(manager, assignment)["percent"]) == ("done", 100)
    done = page(manager, assignment)
    assert "3 of 3 rows. 2 assigned, 1 refused." in done
    assert "It can be undone until" in done
    rows = downloaded(manager, assignment)
    assert [row["outcome"] for row in rows] == ["assigned", "assigned", "refused"]
    assert {row["license_key"] for row in rows[:2]} == set(LicenseKey.objects.values_list("license_key", flat=True))
    asked = press(manager, "undo", assignment, confirmed="")
    assert "being undone" in asked.content.decode()
    worked(assignment)
    assert "3 rows" not in page(manager, assignment)
    assert "2 of 2 rows. 2 undone." in page(manager, assignment)
    assert LicenseKey.objects.available().count() == 2


def test_the_result_is_a_spreadsheet_too(manager):
    assignment = worked(started(*OWNERS, product=stocked(3)))
    book = b"".join(manager.get(f"{LIST}{assignment.pk}/results.xlsx").streaming_content)
    sheet = load_workbook(io.BytesIO(book), read_only=True).active
    assert [row[3] for row in sheet.values] == ["owner_email", *(f"owner{n}@example.com" for n in range(3))]


def test_canceling_and_undoing_are_asked_about_first(manager):
    assignment = worked(started(*OWNERS, product=stocked(3)))
    form = {"action": "undo", "_selected_action": assignment.pk, "from_object": "1"}
    asked = manager.post(LIST, form).content.decode()
    assert "3 license keys were assigned. Those that nobody has touched since become available again" in asked
    assignment.refresh_from_db()
    assert assignment.state == "done"


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"\x00" * 10, "There are no rows"),
        (csv_of('K,"a,,'), "Line 2: A quote"),
        (b"PK\x03\x04", "This XLSX file is damaged"),
        (b"x" * (20 * 2**20 + 1), "larger than 20 MB"),
    ],
)
def test_a_file_that_cannot_be_read_says_why(manager, data, words):
    answer = upload(manager, data)
    assert answer.status_code == 200
    assert words in answer.content.decode().replace("&quot;", '"')
    assert not Assignment.objects.exists()


def test_a_file_is_known_by_its_safe_name(manager):
    upload(manager, csv_of(*OWNERS), name="../../x\x00=cmd.csv")
    assert Assignment.objects.get().source == "x=cmd.csv"


@pytest.mark.parametrize(
    ("chosen", "words"),
    [
        ({"owner_email": "1"}, "Choose the product"),
        ({"license_key": "0"}, "in which column the owners are"),
        ({"license_key": "1", "owner_email": "1"}, "from one column"),
        ({"license_key": "9", "owner_email": "1"}, "not one of the available choices"),
        ({"license_key": "0", "owner_email": "1", "product": "x"}, "not one of the available choices"),
    ],
)
def test_columns_that_make_no_sense_come_back_with_the_reason(manager, chosen, words):
    assignment = uploaded(*OWNERS)
    answer = manager.post(f"{LIST}{assignment.pk}/columns/", chosen)
    assert words in answer.content.decode()
    assignment.refresh_from_db()
    assert assignment.state == "uploaded"


def test_columns_of_what_has_started_are_not_asked_any_more(manager):
    assignment = started(*OWNERS, product=stocked(3))
    assert manager.post(f"{LIST}{assignment.pk}/columns/", {"owner_email": "0"}).status_code == 302
    assignment.refresh_from_db()
    assert assignment.columns["owner_email"] == 1


def test_it_warns_of_rows_that_an_earlier_run_has_done(manager):
    product = stocked(9)
    worked(started(*OWNERS, product=product))
    assignment = checked(*OWNERS, ",new@example.com,,", product=product)
    assert "<strong>3</strong> rows got their license keys in an earlier run" in page(manager, assignment)
    press(manager, "check", assignment, again="on")
    worked(assignment)
    assert "assigned once more, as you have chosen" in page(manager, assignment)
    assert assignment.rows_assigned == 4


def test_the_same_file_at_work_already_is_refused_with_the_reason(manager):
    product = stocked(9)
    first, second = (checked(*OWNERS, product=product) for _ in range(2))
    press(manager, "start", first)
    said = press(manager, "start", second).content.decode()
    assert f"The same file is at work already, as run {first.pk}" in said


def test_it_is_paused_and_resumed_with_one_press(manager):
    assignment = started(*OWNERS, product=stocked(3))
    assert "1 bulk assignment was paused." in press(manager, "pause", assignment).content.decode()
    assert "What is done stays done; resuming does the rest." in page(manager, assignment)
    assert "1 bulk assignment was resumed." in press(manager, "resume", assignment).content.decode()


def test_it_says_when_no_worker_comes(manager):
    assignment = started(*OWNERS, product=stocked(3))
    assert not progress(manager, assignment)["waiting"]
    Assignment.objects.update(due_at="2026-01-01T00:00Z")
    assert progress(manager, assignment)["waiting"]
    assert 'consequence-danger">No worker is at work on it' in page(manager, assignment)


def test_a_run_that_failed_says_why_and_offers_to_go_on(manager):
    assignment = started(*OWNERS, product=stocked(3))
    Assignment.objects.update(product=None, columns=[])
    worked(assignment)
    assert "It could not be done (" in page(manager, assignment)
    assert 'value="resume"' in page(manager, assignment)


@pytest.mark.parametrize("state", Assignment.State)
def test_every_state_has_its_page(manager, state):
    assignment = uploaded(*OWNERS)
    over = "2026-01-01T00:00Z" if state in Assignment.OVER else None
    Assignment.objects.update(state=state, finished_at=over)
    shown = page(manager, assignment)
    assert assignment.source in shown and 'id="run-heading"' in shown
    assert "What became of" not in shown
    assert manager.get(f"{LIST}?state__exact={state}").status_code == 200
    assert progress(manager, assignment)["state"] == state


@pytest.mark.statement("S9", "S12")
def test_support_may_neither_look_nor_upload_nor_start(global_key):
    assignment = checked(*OWNERS, product=stocked(3))
    user = User.objects.create_user("sue", password="a-long-password-1", is_staff=True)
    user.groups.add(Group.objects.get(name="Support"))
    client = Client()
    client.force_login(user)
    for path in ("", "add/", f"{assignment.pk}/columns/", f"{assignment.pk}/progress/", f"{assignment.pk}/results.csv"):
        assert client.get(LIST + path).status_code == 403, path
        assert client.post(LIST + path).status_code == 403, path
    assert upload(client, csv_of(*OWNERS)).status_code == 403
    assert press(client, "start", assignment).status_code == 403
    assignment.refresh_from_db()
    assert (assignment.state, Assignment.objects.count()) == ("ready", 1)


@pytest.mark.statement("S9", "S12")
@pytest.mark.parametrize("right", ["change_licensekey", "add_assignment"])
def test_both_rights_are_needed(global_key, right):
    user = User.objects.create_user("sam", password="a-long-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=[right, "view_assignment"]))
    client = Client()
    client.force_login(user)
    assignment = checked(*OWNERS, product=stocked(3))
    assert client.get(f"{LIST}add/").status_code == 403
    assert 'value="start"' not in page(client, assignment)
    press(client, "start", assignment)
    assignment.refresh_from_db()
    assert assignment.state == "ready"


def test_nothing_is_there_for_what_is_not(manager):
    for path in ("columns/", "progress/", "results.csv", "problems.csv"):
        assert manager.get(f"{LIST}{'9' * 30}/{path}").status_code == 404
        assert manager.get(f"{LIST}7/{path}").status_code == 404


def test_the_template_file_is_one_that_it_reads(manager):
    data = Path(finders.find("portal/bulk-assignment.csv")).read_bytes()
    assert data.decode().splitlines()[0] == HEADER
    upload(manager, data)
    assert Assignment.objects.get().rows_total == 2


def test_what_the_command_has_done_can_be_downloaded(manager):
    assignment = Assignment.objects.create(digest="x", source="orders.csv", rows_total=1)
    assignment.rows.create(line=2, digest="x", license_key=LicenseKeyFactory(assigned=True), outcome="assigned")
    assert "manage.py assign_license_keys" in page(manager, assignment)
    assert [row["outcome"] for row in downloaded(manager, assignment)] == ["assigned"]


def test_a_page_asks_as_often_for_many_rows_as_for_few(manager, django_assert_max_num_queries):
    assignment = worked(started(*[f",o{n}@example.com,," for n in range(60)], product=stocked(30)))
    with django_assert_max_num_queries(25):
        page(manager, assignment)
    pause_assignment(assignment=assignment, **BY)
    assert work_on_next_assignment(between=lambda: False) is None
