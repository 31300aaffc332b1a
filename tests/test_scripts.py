"""S33: a script in every text field of every model, and every page of the admin that could show it."""

import json
import re

import pytest
from django.contrib import admin
from django.contrib.auth.models import Group, User
from django.db import models as fields
from django.urls import reverse

from licenses import models
from licenses.models import AuditEvent
from tests.factories import ActivationFactory, LicenseKeyFactory, ReleaseFactory
from tests.test_callers import everything

pytestmark = [pytest.mark.django_db, pytest.mark.statement("S33")]

SCRIPT = '"><script>alert(1)</script>'  # 27 characters; it leaves an attribute first
LIVE = "<script>alert(1)"
TEXTS = (fields.CharField, fields.TextField, fields.JSONField)
# Text fields that cannot hold it, and why
LEFT_OUT = {
    "licenses.activation.address": "an address by its type",
    "licenses.auditevent.address": "an address by its type",
    "licenses.auditevent.door": "one of a few, 16 characters",
    "licenses.telemetryrecord.address": "an address by its type",
    "licenses.apikey.prefix": "11 characters of our own",
    "licenses.apikey.profile": "one of a few",
    "licenses.assignment.state": "one of a few",
    "licenses.assignmentrow.outcome": "one of a few",
    "licenses.blocklistentry.kind": "one of a few",
    "licenses.contract.status": "one of a few",
    "licenses.generator.method": "one of a few",
    "licenses.generator.separator": "8 characters of a license key, beside its prefix",
    "licenses.licensekey.status": "one of a few",
    "licenses.product.source": "one of a few",
    "licenses.product.status": "one of a few",
    "licenses.queuedassignment.state": "one of a few",
    "licenses.signingkey.status": "one of a few",
    "auth.user.password": "no page reads it",
}


def texts_of(model) -> dict[str, fields.Field]:
    label = model._meta.label_lower
    found = {field.name: field for field in model._meta.concrete_fields if isinstance(field, TEXTS)}
    return {name: field for name, field in found.items() if f"{label}.{name}" not in LEFT_OUT}


def scripted(field: fields.Field) -> object:
    if isinstance(field, fields.JSONField):
        return [SCRIPT] if field.default is list else {SCRIPT: [SCRIPT], "owner": SCRIPT, "seen_at": SCRIPT}
    return SCRIPT


def fill_with_scripts() -> dict[str, object]:
    """Every text field of one row of every model; events are written once, so theirs are new."""
    rows = everything()
    for row in rows.values():
        model = type(row)
        values = {name: scripted(field) for name, field in texts_of(model).items()}
        AuditEvent.objects.create(**_event_of(row))
        if model is not AuditEvent:
            model._base_manager.filter(pk=row.pk).update(**values)
    rows["licenses/auditevent"] = AuditEvent.objects.latest("pk")
    return rows


def _event_of(row) -> dict[str, object]:
    values = {name: scripted(field) for name, field in texts_of(AuditEvent).items()}
    return values | {"object_type": row._meta.model_name, "object_id": row.pk, "door": "admin"}


def live(answer) -> list[str]:
    return re.findall(re.escape(LIVE), answer.content.decode())


def test_every_text_field_is_filled():
    """A field that cannot hold the script is named above, with its reason; a new one is filled without being asked."""
    names = {f"{model._meta.label_lower}.{f.name}" for model in admin.site._registry for f in model._meta.fields}
    assert set(LEFT_OUT) <= names
    for row in fill_with_scripts().values():
        stored = type(row)._base_manager.filter(pk=row.pk).values().get()
        for name, field in texts_of(type(row)).items():
            if not (isinstance(row, AuditEvent) and name == "object_type"):
                assert SCRIPT in json.dumps(stored[field.attname]).replace('\\"', '"'), f"{row._meta.label}.{name}"


def test_every_page_shows_it_as_text(staff, global_key):
    rows, wrong = fill_with_scripts(), []
    for page, row in rows.items():
        for path in ("", "add/", f"{row.pk}/change/", f"{row.pk}/history/", f"{row.pk}/delete/"):
            answer = staff.get(f"/admin/{page}/{path}")
            if answer.status_code not in (200, 403) or live(answer):
                wrong.append((page, path, answer.status_code))
    for url in ("/admin/", f"/admin/auth/user/{User.objects.last().pk}/password/", "/admin/auth/"):
        wrong += [(url, 200)] if live(staff.get(url)) else []
    assert wrong == []
    assert "&lt;script&gt;alert(1)" in staff.get("/admin/licenses/licensekey/").content.decode()


def test_every_action_and_what_it_says_afterwards_shows_it_as_text(staff, global_key):
    fill_with_scripts()
    for model, page in admin.site._registry.items():
        url = reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_changelist")
        for verb in getattr(page, "verbs", ()):
            form = {"action": verb.name, "_selected_action": list(model.objects.values_list("pk", flat=True)[:3])}
            asked = staff.post(url, form)
            done = staff.post(
                url, form | {"confirmed": "1", "quantity": "1", "days": "1", "reason": SCRIPT}, follow=True
            )
            assert not live(asked) and not live(done), (model.__name__, verb.name)
            assert asked.status_code == done.status_code == 200


def test_what_was_typed_wrong_comes_back_as_text(staff):
    """Forms that are shown again, messages about them, searches and filters."""
    rows = everything()
    for page, row in rows.items():
        sent = {field.name: SCRIPT for field in row._meta.concrete_fields}
        for path in ("add/", f"{row.pk}/change/"):
            assert not live(staff.post(f"/admin/{page}/{path}", sent, follow=True)), page + path
        assert not live(staff.get(f"/admin/{page}/", {"q": SCRIPT})), page
        assert not live(staff.get(f"/admin/{page}/", {SCRIPT: SCRIPT}, follow=True)), page
    sent = {"name": SCRIPT, "capabilities": ["verify"], "profile": "documented"}
    answer = staff.post("/admin/licenses/apikey/add/", sent)
    assert "Cache-Control" in answer.headers and not live(answer)
    assert Group.objects.exists() and models.ApiKey.objects.filter(name=SCRIPT).exists()


def test_a_page_that_is_refused_or_missing_repeats_no_script(client, staff):
    for url in (f"/admin/{SCRIPT}/", f"/nothing/{SCRIPT}", f"/admin/licenses/owner/{SCRIPT}/change/"):
        assert not live(staff.get(url, follow=True)), url
    client.logout()
    sent = {"username": SCRIPT, "password": SCRIPT}
    assert not live(client.post(f"/admin/login/?next={SCRIPT}", sent))


def test_the_public_pages_show_it_as_text(client, settings):
    release = ReleaseFactory(product__slug="editor")
    models.Product.objects.update(name=SCRIPT, description=SCRIPT)
    models.Release.objects.update(version=SCRIPT, update_summary=SCRIPT, changelog=SCRIPT)
    for row in (ActivationFactory(), LicenseKeyFactory(), release):
        assert row.pk
    for url in ("/api/docs/", "/api/v1/products/editor/changelog"):
        answer = client.get(url)
        assert not live(answer) or answer.headers["Content-Type"].startswith("application/json"), url
