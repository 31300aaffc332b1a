"""How staff get in, and what they see of it, in a real browser."""

import pytest
from allauth.mfa.models import Authenticator
from playwright.sync_api import expect

from licenses.models import AuditEvent
from tests.browser.conftest import PASSWORD, sign_in
from tests.codes import code_of

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]


@pytest.fixture
def account(transactional_db, django_user_model):
    return django_user_model.objects.create_superuser("root", "root@example.com", PASSWORD)


@pytest.fixture
def local(live_server):
    """By the name on which browsers allow passkeys without https."""
    return live_server.url.replace("127.0.0.1", "localhost")


def sign_out(page):
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url("**/logout/")


def enter(page, code):
    page.get_by_label("Code", exact=True).fill(code)
    page.get_by_role("button", name="Continue").click()
    page.wait_for_url("**/admin/")


def test_a_second_factor_from_being_asked_for_one_to_the_last_recovery_code(page, live_server, account, settings):
    settings.SECOND_FACTOR_REQUIRED = "superusers"
    sign_in(page, live_server.url)
    expect(page.get_by_text("Your account needs a second factor")).to_be_visible()
    page.goto(f"{live_server.url}/admin/licenses/licensekey/")
    page.wait_for_url("**/admin/security/")
    page.get_by_role("link", name="Set up an app").click()
    secret = page.locator("#totp-secret").inner_text()
    page.get_by_label("Code", exact=True).fill(code_of(secret))
    page.get_by_role("button", name="Turn on").click()
    codes = page.locator("#recovery-codes").inner_text().split()
    assert len(set(codes)) == 10
    page.get_by_role("link", name="I have stored them").click()
    expect(page.get_by_text("10 left")).to_be_visible()
    sign_out(page)

    sign_in(page, live_server.url)
    enter(page, code_of(secret, steps=1))
    sign_out(page)
    sign_in(page, live_server.url)
    enter(page, codes[3])
    page.get_by_role("link", name="Security").click()
    expect(page.get_by_text("9 left")).to_be_visible()
    expect(page.locator("#content")).not_to_contain_text("needs a second factor")
    signed_in = AuditEvent.objects.filter(kind="staff.signed_in").order_by("pk")
    assert [event.after["by"] for event in signed_in] == [
        ["password"],
        ["password", "totp"],
        ["password", "recovery_codes"],
    ]


def test_a_passkey_is_enough(page, local, account, settings):
    settings.SECOND_FACTOR_REQUIRED = "staff"
    devtools = page.context.new_cdp_session(page)
    devtools.send("WebAuthn.enable")
    device = {
        "protocol": "ctap2",
        "transport": "internal",
        "hasResidentKey": True,
        "hasUserVerification": True,
        "isUserVerified": True,
        "automaticPresenceSimulation": True,
    }
    devtools.send("WebAuthn.addVirtualAuthenticator", {"options": device})
    sign_in(page, local)
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name").fill("My laptop")
    page.get_by_role("button", name="Add").click()
    page.wait_for_url("**/recovery-codes/")
    page.get_by_role("link", name="I have stored them").click()
    expect(page.get_by_text("My laptop")).to_be_visible()
    sign_out(page)

    page.goto(f"{local}/admin/licenses/product/")
    page.get_by_role("button", name="Sign in with a passkey").click()
    page.wait_for_url("**/admin/licenses/product/")
    sign_out(page)

    sign_in(page, local)  # with the password, it is the second factor
    page.get_by_role("button", name="Use a passkey").click()
    page.wait_for_url("**/admin/")
    page.goto(f"{local}/admin/security/")
    page.get_by_role("link", name="Remove").click()
    page.get_by_role("button", name="Remove the passkey").click()
    expect(page.get_by_text("Add another one before you remove it")).to_be_visible()
    assert Authenticator.objects.filter(type="webauthn").count() == 1
    events = AuditEvent.objects.filter(kind="staff.signed_in").order_by("pk")
    assert [event.after["by"] for event in events] == [["password"], ["webauthn"], ["password", "webauthn"]]
