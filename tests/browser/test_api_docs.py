"""The API reference in a real browser, which may ask nobody but this server and run no inline script."""

import os
from pathlib import Path

import pytest
from playwright.sync_api import expect

from licenses.api.urls import ENDPOINTS

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]

# Swagger UI sets style attributes
POLICY = "default-src 'self'; img-src 'self' data:; style-src 'self' 'unsafe-inline'"


def under_policy(route):
    answer = route.fetch()
    route.fulfill(response=answer, headers={**answer.headers, "Content-Security-Policy": POLICY})


@pytest.mark.statement("S42", "S33")
@pytest.mark.parametrize("width", [1440, 390])
def test_it_shows_every_operation_and_asks_nobody_else(page, live_server, width):
    asked = []
    page.on("request", lambda request: asked.append(request.url))
    page.set_viewport_size({"width": width, "height": 900})
    page.route("**/api/docs/", under_policy)
    page.goto(f"{live_server.url}/api/docs/")
    verify = page.locator("#operations-Activations-verify")
    expect(verify).to_be_visible()
    expect(page.locator(".opblock")).to_have_count(sum(len(row.paths) * len(row.methods) for row in ENDPOINTS))
    verify.locator(".opblock-summary-control").click()
    expect(verify).to_contain_text("License key expired")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    keep_picture(page, f"api-docs-{width}")
    elsewhere = [url for url in asked if not url.startswith((live_server.url, "data:", "blob:"))]
    assert elsewhere == []


def keep_picture(page, name):
    """Only on request, as tests/browser/screenshots.py does it."""
    if folder := os.environ.get("SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png", full_page=False)
