"""Pictures of every page of the admin, on a portal that is filled as one is after weeks of work.

Not part of the suite. After a change of the look, `python -m pytest tests/browser/screenshots.py` takes those of
docs/screenshots anew and writes the index beside them. SCREENSHOTS names another folder, which gets every page in both
widths, light and dark; SCREENSHOTS_ONLY a part of the names, to take a few.
"""

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.contrib.admin import site
from django.contrib.auth.models import User
from django.template.loader import render_to_string
from django.test import RequestFactory
from playwright.sync_api import Page

from licenses.models import Assignment, LicenseKey, SigningKey
from tests.browser.conftest import PASSWORD
from tests.browser.demonstration import fill
from tests.codes import code_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
KEPT = ("1440-light", "390-dark")
SIZES = {"1440": (1440, 900, 900), "390": (390, 844, 1000)}  # the window, and how much of a long page is kept
LONGEST = 4000  # in a folder of one's own
QUALITY = 35  # of 100; with the lengths above, all that are kept are about 9 MB
ERRORS = {"400": "Bad request", "403": "Forbidden", "403_csrf": "Forbidden, form too old", "404": "Not found"}
ERRORS |= {"500": "Server error", "503": "Not available"}
ADDS = {"licenses/signingkey", "licenses/assignment"}  # whose page has no form of a model, and is a page all the same
SEND = """([verb, rows]) => {
    const form = document.createElement("form");
    const token = document.querySelector("[name=csrfmiddlewaretoken]").value;
    const fields = [["csrfmiddlewaretoken", token], ["action", verb], ...rows.map(row => ["_selected_action", row])];
    for (const [name, value] of fields) form.append(Object.assign(document.createElement("input"), {name, value}));
    form.method = "post";
    document.body.append(form);
    form.submit();
}"""
INDEX = """# Screenshots

Every page of the admin, on a demonstration portal: in a wide window, and on a telephone in the dark theme. Long pages
are shown from their beginning.
"""


class Camera:
    """Takes the pages that it is shown. `chapter` heads them in the index."""

    def __init__(self, page: Page, url: str) -> None:
        self.page, self.url, self.chapter = page, f"{url}/admin/", ""
        self.folder = Path(os.environ.get("SCREENSHOTS") or DOCS)
        self.only = os.environ.get("SCREENSHOTS_ONLY", "")
        self.index: dict[str, list[tuple[str, str]]] = {}

    def open(self, name: str, title: str, path: str) -> None:
        if self.only in name:
            self.page.goto(self.url + path)
            self.shoot(name, title)

    def shoot(self, name: str, title: str) -> None:
        """The page as it stands now."""
        if self.only not in name:
            return
        self.index.setdefault(self.chapter, []).append((name, title))
        for size, (width, height, longest) in SIZES.items():
            for scheme in ("light", "dark"):
                if self.folder != DOCS or f"{size}-{scheme}" in KEPT:
                    self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                    self._fit(width, height, longest if self.folder == DOCS else LONGEST)
                    path = self.folder / f"{name}-{size}-{scheme}.jpg"
                    self.page.screenshot(path=path, type="jpeg", quality=QUALITY)
        self.page.set_viewport_size({"width": 1440, "height": 900})

    def _fit(self, width: int, height: int, longest: int) -> None:
        """A window as high as the page: what sticks to its edges stands where the page begins and ends."""
        self.page.set_viewport_size({"width": width, "height": height})
        whole = self.page.evaluate("scrollTo(0, 0), document.documentElement.scrollHeight")
        self.page.set_viewport_size({"width": width, "height": min(whole, longest)})
        self.page.evaluate("document.fonts.ready.then(() => new Promise(done => requestAnimationFrame(() => done())))")

    def write_index(self) -> None:
        lines = [INDEX]
        for chapter, shots in self.index.items():
            lines += [f"## {chapter}\n", "| page | 1440 px, light | 390 px, dark |", "|---|---|---|"]
            for name, title in shots:
                wide, narrow = (f"[{width}]({name}-{kept}.jpg)" for width, kept in zip(SIZES, KEPT, strict=True))
                lines.append(f"| {title} | {wide} | {narrow} |")
            lines.append("")
        (self.folder / "README.md").write_text("\n".join(lines))


