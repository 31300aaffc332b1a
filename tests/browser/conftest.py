"""A real Chromium on the admin. Whatever its console calls an error fails the test."""

import os
from pathlib import Path

import pytest

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
PASSWORD = "a-long-password-1"


@pytest.fixture(scope="session")
def browser_type_launch_args(browser_type_launch_args):
    """The system's own browser: nothing is downloaded. `--no-sandbox` lets it run as root in a container."""
    if not CHROMIUM.exists():
        reason = f"{CHROMIUM} is missing: install chromium, or name another one in CHROMIUM"
        (pytest.fail if os.environ.get("REQUIRE_BROWSER") else pytest.skip)(reason)
    return browser_type_launch_args | {"executable_path": str(CHROMIUM), "args": ["--no-sandbox"]}


@pytest.fixture(scope="session")
def base_url():
    """In place of the plugin's own, whose form this version of pytest warns about; the tests name whole addresses."""


@pytest.fixture
def page(page):
    errors = []
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.set_default_timeout(15_000)
    yield page
    assert errors == []


@pytest.fixture
def admin(page, live_server, transactional_db, django_user_model):
    """A page that is signed in to the admin as superuser, through the form."""
    django_user_model.objects.create_superuser("root", "root@example.com", PASSWORD)
    sign_in(page, live_server.url)
    page.wait_for_url("**/admin/")
    return page


def sign_in(page, url):
    """As root, who exists."""
    page.goto(f"{url}/admin/")
    page.get_by_label("Username").fill("root")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
