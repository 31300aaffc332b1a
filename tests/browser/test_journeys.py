"""What people come for, each from its beginning to its end, as they would do it: a step that misleads fails."""

import csv
import threading

import pytest
from django.contrib.auth.models import Group
from django.db import connection
from playwright.sync_api import expect

from licenses import signing
from licenses.models import AuditEvent, LicenseKey, Product
from licenses.services import assignment_work, refused_calls
from settings_api import parameters
from settings_api.resolve import resolve
from tests.browser.conftest import PASSWORD, sign_in
from tests.bulk import csv_of, stocked
from tests.codes import code_of
from tests.commands import end, start
from tests.factories import ActivationFactory, LicenseKeyFactory, api_key_text
from tests.settings_door import GREETING, RETRIES

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


# The first log-in


def test_the_first_log_in(page, live_server, django_user_model, settings):
    """On a portal that nobody has used: a second factor is set up before anything opens, then the first steps."""
    settings.SECOND_FACTOR_REQUIRED = "superusers"
    django_user_model.objects.create_superuser("root", "root@example.com", PASSWORD)
    sign_in(page, live_server.url)
    expect(page.locator("#content")).to_contain_text("Set one up, then the rest of the portal opens.")
    page.get_by_role("link", name="Set up an app").click()
    page.get_by_label("Code", exact=True).fill(code_of(page.locator("#totp-secret").inner_text()))
    page.get_by_role("button", name="Turn on").click()
    expect(page.locator("#recovery-codes")).to_be_visible()
    page.get_by_role("link", name="I have stored them").click()
    page.get_by_role("link", name="Overview").first.click()

    steps = page.get_by_role("region", name="First steps")
    expect(steps.get_by_role("link")).to_have_text(["Create a product", "Import license keys", "Create an API key"])
    expect(steps.get_by_text("Done")).to_have_count(0)
    steps.get_by_role("link", name="Create a product").click()
    page.get_by_label("Name", exact=True).fill("Photo Editor")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".messagelist")).to_contain_text("Photo Editor")
    page.get_by_role("link", name="Overview").first.click()
    expect(steps.get_by_role("listitem").filter(has_text="Done")).to_contain_text("Create a product")
    expect(steps.get_by_text("Done")).to_have_count(1)
    assert Product.objects.get().name == "Photo Editor"


# A customer on the phone


def ask(page, url, endpoint, api_key, **params):
    """What a program is answered: the envelope."""
    return page.request.post(f"{url}/api/v1/{endpoint}", form={"api_key": api_key, **params}).json()


def test_find_and_mend(page, live_server, global_key, django_user_model):
    """Found by a scrap of an address; from the answer that says why it is refused it is two clicks until it works."""
    license_key = LicenseKeyFactory(license_key="AURORA-1234-5678", assigned=True, owner__email="ada@ashworth.example")
    ActivationFactory(license_key=license_key, identifier="old-laptop")
    LicenseKeyFactory.create_batch(3, assigned=True)
    program = (live_server.url, "activate", api_key_text("activate", name="Aurora"))
    on_the_new_one = {"license_key": license_key.license_key, "identifier": "new-laptop"}
    assert ask(page, *program, **on_the_new_one)["response"]["code"] == 302
    refused_calls.flush()
    agent = django_user_model.objects.create_user("root", password=PASSWORD, is_staff=True)
    agent.groups.add(Group.objects.get(name="Support"))

    sign_in(page, live_server.url)
    page.get_by_role("searchbox", name="Find anything").fill("@ashw")
    page.keyboard.press("Enter")
    page.get_by_role("link", name="AURORA-1234-5678").first.click()
    expect(page.locator(".state-sentence")).to_contain_text("It is taken: another one is refused (302).")
    why = page.get_by_role("region", name="What would this license key answer?")
    why.get_by_role("link", name="new-laptop").click()  # refused lately
    answer = why.get_by_role("article", name="Answer of activate")
    expect(answer.locator(".badge")).to_have_text("302")
    expect(answer).to_contain_text("Its one place is taken.")

    answer.get_by_role("button", name="Deactivate old-laptop").click()
    page.locator("#content").get_by_role("button", name="Deactivate").click()

    expect(page.locator(".messagelist")).to_contain_text("deactivated")
    expect(answer.locator(".badge")).to_have_text("300")
    expect(answer).to_contain_text("There is room for it.")
    expect(why.get_by_label("Identifier")).to_have_value("new-laptop")
    assert ask(page, *program, **on_the_new_one)["response"]["code"] == 300, "the panel tells the truth"
    page.reload()
    expect(why.get_by_role("article", name="Answer of verify").locator(".badge")).to_have_text("200")
    event = AuditEvent.objects.get(kind="activation.deactivated")
    assert (event.actor, event.door) == ("root", "admin")


