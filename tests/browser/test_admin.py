"""The two things staff do most, in a real browser."""

import re

import pytest
from playwright.sync_api import Error, expect

from licenses.models import ApiKey, LicenseKey
from licenses.models.api_keys import digest_of
from tests.factories import ActivationFactory, GeneratorFactory, LicenseKeyFactory, OwnerFactory

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


def test_it_finds_a_license_key_by_email_and_blocks_it(admin):
    owner = OwnerFactory(name="Ada Ashworth", email="ada@example.com")
    license_key = LicenseKeyFactory(license_key="AURORA-1234-5678", assigned=True, owner=owner)
    ActivationFactory(license_key=license_key)
    LicenseKeyFactory(assigned=True)
    find = admin.get_by_role("searchbox", name="Find anything")
    admin.keyboard.press("/")
    expect(find).to_be_focused()
    expect(find).to_have_value("")
    admin.keyboard.type("@EXAM/")  # in the field it is a letter as any other
    expect(find).to_have_value("@EXAM/")
    find.fill("DA@EX")
    find.press("Enter")
    expect(admin.locator(".found-licensekey mark").first).to_have_text("da@ex")
    admin.get_by_role("link", name="AURORA-1234-5678").click()
    expect(admin.locator(".field-state .badge").first).to_have_text("Assigned")
    admin.get_by_role("button", name="Block").click()
    expect(admin.locator(".consequence")).to_have_text("1 active activation ends now.")
    admin.get_by_role("button", name="Block").click()
    expect(admin.locator(".messagelist")).to_contain_text("1 license key was blocked.")
    expect(admin.locator(".field-state .badge").first).to_have_text("Blocked")
    expect(admin.get_by_role("button", name="Unblock")).to_be_visible()
    assert LicenseKey.objects.get(pk=license_key.pk).is_blocked


def test_it_selects_license_keys_in_the_list_and_assigns_them(admin, live_server):
    LicenseKeyFactory.create_batch(3)
    admin.goto(f"{live_server.url}/admin/licenses/licensekey/")
    admin.locator("#action-toggle").check()
    expect(admin.locator(".action-counter")).to_have_text("3 of 3 selected")
    admin.locator("select[name=action]").select_option("assign")
    admin.get_by_role("button", name="Go").click()
    admin.get_by_label("Owner's e-mail address").fill("ada@example.com")
    admin.get_by_role("button", name="Show what will change").click()
    expect(admin.locator(".preview-rows > li")).to_have_count(3)
    admin.get_by_role("button", name="Assign: 3 license keys").click()
    expect(admin.locator(".messagelist")).to_contain_text("3 license keys were assigned.")
    assert LicenseKey.objects.filter(owner__email="ada@example.com").count() == 3


@pytest.mark.statement("S17")
def test_it_shows_the_text_of_a_new_api_key_once(admin, live_server):
    admin.goto(f"{live_server.url}/admin/licenses/apikey/add/")
    admin.get_by_label("Name").fill("Shop")
    admin.get_by_label("Verify license keys").check()
    admin.get_by_label("Allowed networks").fill("203.0.113.7\n198.51.100.0/24")
    admin.get_by_role("button", name="Save", exact=True).click()
    text = admin.locator("#api-key-text").inner_text()
    api_key = ApiKey.objects.get()
    assert api_key.digest == digest_of(text)
    assert text not in admin.url
    admin.get_by_role("button", name="Copy").click()
    expect(admin.locator("[data-copy]")).to_have_text(re.compile("Copied|Press Ctrl"))
    admin.get_by_role("link", name="I have stored it").click()
    expect(admin.get_by_label("Name")).to_have_value("Shop")
    assert text not in admin.content()
    with pytest.raises(Error, match="ERR_CACHE_MISS"):  # the browser kept nothing to go back to
        admin.go_back()


def test_it_adds_a_license_key_for_a_product_found_by_name(admin, live_server):
    product = LicenseKeyFactory().product
    admin.goto(f"{live_server.url}/admin/licenses/licensekey/add/")
    admin.locator(".select2-selection").click()
    admin.locator(".select2-search__field").fill(product.name)
    admin.locator(".select2-results__option", has_text=product.name).click()
    admin.get_by_role("button", name="Save", exact=True).click()
    expect(admin.locator(".messagelist")).to_contain_text("was added successfully")
    assert product.license_keys.count() == 2


def test_it_fits_a_telephone(admin, live_server):
    """No page is wider than its window; tables scroll inside their panels."""
    license_key = LicenseKeyFactory(assigned=True)
    ActivationFactory.create_batch(3, license_key=license_key)
    admin.set_viewport_size({"width": 390, "height": 844})
    for path in ("", "licenses/licensekey/", f"licenses/licensekey/{license_key.pk}/change/", "licenses/apikey/add/"):
        admin.goto(f"{live_server.url}/admin/{path}")
        assert admin.evaluate("document.documentElement.scrollWidth") <= 390, path
    admin.goto(f"{live_server.url}/admin/licenses/licensekey/{license_key.pk}/change/")
    table = admin.locator(".inline-group .tabular").first
    assert table.evaluate("it => it.scrollWidth > it.clientWidth"), "what does not fit can be scrolled to"


def test_long_values_leave_room_for_the_other_columns(admin, live_server):
    ActivationFactory(identifier="i" * 255, license_key__license_key="W" * 255)
    admin.set_viewport_size({"width": 1440, "height": 900})
    admin.goto(f"{live_server.url}/admin/licenses/activation/")
    results = admin.locator("#changelist-form .results")
    assert results.evaluate("it => it.scrollWidth <= it.clientWidth")


def test_the_way_back_from_deleting_can_be_read(admin, live_server):
    generator = GeneratorFactory()
    admin.emulate_media(color_scheme="light")
    admin.goto(f"{live_server.url}/admin/licenses/generator/{generator.pk}/delete/")
    colors = "it => [getComputedStyle(it).color, getComputedStyle(it).backgroundColor]"
    ink, paper = admin.get_by_role("link", name="Cancel").evaluate(colors)
    assert (ink, paper) == ("rgb(31, 39, 51)", "rgb(255, 255, 255)")
    admin.get_by_role("link", name="Cancel").click()
    expect(admin.locator("h1")).to_have_text("Generator")