@pytest.fixture
def camera(admin, live_server):
    """On a tab of its own: pages of errors are no errors here."""
    taken = Camera(admin.context.new_page(), live_server.url)
    taken.page.set_default_timeout(60_000)
    taken.folder.mkdir(parents=True, exist_ok=True)
    return taken


def test_screenshots(camera, monkeypatch):
    if camera.folder == DOCS and not camera.only:  # pictures of pages that are gone go too
        for old in (*DOCS.glob("*.jpg"), *DOCS.glob("*.png")):
            old.unlink()
    camera.chapter = "A new portal"
    camera.open("overview-new", "Overview, first steps", "")
    camera.open("license-keys-empty", "Empty list", "licenses/licensekey/")
    chosen = fill()
    for chapter in (of_the_portal, of_license_keys, of_bulk_assignments, of_models, of_verbs, of_docs):
        chapter(camera, chosen)
    of_settings(camera, monkeypatch)
    of_errors(camera)
    of_signing_in(camera)
    if not camera.only:
        camera.write_index()


def of_the_portal(camera: Camera, chosen: LicenseKey) -> None:
    camera.chapter = "First page, search and health"
    camera.open("overview", "Overview", "")
    camera.open("find", "Find anything", "find/?q=ash")
    camera.open("find-nothing", "Find anything, nothing found", "find/?q=nobody-of-this-name")
    camera.open("health", "Health", "health/")


def of_license_keys(camera: Camera, chosen: LicenseKey) -> None:
    camera.chapter = "License keys and owners"
    page = f"licenses/licensekey/{chosen.pk}/change/"
    camera.open("license-key", "License key", page)
    camera.open(
        "license-key-refused", "License key, why it is refused somewhere", f"{page}?identifier=ada-new-laptop#why"
    )
    blocked = LicenseKey.objects.filter(status="blocked", owner__isnull=False).first()
    camera.open("license-key-blocked", "License key, blocked", f"licenses/licensekey/{blocked.pk}/change/")
    camera.open("license-keys-filtered", "License keys, filtered", "licenses/licensekey/?status__exact=assigned&q=ada")
    camera.open("owner", "Owner", f"licenses/owner/{chosen.owner_id}/change/")
    for noun, title in (("licensekey", "license keys"), ("owner", "owners")):
        camera.open(f"{noun}-import", f"Import of {title}", f"licenses/{noun}/import/")
        camera.open(f"{noun}-export", f"Export of {title}", f"licenses/{noun}/export/")
    if camera.only in "owner-import-preview":
        camera.page.goto(f"{camera.url}licenses/owner/import/")
        rows = "name,email\nAda Ashworth,ada.ashworth@example.com\nNew Buyer,new@example.com\n"
        file = {"name": "owners.csv", "mimeType": "text/csv", "buffer": rows.encode()}
        camera.page.locator("input[type=file]").set_input_files(file)
        camera.page.locator("#content-main form input[type=submit]").first.click()
        camera.shoot("owner-import-preview", "Import of owners, what it would do")


def of_bulk_assignments(camera: Camera, chosen: LicenseKey) -> None:
    camera.chapter = "Bulk assignment"
    camera.open("assignment-upload", "Upload a file", "licenses/assignment/add/")
    for run in Assignment.objects.order_by("pk"):
        page = f"licenses/assignment/{run.pk}/"
        if run.state == "uploaded":
            camera.open("assignment-columns", "Which column is what", f"{page}columns/")
        camera.open(f"assignment-{run.state}", f"Bulk assignment: {run.get_state_display().lower()}", f"{page}change/")


def of_models(camera: Camera, chosen: LicenseKey) -> None:
    """The list of each noun, its form, the page of its newest row and what is said before one is deleted."""
    camera.chapter = "Lists and forms"
    for model in site._registry:
        path = model._meta.label_lower.replace(".", "/")
        name, title = model._meta.model_name, str(model._meta.verbose_name)
        camera.open(f"{name}-list", str(model._meta.verbose_name_plural).capitalize(), f"{path}/")
        if name == "setting":
            continue
        row = model._default_manager.order_by("-pk").first()
        if camera.page.request.get(f"{camera.url}{path}/add/").ok and name != "assignment":
            camera.open(f"{name}-add", f"Add: {title}", f"{path}/add/")
        if name not in ("licensekey", "owner", "assignment"):
            camera.open(f"{name}-page", title.capitalize(), f"{path}/{row.pk}/change/")
        if camera.page.request.get(f"{camera.url}{path}/{row.pk}/delete/").ok:
            camera.open(f"{name}-delete", f"Delete: {title}", f"{path}/{row.pk}/delete/")
    camera.open("licensekey-history", "History of a license key", f"licenses/licensekey/{chosen.pk}/history/")
    camera.open("signingkey-import", "Import a signing key", "licenses/signingkey/import/")
    global_key = SigningKey.objects.filter(product=None, status="upcoming").get()
    camera.open("signingkey-upcoming", "Signing key, upcoming", f"licenses/signingkey/{global_key.pk}/change/")


