"""The portal's settings in the admin: one page, and no way round the lock."""

import re

import pytest
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission

from licenses.models import AuditEvent
from settings_api import parameters
from settings_api.models import Setting
from settings_api.resolve import resolve
from tests.settings_door import NEW_VALUES, TABLE

pytestmark = pytest.mark.django_db

PAGE = "/admin/settings_api/setting/"
KEY = "XXXX-XXXX-XXXX-XXXX"
MASK = "************XXXX"


@pytest.fixture(autouse=True)
def nothing_pinned(monkeypatch):
    for parameter in (*parameters.TABLE, *TABLE):
        monkeypatch.delenv(parameter.variable, raising=False)
        monkeypatch.delenv(parameter.file_variable, raising=False)


@pytest.fixture
def every_kind(monkeypatch):
    monkeypatch.setattr(parameters, "TABLE", TABLE)


@pytest.fixture
def sign_in(client, db):
    """Sign in as a member of staff with these permissions on settings."""

    def sign(*permissions):
        user = get_user_model().objects.create_user("clerk", is_staff=True)
        user.user_permissions.set(Permission.objects.filter(codename__in=[f"{name}_setting" for name in permissions]))
        client.force_login(user)
        return client

    return sign


def audit():
    rows = AuditEvent.objects.filter(kind__startswith="setting.").order_by("pk")
    return [(row.kind, row.door, row.actor, row.object_label, row.after["source"]) for row in rows]


def stored():
    return dict(Setting.objects.values_list("name", "encrypted_value"))


def page(client):
    response = client.get(PAGE)
    assert response.status_code == 200
    return response.content.decode()


def tag(html, name):
    """The one input or select of this name."""
    [found] = re.findall(rf'<(?:input|select)[^>]*name="{name}"[^>]*>', html)
    return found


def test_the_settings_are_registered_on_the_portals_site():
    assert admin.site.is_registered(Setting)
    assert admin.site.site_header == "Licensing portal"


def test_staff_set_the_license_key(staff):
    response = staff.post(PAGE, {"licenseKey": KEY}, follow=True)
    assert response.redirect_chain == [(PAGE, 302)]
    assert "1 setting was changed." in response.content.decode()
    assert resolve("licenseKey").value == KEY
    assert audit() == [("setting.changed", "admin", "root", "licenseKey", "database")]
    assert AuditEvent.objects.get(kind="setting.changed").address == "127.0.0.1"


def test_the_page_shows_the_mask_and_nothing_more(staff):
    staff.post(PAGE, {"licenseKey": KEY})
    html = page(staff)
    assert f'value="{MASK}"' in tag(html, "licenseKey")
    assert KEY not in html
    assert "disabled" not in tag(html, "licenseKey")


def test_saving_the_page_as_it_is_changes_nothing(staff, every_kind):
    staff.post(PAGE, {**NEW_VALUES, "strict": "false"})
    before, rows = stored(), audit()
    form = staff.get(PAGE).context["form"]
    response = staff.post(PAGE, {field.name: field.value() for field in form}, follow=True)
    assert "Nothing was different: the settings are as before." in response.content.decode()
    assert (stored(), audit()) == (before, rows)


def test_every_kind_of_setting_can_be_set(staff, every_kind):
    assert staff.post(PAGE, {"licenseKey": KEY, "greeting": "", "strict": "false", "retries": "7"}).status_code == 302
    assert [resolve(parameter.name).value for parameter in TABLE] == [KEY, "", False, 7]


@pytest.mark.parametrize(
    ("field", "text", "reason"),
    [
        ("licenseKey", "", "License Key is required"),
        ("licenseKey", "************1234", "looks like a mask"),
        ("licenseKey", "S3CRET" * 50, "at most 255 characters"),
        ("strict", "maybe", "Strict mode must be true or false"),
        ("retries", "many", "Retries must be a whole number"),
    ],
)
def test_a_value_that_cannot_be_set_is_explained_and_not_shown_again(staff, every_kind, field, text, reason):
    html = staff.post(PAGE, {field: text}).content.decode()
    assert reason in html
    assert "Nothing was saved" in html
    assert "S3CRET" not in html
    assert stored() == {}
    assert audit() == [("setting.refused", "admin", "root", field, "default")]


# Rule 8: the lock


def test_a_locked_field_is_disabled_with_a_padlock_and_the_variables_name(staff, monkeypatch):
    monkeypatch.setenv("LICENSE_KEY", KEY)
    html = page(staff)
    assert "disabled" in tag(html, "licenseKey")
    assert "Set by environment variable LICENSE_KEY" in html
    assert '<svg class="setting-padlock"' in html
    assert 'type="submit" value="Save"' not in html, "there is nothing to save"
    assert KEY not in html


