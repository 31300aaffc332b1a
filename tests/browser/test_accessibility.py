"""The admin without a mouse and in a narrow window, and what no link leads to. test_policy.py walks all other pages."""

import pytest
from playwright.sync_api import expect

from licenses.models import Owner
from tests.browser.axe import flaws
from tests.factories import ActivationFactory, LicenseKeyFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
PHONE = {"width": 390, "height": 844}
WIDTH = "document.documentElement.scrollWidth"


def focused(page) -> str:
    return page.evaluate(
        "document.activeElement.textContent.trim() || document.activeElement.getAttribute('aria-label')"
    )


def tab_to(page, locator, presses: int = 40) -> None:
    for _ in range(presses):
        page.keyboard.press("Tab")
        if locator.evaluate("it => it === document.activeElement"):
            return
    raise AssertionError(f"{presses} presses of Tab do not reach {locator}")


def test_axe_finds_what_is_wrong(admin):
    """What it would say of a page that cannot be read; without this, silence would prove nothing."""
    assert flaws(admin) == []
    admin.evaluate("document.querySelector('h1').insertAdjacentHTML('afterend', '<input><p id=pale>Pale</p>')")
    admin.evaluate("Object.assign(document.querySelector('#pale').style, {color: '#777', background: '#888'})")
    assert {flaw.partition(": ")[0] for flaw in flaws(admin)} == {"label", "color-contrast", "dark"}


def test_a_telephone_shows_all_of_it(admin, live_server):
    """Lists as cards, the menu behind its button, no page wider than the window."""
    activation = ActivationFactory(license_key=LicenseKeyFactory(assigned=True))
    key = f"licenses/licensekey/{activation.license_key_id}/change/"
    admin.set_viewport_size(PHONE)
    for path in ("", "licenses/licensekey/", key, "licenses/apikey/add/", "licenses/auditevent/", "auth/group/add/"):
        admin.goto(f"{live_server.url}/admin/{path}")
        assert (flaws(admin), admin.evaluate(WIDTH)) == ([], PHONE["width"]), path
    admin.goto(f"{live_server.url}/admin/licenses/licensekey/")
    assert admin.locator("#result_list .field-state").first.get_attribute("data-heading") == "Status"
    menu, button = admin.get_by_role("navigation", name="Menu"), admin.get_by_role("button", name="Menu")
    expect(menu).to_be_hidden()
    button.press("Enter")
    expect(menu).to_be_visible()
    admin.keyboard.press("Escape")
    expect(menu).to_be_hidden()
    button.press("Enter")
    menu.get_by_role("link", name="Owners").press("Enter")
    expect(admin.locator("h1")).to_have_text("Owners")


def test_pages_that_only_a_form_leads_to(admin, live_server):
    """An action that asks, a form with errors, and the sign-in."""
    license_key = LicenseKeyFactory(assigned=True)
    admin.goto(f"{live_server.url}/admin/licenses/licensekey/{license_key.pk}/change/")
    admin.get_by_role("button", name="Extend").click()
    expect(admin.locator(".verb-page")).to_be_visible()
    assert flaws(admin) == []
    admin.goto(f"{live_server.url}/admin/licenses/apikey/add/")
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.locator(".errornote")).to_be_visible()
    assert flaws(admin) == []
    admin.context.clear_cookies()
    admin.goto(f"{live_server.url}/admin/")
    expect(admin.locator("h1")).to_have_text("Sign in")
    assert flaws(admin) == []


def test_a_list_without_a_mouse(admin, live_server):
    """Past the menu, to a filter and its choice, to a row, and to the actions that appear with it."""
    LicenseKeyFactory.create_batch(3)
    admin.goto(f"{live_server.url}/admin/licenses/licensekey/")
    admin.keyboard.press("Tab")
    assert focused(admin) == "Skip to main content"
    admin.keyboard.press("Enter")
    status = admin.locator("details.filter", has_text="Status")
    tab_to(admin, status.locator("summary"))
    assert status.locator("summary").evaluate("it => getComputedStyle(it).outlineStyle") == "solid"
    admin.keyboard.press("Enter")
    expect(status.get_by_role("link", name="Available")).to_be_visible()
    admin.keyboard.press("Tab")
    admin.keyboard.press("Escape")
    assert status.get_attribute("open") is None
    assert focused(admin) == "Status"
    admin.keyboard.press("Enter")
    tab_to(admin, status.get_by_role("link", name="Available"))
    admin.keyboard.press("Enter")
    admin.wait_for_url("**status__exact=available")
    expect(status.locator(".filter-value")).to_have_text("Available")
    assert admin.get_by_role("button", name="Go").is_hidden()
    tab_to(admin, admin.locator("#action-toggle"))
    admin.keyboard.press("Space")
    expect(admin.locator(".action-counter")).to_have_text("3 of 3 selected")
    tab_to(admin, admin.get_by_role("button", name="Go"))


def test_a_long_filter_can_be_searched(admin, live_server):
    Owner.objects.create(email="ada@example.com")
    admin.goto(f"{live_server.url}/admin/licenses/auditevent/")
    kinds = admin.locator("details.filter", has_text="What happened")
    kinds.locator("summary").click()
    kinds.get_by_role("searchbox").fill("license key bl")
    expect(kinds.get_by_role("link")).to_have_text(["License key blocked"])