def of_verbs(camera: Camera, chosen: LicenseKey) -> None:
    """What each action asks, and of one what it would change."""
    camera.chapter = "Actions"
    for model, verb, rows in verbs():
        name = f"action-{model._meta.model_name}-{verb.name.replace('_', '-')}"
        if camera.only in name or camera.only in "action-preview":
            camera.page.goto(f"{camera.url}{model._meta.label_lower.replace('.', '/')}/?all=")
            with camera.page.expect_navigation():
                camera.page.evaluate(SEND, [verb.name, [str(row.pk) for row in rows]])
            camera.shoot(name, f"{verb.label}: {model._meta.verbose_name}")
        if name == "action-licensekey-extend" and camera.only in "action-preview":
            camera.page.get_by_role("spinbutton").fill("30")
            camera.page.get_by_role("button", name="Show what will change").click()
            camera.shoot("action-preview", "Extend: what will change")


def verbs() -> Iterator[tuple[type, object, list]]:
    """Each with rows that it is for, as the list has them."""
    request = RequestFactory().get("/")
    request.user = User.objects.get(username="root")
    for model, page in site._registry.items():
        for verb in getattr(page, "verbs", ()):
            candidates = list(page.get_queryset(request).order_by("-pk")[:400])
            fitting = [row for row in candidates if verb.applies(row)]
            yield model, verb, (fitting or candidates)[: 3 if model is LicenseKey else 1]


def of_docs(camera: Camera, chosen: LicenseKey) -> None:
    camera.chapter = "Documentation"
    camera.open("docs", "Documentation", "docs/")
    for name in ("admin", "bulk-assignment", "roles"):
        camera.open(f"docs-{name}", f"A page of it: {name}", f"docs/{name}/")


def of_settings(camera: Camera, monkeypatch) -> None:
    camera.chapter = "Settings"
    camera.open("settings", "Settings", "settings_api/setting/")
    monkeypatch.setenv("LICENSE_KEY", "RTM0X-GFPH5-J2T8B-N0WWV-Y4G21")
    camera.open("settings-locked", "Settings, locked by a variable", "settings_api/setting/")


def of_errors(camera: Camera) -> None:
    """As the templates say it: most of these a browser cannot be made to see on purpose."""
    camera.chapter = "Errors"
    for name, title in ERRORS.items():
        body = render_to_string(f"{name}.html", {"was_cut": False})
        status = int(re.sub(r"\D", "", name))
        camera.page.route(
            f"**/admin/error-{name}/",
            lambda route, *, status=status, body=body: route.fulfill(
                status=status, body=body, content_type="text/html"
            ),
        )
        camera.open(f"error-{name.replace('_', '-')}", f"{status} {title}", f"error-{name}/")


def of_signing_in(camera: Camera) -> None:
    camera.chapter = "Signing in and security"
    page = camera.page
    camera.open("security", "Security", "security/")
    camera.open("password", "Change the password", "password_change/")
    page.goto(f"{camera.url}security/authenticator-app/")
    camera.shoot("security-app", "Set up an authenticator app")
    secret = page.locator("#totp-secret").inner_text()
    page.get_by_label("Code", exact=True).fill(code_of(secret))
    page.get_by_role("button", name="Turn on").click()
    page.locator("#recovery-codes").wait_for()
    camera.shoot("security-codes", "Recovery codes")
    camera.open("security-on", "Security, with a second factor", "security/")
    camera.open("security-app-remove", "Remove the app", "security/authenticator-app/remove/")
    page.context.clear_cookies()
    page.goto(camera.url)
    camera.shoot("sign-in", "Sign in")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.locator(".errorlist, .errornote").first.wait_for()
    camera.shoot("sign-in-refused", "Sign in, refused")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_label("Code", exact=True).wait_for()
    camera.shoot("second-factor", "Second factor")