def test_a_field_that_is_locked_by_a_file_names_the_files_variable(staff, monkeypatch, tmp_path):
    (tmp_path / "key").write_text(KEY)
    monkeypatch.setenv("LICENSE_KEY_FILE", str(tmp_path / "key"))
    assert "Set by environment variable LICENSE_KEY_FILE" in page(staff)


def test_a_free_field_has_no_padlock(staff):
    html = page(staff)
    assert "setting-padlock" not in html
    assert "Set by environment variable" not in html


@pytest.mark.parametrize("path", ["", "1/change/", "1/history/", "?action=delete_selected"])
@pytest.mark.parametrize("extra", [{}, {"action": "delete_selected", "_selected_action": "1", "post": "yes"}])
def test_a_crafted_post_does_not_open_the_lock(staff, monkeypatch, path, extra):
    staff.post(PAGE, {"licenseKey": "STORED-LICENSE-KEY-1"})
    pk, before = Setting.objects.get().pk, stored()
    monkeypatch.setenv("LICENSE_KEY", KEY)
    response = staff.post(PAGE + path.replace("1/", f"{pk}/"), {"licenseKey": "CRAFTED-LICENSE-KEY-1", **extra})
    assert response.status_code == 409
    html = response.content.decode()
    assert "Field is not overridable" in html
    assert "Field licenseKey cannot be overridden because it is defined by an environment variable." in html
    assert "CRAFTED" not in html
    assert stored() == before
    assert audit()[-1] == ("setting.refused", "admin", "root", "licenseKey", "environment")


@pytest.mark.statement("S12")
def test_settings_are_neither_added_nor_deleted_nor_changed_in_bulk(staff):
    staff.post(PAGE, {"licenseKey": KEY})
    pk, before = Setting.objects.get().pk, stored()
    assert admin.site.get_model_admin(Setting).actions is None
    crafted = {"name": "licenseKey", "encrypted_value": "x", "post": "yes"}
    assert staff.post(f"{PAGE}add/", crafted).status_code == 403
    assert staff.post(f"{PAGE}{pk}/delete/", crafted).status_code == 403
    assert (
        staff.post(PAGE, {"action": "delete_selected", "_selected_action": str(pk), "post": "yes"}).status_code == 302
    )
    assert stored() == before


def test_a_locked_field_beside_a_free_one_lets_the_free_one_be_saved(staff, every_kind, monkeypatch):
    monkeypatch.setenv("LICENSE_KEY", KEY)
    assert 'type="submit" value="Save"' in page(staff)
    assert staff.post(PAGE, {"greeting": "Ahoy", "strict": "true", "retries": "3"}).status_code == 302
    assert resolve("greeting").value == "Ahoy"


def test_a_variable_that_is_ignored_is_noted(staff, monkeypatch):
    monkeypatch.setenv("LICENSE_KEY", "")
    html = page(staff)
    assert "The environment variable LICENSE_KEY is set but empty, so it is ignored." in html
    assert "disabled" not in tag(html, "licenseKey")


# Who may


def test_nobody_sees_the_page_without_signing_in(client):
    assert client.get(PAGE).status_code == 302
    assert client.post(PAGE, {"licenseKey": KEY}).status_code == 302
    assert stored() == {}


@pytest.mark.parametrize("permissions", [(), ("add", "delete")])
def test_staff_without_the_permission_see_nothing(sign_in, permissions):
    client = sign_in(*permissions)
    assert client.get(PAGE).status_code == 403
    assert client.post(PAGE, {"licenseKey": KEY}).status_code == 403
    assert stored() == {}


@pytest.mark.statement("S12")
def test_staff_who_may_only_look_change_nothing(sign_in):
    client = sign_in("view")
    html = page(client)
    assert "disabled" in tag(html, "licenseKey")
    assert 'type="submit" value="Save"' not in html
    assert "Set by environment variable" not in html
    assert client.post(PAGE, {"licenseKey": KEY}).status_code == 403
    assert stored() == {}
    assert audit() == [("setting.refused", "admin", "clerk", "licenseKey", "default")]


def test_staff_who_may_change_need_no_more(sign_in):
    client = sign_in("change")
    assert "disabled" not in tag(page(client), "licenseKey")
    assert client.post(PAGE, {"licenseKey": KEY}).status_code == 302
    assert resolve("licenseKey").value == KEY


@pytest.mark.statement("S33")
def test_the_page_needs_no_inline_script_or_style(staff, monkeypatch):
    monkeypatch.setenv("LICENSE_KEY", "<script>alert(1)</script>")
    content = page(staff).partition('id="content"')[2]
    assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", content)
    assert "alert(1)" not in content
