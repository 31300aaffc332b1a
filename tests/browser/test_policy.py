"""Every page in a real Chromium, which may run nothing inline and ask nobody else, finds nothing to refuse (S33).

The same walk looks at each page as axe does: one walk is long enough.
"""

import re

import pytest
from django.contrib.admin import site
from playwright.sync_api import expect

from licenses import models
from tests.browser.axe import flaws
from tests.factories import LicenseKeyFactory, OwnerFactory
from tests.test_admin_pages import fill

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True), pytest.mark.statement("S33")]

WATCH = """window.refused = [];
document.addEventListener("securitypolicyviolation", it =>
    window.refused.push(`${it.effectiveDirective} ${it.blockedURI} ${it.sourceFile}:${it.lineNumber}`));"""
SCRIPT = '<script>window.stolen=1</script><img src=x onerror="window.stolen=1">'
ADDRESSES = "links => links.map(link => link.href)"
NO_PAGE = re.compile(r"/(logout|public-key|license-file|jsi18n)/|\.(csv|xlsx|jpg)$|[?&]template=")


@pytest.fixture
def watched(admin):
    """Signed in, and keeping what its policy made the browser refuse."""
    admin.context.add_init_script(WATCH)
    return admin


def kind_of(url: str) -> str:
    """One page of each kind is looked at: no number or filter makes another, and all histories are the same page.

    So are the pages of spreadsheets, but for their columns.
    """
    path = re.sub(r"\d+", "N", url.partition("#")[0].partition("?")[0])
    kind = re.sub(r"\w+/\w+/(?:N/)?(history|delete|export|import)/", r"\1", path)
    return kind + ("_popup" if "_popup=1" in url else "")


def check(page):
    assert page.evaluate("window.refused") == [], page.url
    assert page.evaluate("'stolen' in window") is False, page.url


def test_every_page_that_a_link_leads_to(watched, live_server):
    """From the overview on, with hostile texts in what they show. All can be read and used, in light and in dark."""
    fill()
    LicenseKeyFactory(license_key=SCRIPT, assigned=True, owner=OwnerFactory(name=SCRIPT), product__name=SCRIPT)
    models.Product.objects.update(name=SCRIPT, description=SCRIPT)
    start = f"{live_server.url}/admin/"
    waiting = [start, *(f"{start}{model._meta.label_lower.replace('.', '/')}/" for model in site._registry)]
    seen = set(map(kind_of, waiting))
    unusable = {}
    while waiting:
        watched.goto(waiting.pop())
        check(watched)
        if found := flaws(watched):
            unusable[watched.url] = found
        for link in watched.locator("a[href]").evaluate_all(ADDRESSES):
            if link.startswith(start) and not NO_PAGE.search(link) and kind_of(link) not in seen:
                seen.add(kind_of(link))
                waiting.append(link)
    assert {f"http://localhost:N/admin/licenses/{name}/N/change/" for name in ("licensekey", "release")} <= seen
    assert {"http://localhost:N/admin/history", "http://localhost:N/admin/delete"} <= seen
    assert unusable == {}


def test_what_scripts_open(watched, live_server):
    """Date and time pickers, the search for a product, the theme, a window for another object."""
    product = LicenseKeyFactory().product
    watched.goto(f"{live_server.url}/admin/licenses/release/add/")
    for name, box in {"date": ".calendarbox", "clock": ".clockbox"}.items():
        watched.locator(f".datetimeshortcuts .{name}-icon").first.click()
        expect(watched.locator(box).first).to_be_visible()
        watched.keyboard.press("Escape")
    watched.locator(".theme-toggle").first.click()
    watched.goto(f"{live_server.url}/admin/licenses/licensekey/add/")
    watched.locator(".select2-selection").click()
    watched.locator(".select2-search__field").fill(product.name)
    watched.locator(".select2-results__option", has_text=product.name).click()
    check(watched)
    with watched.expect_popup() as opened:
        watched.locator("#add_id_product").click()
    window = opened.value
    window.get_by_label("Name", exact=True).fill("Made in a window")
    check(window)
    with window.expect_event("close"):
        window.get_by_role("button", name="Save").click()
    expect(watched.locator(".select2-selection")).to_contain_text("Made in a window")
    check(watched)