# Bulk assignment

OWNERS = [f",owner{n}@example.com,Owner {n},order {n}" for n in range(60)]
BAD = [",no address,,", "NO-SUCH-KEY,late@example.com,Late,"]


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


def upload(page, path):
    """From the list to the page that asks what the columns mean, and on."""
    page.locator(".object-tools").get_by_role("link", name="Upload a file").click()
    page.get_by_label("File", exact=True).set_input_files(path)
    page.get_by_role("button", name="Upload").click()
    expect(page.get_by_label("Owner's e-mail address")).to_have_value("1")
    page.get_by_label("Reference").select_option("D: Order no.")
    page.locator(".field-product .select2-selection").click()
    with page.expect_response(lambda answer: "term=Photo" in answer.url):  # what is clicked before is replaced
        page.locator(".select2-search__field").fill("Photo")
    page.locator(".select2-results__option", has_text="Photo Editor").click()
    expect(page.locator(".field-product .select2-selection__rendered")).to_contain_text("Photo Editor")
    page.get_by_role("button", name="Check the file").click()


def downloaded(page, link):
    with page.expect_download() as download:
        page.get_by_role("link", name=link).click()
    return list(csv.DictReader(download.value.path().read_text("utf-8-sig").splitlines()))


def test_bulk_assignment_with_errors(admin, live_server, tmp_path, worker):
    """The bad rows are named before anything happens; a worker is stopped in the middle, and the next one goes on."""
    stocked(61)
    path = tmp_path / "owners.csv"
    path.write_bytes(csv_of(*OWNERS, *BAD, header="key,Mail,Customer,Order no."))
    admin.goto(f"{live_server.url}/admin/licenses/assignment/")
    upload(admin, path)
    expect(admin.get_by_role("progressbar")).to_be_visible()
    worker.do(5)
    expect(admin.locator("#run-heading")).to_have_text("This will happen")
    expect(admin.locator(".tally-good")).to_contain_text("60 license keys get their owners")
    expect(admin.locator(".tally-bad")).to_contain_text("2 rows are refused")
    wrong = admin.get_by_role("region", name="Rows that are wrong").locator("tbody tr")
    expect(wrong.get_by_role("rowheader")).to_have_text(["62", "63"])
    expect(wrong.get_by_role("cell")).to_contain_text(["“no address” is not an e-mail address", "no such license key"])
    assert LicenseKey.objects.filter(status="assigned").count() == 0

    admin.get_by_role("button", name="Start").click()
    expect(admin.get_by_role("progressbar")).to_be_visible()
    worker.do(1)
    expect(admin.locator("#progress-percent")).to_have_text("32 %")
    assert admin.locator("#progress-bar").evaluate("bar => [bar.value, bar.max]") == [20, 62]
    worker.end()
    assert end(start("run_worker", "--once")).code == 0
    expect(admin.locator("#run-heading")).to_have_text("Finished")

    rows = downloaded(admin, "Download the result (CSV)")
    assert [row["outcome"] for row in rows] == ["assigned"] * 60 + ["refused"] * 2
    assert [row["line"] for row in downloaded(admin, "Only what went wrong")] == ["62", "63"]
    owners = dict(LicenseKey.objects.filter(status="assigned").values_list("license_key", "owner__email"))
    assert owners == {row["license_key"]: f"owner{n}@example.com" for n, row in enumerate(rows[:60])}
    admin.set_viewport_size({"width": 390, "height": 844})
    assert admin.evaluate("document.documentElement.scrollWidth") <= 390


