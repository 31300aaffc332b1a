"""The API reference in a real browser, which may ask nobody but this server and run no inline script."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from licenses.api.urls import ENDPOINTS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.mark.statement("S42", "S33")
@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_it_shows_every_operation_and_asks_nobody_else(page, live_server, width, scheme):
    asked = []
    page.emulate_media(color_scheme=scheme)
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(f"{live_server.url}/api/docs/")
    verify = page.locator("#operations-Activations-verify")
    expect(verify).to_be_visible()
    expect(page.locator(".opblock")).to_have_count(sum(len(row.paths) * len(row.methods) for row in ENDPOINTS))
    verify.locator(".opblock-summary-control").click()
    expect(verify).to_contain_text("License key expired")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    is_dark = page.evaluate("document.documentElement.classList.contains('dark-mode')")
    assert is_dark == (scheme == "dark")
    keep_picture(page, f"api-docs-{width}-{scheme}")
    elsewhere = [url for url in asked if not url.startswith((live_server.url, "data:", "blob:"))]
    assert elsewhere == []


def test_it_shows_what_is_posted_to_a_webhook(page, live_server):
    page.set_viewport_size({"width": 1440, "height": 2400})
    page.goto(f"{live_server.url}/api/docs/")
    queued = page.locator("#operations-License_keys-random_assign_license_keys_queued")
    queued.locator(".opblock-summary-control").first.click()
    expect(queued).to_contain_text("webhook_url")
    queued.get_by_text("Callbacks").click()
    expect(queued).to_contain_text("The result of a queued assignment, posted to your shop")
    queued.scroll_into_view_if_needed()
    keep_picture(page, "api-docs-callback")
    queued.get_by_role("button", name="Try it out").click()
    expect(queued.get_by_role("button", name="Execute")).to_be_visible()
    page.get_by_role("button", name="Authorize").click()
    expect(page.locator(".modal-ux")).to_be_visible()


def keep_picture(page, name):
    """Only on request, as tests/browser/screenshots.py does it."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=False)
