"""License files on the page of an activation in the admin."""

import hashlib
import json

import pytest
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from licenses.license_files import read_chunked, verify_document
from licenses.models import Activation, AuditEvent, SigningKey
from licenses.services.activations import deactivate_license
from licenses.services.products import create_product
from tests.factories import ACTOR, ActivationFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def activation():
    product = create_product(name="Photo", actor=ACTOR)
    return ActivationFactory(license_key__product=product, identifier="host.example.com")


def page(activation, form=""):
    return f"/admin/licenses/activation/{activation.pk}/" + (f"license-file/{form}/" if form else "change/")


def test_it_downloads_both_forms(staff, activation):
    public_key = SigningKey.objects.active_of(activation.license_key.product).public_key
    content = staff.get(page(activation)).content.decode()
    name = hashlib.sha256(activation.license_key.license_key.encode()).hexdigest()
    for form in ("json", "lic"):
        assert page(activation, form) in content
        answer = staff.get(page(activation, form))
        assert answer.headers["Content-Disposition"] == f'attachment; filename="{name}.{form}"'
        assert "no-store" in answer.headers["Cache-Control"]
        if form == "json":
            assert verify_document(json.loads(answer.content), public_key)
        else:
            assert read_chunked(answer.content.decode(), public_key)["hardware_id"] == "host.example.com"
    event = AuditEvent.objects.filter(kind="license_file.made").first()
    assert (event.actor, event.door, event.after["identifier"]) == ("root", "admin", "host.example.com")
    assert staff.get(page(activation)).status_code == 200, "the page shows what the audit says of it"


def test_a_product_without_a_key_says_what_it_needs(staff):
    activation = ActivationFactory()
    assert "The product needs a signing key of its own." in staff.get(page(activation)).content.decode()
    answer = staff.get(page(activation, "json"), follow=True)
    assert "No license file was made. Failed to generate license file" in answer.content.decode()


def test_a_deactivated_device_gets_none(staff, activation):
    deactivate_license(license_key=activation.license_key.license_key, identifier=activation.identifier, actor=ACTOR)
    assert "license-file" not in staff.get(page(activation)).content.decode()
    answer = staff.get(page(activation, "json"), follow=True)
    assert "No activation found" in answer.content.decode()
    assert not AuditEvent.objects.filter(kind="license_file.made").exists()


def test_a_long_identifier_has_one_form_only(staff, activation):
    Activation.objects.update(identifier="x" * 255)
    assert "too long for this form" in staff.get(page(activation, "lic"), follow=True).content.decode()
    assert staff.get(page(activation, "json")).status_code == 200


@pytest.mark.statement("S12")
def test_whoever_only_looks_downloads_nothing(client, activation):
    user = get_user_model().objects.create_user("viewer", password="a-long-password-1", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__startswith="view_"))
    client.force_login(user)
    assert "license-file" not in client.get(page(activation)).content.decode()
    assert client.get(page(activation, "json")).status_code == 403
    client.logout()
    assert client.get(page(activation, "json")).status_code == 302
    assert not AuditEvent.objects.filter(kind="license_file.made").exists()


def test_what_is_not_there_is_404(staff, activation):
    assert staff.get(page(activation, "exe")).status_code == 404
    assert staff.get("/admin/licenses/activation/999999/license-file/json/").status_code == 404
    assert staff.get(f"/admin/licenses/activation/{10**30}/license-file/json/").status_code == 404