# Signing keys


def public_keys(page, url):
    """What software fetches: the public keys by their status."""
    return {key["status"]: key["pem"] for key in page.request.get(f"{url}/.well-known/jwks.json").json()["keys"]}


def test_rotate_a_signing_key(admin, live_server, global_key):
    """Published before it signs, then put in use; what the old one has signed stays good."""
    verify = (live_server.url, "verify", api_key_text("verify", name="Aurora"))
    before = ask(admin, *verify, license_key="none", identifier="host")
    admin.get_by_role("navigation", name="Menu").get_by_role("link", name="Signing keys").click()
    admin.locator(".object-tools").get_by_role("link", name="Add").click()
    admin.get_by_label("When").select_option("Publish it first, put it in use later")
    admin.get_by_role("button", name="Continue").click()
    expect(admin.locator(".consequence")).to_contain_text(
        f"the active key {global_key.fingerprint[:12]} goes on signing"
    )
    admin.get_by_role("button", name="Create the signing key").click()
    expect(admin.locator(".messagelist")).to_contain_text("Put it in use when software has fetched it.")
    expect(admin.locator(".field-state .badge")).to_have_text("Upcoming")
    published = public_keys(admin, live_server.url)
    assert published.keys() == {"active", "upcoming"}
    between = ask(admin, *verify, license_key="none", identifier="host")
    assert signing.verify(between, published["active"]), "it signs nothing yet"

    admin.get_by_role("button", name="Put in use").click()
    expect(admin.locator(".consequence")).to_contain_text(f"It replaces the {global_key}, which retires.")
    expect(admin.locator(".preview-rows")).to_contain_text("The active one retires")
    admin.locator("#content").get_by_role("button", name="Put in use").click()
    expect(admin.locator(".field-state .badge")).to_have_text("Active")
    admin.locator(".breadcrumbs").get_by_role("link", name="Signing keys").click()
    expect(admin.locator("#result_list .field-state")).to_have_text(["Active", "Retired"])
    after = ask(admin, *verify, license_key="none", identifier="host")
    now = public_keys(admin, live_server.url)
    assert now == {"active": published["upcoming"], "retired": published["active"]}
    assert signing.verify(after, now["active"])
    assert not signing.verify(after, now["retired"])
    assert signing.verify(before, now["retired"]), "what was signed before stays good"


# Settings


def test_a_locked_setting(admin, live_server, monkeypatch):
    """It says what has locked it, and neither the page nor a way round it changes it; the one beside it can be."""
    monkeypatch.setattr(parameters, "TABLE", (GREETING, RETRIES))
    for parameter in (GREETING, RETRIES):
        monkeypatch.delenv(parameter.variable, raising=False)
    monkeypatch.setenv("RETRIES", "5")
    admin.get_by_role("navigation", name="Menu").get_by_role("link", name="Settings").click()
    locked = admin.locator(".field-retries")
    expect(locked).to_contain_text("Set by environment variable RETRIES")
    expect(locked).to_contain_text("take the variable away and restart the portal")
    expect(locked.get_by_role("img", name="Locked")).to_be_visible()
    expect(admin.get_by_label("Retries")).to_be_disabled()
    expect(admin.get_by_label("Retries")).to_have_value("5")

    admin.get_by_label("Greeting").fill("Servus")
    admin.get_by_role("button", name="Save").click()
    expect(admin.locator(".messagelist")).to_have_text("1 setting was changed.")
    expect(admin.get_by_label("Greeting")).to_have_value("Servus")
    expect(admin.locator(".setting-locked")).to_have_count(1)

    token = admin.locator("#setting_form [name=csrfmiddlewaretoken]").get_attribute("value")
    forged = admin.request.post(admin.url, form={"csrfmiddlewaretoken": token, "greeting": "Servus", "retries": "9"})
    assert forged.status == 409
    assert "RETRIES" in forged.text()
    assert {name: resolve(name).value for name in ("greeting", "retries")} == {"greeting": "Servus", "retries": 5}
    assert AuditEvent.objects.filter(kind="setting.changed").count() == 1
