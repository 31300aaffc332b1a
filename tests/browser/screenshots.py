"""Pictures of the admin for docs/screenshots, on the demonstration catalogue.

Not part of the suite: run `python -m pytest tests/browser/screenshots.py` after a change of the look. SCREENSHOTS names
another folder, for all of the pictures; docs/screenshots gets the chosen few.
"""

import os
from pathlib import Path

import pytest

from licenses.models import Actor, ApiKey, Door, LicenseKey, Product
from licenses.services.api_keys import create_api_key
from licenses.services.license_keys import extend_license_key
from licenses.services.signing_keys import create_signing_key
from licensing_portal import catalogue

pytestmark = [pytest.mark.browser, pytest.mark.django_db(transaction=True)]
DOCS = Path(__file__).resolve().parents[2] / "docs" / "screenshots"
CHOSEN = {
    "overview-1440-light",
    "license-keys-1440-light",
    "license-key-1440-light",
    "api-key-created-1440-light",
    "license-key-390-dark",
    "settings-locked-1440-light",
    "settings-locked-390-dark",
}
SIZES = {"1440": (1440, 900), "390": (390, 844)}


def fill() -> LicenseKey:
    """The catalogue and what staff did afterwards; returns the license key with most to see."""
    staff, shop = Actor(Door.ADMIN, "admin", "203.0.113.20"), Actor(Door.API, "Web shop (lp_5f3a9c1e…)", "203.0.113.7")
    create_signing_key(product=None, actor=staff)
    catalogue.load(shop)
    create_signing_key(product=Product.objects.first(), bits=3072, actor=staff)
    create_api_key(name="Web shop", capabilities=["assign-license-key"], allowed_networks=["203.0.113.7"], actor=staff)
    create_api_key(name="Aurora Editor", capabilities=["verify", "activate", "deactivate"], actor=staff)
    expiring = LicenseKey.objects.filter(activations__isnull=False, expires_at__isnull=False, metadata__isnull=False)
    chosen = expiring.filter(status="assigned").first()
    extend_license_key(license_key=chosen.license_key, days=30, actor=staff)
    return chosen


def pages(license_key: LicenseKey) -> dict[str, str]:
    return {
        "overview": "",
        "license-keys": "licenses/licensekey/",
        "license-key": f"licenses/licensekey/{license_key.pk}/change/",
        "license-key-history": f"licenses/licensekey/{license_key.pk}/history/",
        "license-key-add": "licenses/licensekey/add/",
        "owner": f"licenses/owner/{license_key.owner_id}/change/",
        "products": "licenses/product/",
        "product": f"licenses/product/{license_key.product_id}/change/",
        "activations": "licenses/activation/",
        "api-keys": "licenses/apikey/",
        "api-key-add": "licenses/apikey/add/",
        "signing-keys": "licenses/signingkey/",
        "signing-key-add": "licenses/signingkey/add/",
        "signing-key-import": "licenses/signingkey/import/",
        "audit": "licenses/auditevent/",
        "assignments-empty": "licenses/assignment/",
        "docs": "docs/admin/",
    }


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("size", SIZES)
def test_screenshots(admin, live_server, monkeypatch, size, scheme):
    def shoot(name: str) -> None:
        name = f"{name}-{size}-{scheme}"
        folder = os.environ.get("SCREENSHOTS") or (DOCS if name in CHOSEN else "")
        if folder:
            admin.screenshot(
                path=str(Path(folder) / f"{name}.png"), full_page=size == "390" or not name.startswith("license-keys")
            )

    width, height = SIZES[size]
    admin.set_viewport_size({"width": width, "height": height})
    admin.emulate_media(color_scheme=scheme)
    license_key = fill()
    for name, path in pages(license_key).items():
        admin.goto(f"{live_server.url}/admin/{path}")
        shoot(name)
    admin.goto(f"{live_server.url}/admin/licenses/licensekey/{license_key.pk}/change/")
    admin.get_by_role("button", name="Block").click()
    shoot("block")
    admin.goto(f"{live_server.url}/admin/licenses/licensekey/?status__exact=available")
    admin.locator("#action-toggle").check()
    admin.locator("select[name=action]").select_option("assign")
    admin.get_by_role("button", name="Go").click()
    shoot("assign")
    admin.get_by_label("Owner's e-mail address").fill("ann@example.com")
    admin.get_by_role("button", name="Show what will change").click()
    shoot("assign-preview")
    admin.goto(f"{live_server.url}/admin/licenses/apikey/add/")
    admin.get_by_label("Name").fill("Web shop of Aurora")
    admin.get_by_label("Assign license keys", exact=True).check()
    admin.get_by_role("button", name="Save", exact=True).click()
    shoot("api-key-created")
    monkeypatch.setenv("LICENSE_KEY", "RTM0X-GFPH5-J2T8B-N0WWV-Y4G21")
    admin.goto(f"{live_server.url}/admin/settings_api/setting/")
    shoot("settings-locked")
    ApiKey.objects.all().delete()
    admin.context.clear_cookies()
    admin.goto(f"{live_server.url}/admin/")
    shoot("login")
