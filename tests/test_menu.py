"""The menu beside every page: all that there is, in groups, and nothing that these staff may not use."""

from pathlib import Path

import pytest
from django.contrib import admin
from django.contrib.auth.models import Permission
from django.contrib.staticfiles import finders
from django.urls import reverse

from licensing_portal.menu import MENU, ORDER, Page

pytestmark = pytest.mark.django_db


def menu_of(client, route="admin:index"):
    return client.get(reverse(route)).context["menu"]


def test_every_list_has_its_place(staff):
    visible = {model.__name__ for model, own in admin.site._registry.items() if not getattr(own, "hidden", False)}
    assert set(ORDER) == visible
    assert len(set(ORDER)) == len(ORDER)
    titles = [group["title"] for group in menu_of(staff)]
    assert titles == [title for title, _ in MENU]


def test_it_marks_the_page_one_is_on(staff):
    for route, title in (("admin:index", "Overview"), ("admin:licenses_owner_add", "Owners")):
        current = [entry.title for group in menu_of(staff, route) for entry in group["entries"] if entry.is_current]
        assert current == [title]
    assert staff.get(reverse("admin:index")).content.decode().count('aria-current="page"') == 1


def test_it_shows_what_these_staff_may_use(client, django_user_model):
    user = django_user_model.objects.create_user("ada", password="a-long-password-1", is_staff=True)
    user.user_permissions.add(Permission.objects.get(codename="view_owner"))
    client.force_login(user)
    assert [[entry.title for entry in group["entries"]] for group in menu_of(client)] == [["Overview"], ["Owners"]]


def test_whoever_must_set_up_a_second_factor_sees_no_links_that_lead_back(staff, settings):
    settings.SECOND_FACTOR_REQUIRED = "superusers"
    answer = staff.get(reverse("mfa_index"))
    assert answer.context["menu"] == []
    source = answer.content.decode()
    assert 'id="menu"' not in source
    assert 'id="find"' not in source
    settings.SECOND_FACTOR_REQUIRED = "nobody"
    assert 'id="menu"' in staff.get(reverse("mfa_index")).content.decode()


def test_every_icon_is_drawn():
    drawn = Path(finders.find("portal/icons.svg")).read_text()
    pages = [entry.icon for _, entries in MENU for entry in entries if isinstance(entry, Page)]
    assert [name for name in (*map(str.lower, ORDER), *pages, "menu", "search") if f'id="{name}"' not in drawn] == []
