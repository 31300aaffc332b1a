"""The journey of a license manager: upload, columns, what will happen, start, progress, result."""

import csv
import threading

import pytest
from django.db import connection
from playwright.sync_api import expect

from licenses.models import LicenseKey
from licenses.services import assignment_work
from tests.bulk import csv_of, stocked

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

OWNERS = [f",owner{n}@example.com,Owner {n},order {n}" for n in range(60)]


class Worker:
    """A worker in a thread that does one batch for each permit: the page is seen in the middle of the work."""

    def __init__(self) -> None:
        self.permits, self.ended = threading.Semaphore(0), threading.Event()
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def _work(self) -> None:
        while not self.ended.is_set():
            self.permits.acquire()
            if not self.ended.is_set():
                assignment_work.work_on_next_assignment(between=self._between)
        connection.close()

    def _between(self) -> bool:
        self.permits.acquire()
        return self.ended.is_set()

    def do(self, batches: int) -> None:
        for _ in range(batches):
            self.permits.release()

    def end(self) -> None:
        self.ended.set()
        self.do(5)
        self.thread.join(10)


@pytest.fixture
def worker(monkeypatch):
    monkeypatch.setattr(assignment_work, "BATCH", 20)
    running = Worker()
    yield running
    running.end()


def test_a_manager_assigns_a_spreadsheet(admin, live_server, tmp_path, worker):
    stocked(61)
    path = tmp_path / "owners.csv"
    path.write_bytes(csv_of(*OWNERS, ",no address,,", header="key,Mail,Customer,Order no."))
    admin.goto(f"{live_server.url}/admin/licenses/assignment/")
    admin.locator(".object-tools").get_by_role("link", name="Upload a file").click()
    admin.get_by_label("File:", exact=True).set_input_files(path)
    admin.get_by_role("button", name="Upload").click()
    expect(admin.get_by_label("Owner's e-mail address")).to_have_value("1")
    admin.get_by_label("Reference").select_option("D: Order no.")
    admin.locator(".field-product .select2-selection").click()
    with admin.expect_response(lambda answer: "term=Photo" in answer.url):  # what is clicked before is replaced
        admin.locator(".select2-search__field").fill("Photo")
    admin.locator(".select2-results__option", has_text="Photo Editor").click()
    expect(admin.locator(".field-product .select2-selection__rendered")).to_contain_text("Photo Editor")
    admin.get_by_role("button", name="Check the file").click()
    expect(admin.get_by_role("progressbar")).to_be_visible()
    worker.do(5)
    expect(admin.locator("#run-heading")).to_have_text("This will happen")
    expect(admin.locator(".tally-good")).to_contain_text("60 license keys get their owners")
    expect(admin.locator(".bulk-run td").first).to_contain_text("is not an e-mail address")
    admin.get_by_role("button", name="Start").click()
    expect(admin.get_by_role("progressbar")).to_be_visible()
    worker.do(1)
    expect(admin.locator("#progress-percent")).to_have_text("32 %")
    assert admin.locator("#progress-bar").evaluate("bar => [bar.value, bar.max]") == [20, 61]
    worker.do(4)
    expect(admin.locator("#run-heading")).to_have_text("Finished")
    with admin.expect_download() as download:
        admin.get_by_role("link", name="Download the result (CSV)").click()
    rows = csv.DictReader(download.value.path().read_text("utf-8-sig").splitlines())
    assert [row["outcome"] for row in rows] == ["assigned"] * 60 + ["refused"]
    assert LicenseKey.objects.filter(status="assigned").count() == 60
    admin.set_viewport_size({"width": 390, "height": 844})
    assert admin.evaluate("document.documentElement.scrollWidth") <= 390
