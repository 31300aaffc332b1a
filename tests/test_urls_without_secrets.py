"""S34: the portal itself builds no address with a secret in it: addresses stay in histories, referrers and logs."""

import json
import re
from urllib.parse import quote, quote_plus

import pytest
from django.contrib.admin import site

from licenses.models import Contract, LicenseKey
from tests.factories import LicenseKeyFactory
from tests.test_admin_pages import fill

pytestmark = [pytest.mark.django_db, pytest.mark.statement("S34")]

ADDRESS = re.compile(r"""\b(?:href|src|action|formaction|data-[a-z-]*(?:url|href)[a-z-]*)=["']([^"']*)["']""")


@pytest.fixture
def secrets(db):
    """The texts of keys of every kind, each as it is and as an address would have it."""
    api_key = fill()
    texts = [api_key, *LicenseKey.objects.values_list("license_key", flat=True)]
    texts += Contract.objects.values_list("contract_key", flat=True)
    return {form for text in texts for form in (text, quote(text, safe=""), quote_plus(text))}


def hold_secret(addresses, secrets):
    return [address for address in addresses if any(secret in address for secret in secrets)]


def test_no_link_or_form_of_the_admin_holds_one(staff, secrets):
    looked_at = 0
    for model in site._registry:
        name = f"/admin/{model._meta.label_lower.replace('.', '/')}/"
        rows = model._default_manager.all()[:2]
        for url in (name, *(f"{name}{row.pk}/{page}/" for row in rows for page in ("change", "history", "delete"))):
            answer = staff.get(url)
            addresses = [*ADDRESS.findall(answer.content.decode()), answer.get("Location", "")]
            assert hold_secret(addresses, secrets) == [], url
            looked_at += len(addresses)
    assert looked_at > 1000
    assert hold_secret(ADDRESS.findall(staff.get("/admin/").content.decode()), secrets) == []


def test_no_redirect_after_a_change_holds_one(staff, secrets):
    found = LicenseKeyFactory(license_key="SECRET-WXYZ-4711-0815")
    page = f"/admin/licenses/licensekey/{found.pk}/change/"
    fields = {"license_key": found.license_key, "product": found.product_id, "activation_limit": 7, "validity_days": 0}
    moved = [staff.post(page, fields | forms(staff, page))]
    moved += [staff.post("/admin/licenses/apikey/add/", {"name": "x", "capabilities": ["verify"], "is_active": "on"})]
    moved += [staff.get("/admin/licenses/licensekey/", {"nonsense": found.license_key})]
    assert {answer.status_code for answer in moved} <= {200, 302, 400}
    places = [answer["Location"] for answer in moved if answer.status_code == 302]
    assert hold_secret(places, secrets | {found.license_key}) == []


def forms(staff, page):
    """The management forms of the inlines on a page."""
    pattern = r'<input type="hidden" name="([\w-]+-(?:TOTAL|INITIAL)_FORMS)" value="(\d+)"'
    return dict(re.findall(pattern, staff.get(page).content.decode()))


def test_the_documents_show_no_key_in_an_address(client):
    document = json.loads(client.get("/api/schema/").content)
    texts = [text for text in walk(document) if "://" in text or text.startswith("/")]
    assert not [text for text in texts if re.search(r"[?&](api_key|license_key|token|password)=", text)]


def walk(value):
    if isinstance(value, dict):
        value = [*value.keys(), *value.values()]
    if isinstance(value, list):
        for inner in value:
            yield from walk(inner)
    elif isinstance(value, str):
        yield value
