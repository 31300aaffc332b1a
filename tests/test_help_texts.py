"""Every field that staff fill in says what to enter."""

import re
from collections.abc import Iterator

import pytest
from django import forms
from django.conf import settings
from django.contrib import admin
from django.db import models
from django.urls import reverse
from django.utils.module_loading import import_string

from licenses.admin.help_texts import HELP_TEXTS
from licenses.admin.signing_key_forms import ImportSigningKeyForm, NewSigningKeyForm
from tests.test_roles import rows_of_all

pytestmark = pytest.mark.django_db
DJANGOS_OWN = {"DELETE"}  # the box that takes a row out of a table


def silent(form: forms.BaseForm) -> list[str]:
    """The visible fields that say nothing."""
    return [
        name
        for name, field in form.fields.items()
        if not (field.widget.is_hidden or field.help_text or name in DJANGOS_OWN)
    ]


def forms_of(answer) -> Iterator[tuple[str, forms.BaseForm]]:
    context = answer.context
    form = context["adminform"].form if context.get("adminform") else context.get("form")
    if form is not None:
        yield "form", form
    for inline in context.get("inline_admin_formsets") or ():
        yield inline.formset.prefix, inline.formset.empty_form


@pytest.mark.parametrize("path", ["add/", "{}/change/", "{}/password/"])
def test_every_field_of_every_page_says_what_to_enter(staff, global_key, path):
    rows, found = rows_of_all(), []
    for model in admin.site._registry:
        name = f"{model._meta.app_label}/{model._meta.model_name}"
        answer = staff.get(f"/admin/{name}/{path.format(rows[name].pk)}")
        if answer.status_code == 200:
            found += [(name, form_name, silent(form)) for form_name, form in forms_of(answer) if silent(form)]
    assert found == []


def test_the_walk_sees_a_field_that_says_nothing():
    class Silent(forms.Form):
        name = forms.CharField()
        hidden = forms.CharField(widget=forms.HiddenInput)

    assert silent(Silent()) == ["name"]


def test_every_field_of_the_other_forms_says_what_to_enter(staff):
    assert silent(NewSigningKeyForm()) == silent(ImportSigningKeyForm()) == []
    for form in ({**settings.ACCOUNT_FORMS, **settings.MFA_FORMS}).values():
        declared = import_string(form).base_fields
        if form.endswith(("SignInForm", "ConfirmByPasswordForm")):
            continue  # theirs are made with the form; the pages below have them
        assert [name for name, field in declared.items() if not (field.help_text or field.widget.is_hidden)] == [], form
    assert silent(staff.get(reverse("admin:password_change")).context["form"]) == []
    assert silent(staff.get(reverse("account_reauthenticate")).context["form"]) == []
    staff.logout()
    assert silent(staff.get(reverse("account_login")).context["form"]) == []


@pytest.mark.parametrize("name", ["account_login", "admin:password_change", "account_reauthenticate"])
def test_what_a_field_is_described_by_is_on_its_page(client, staff, name):
    if name == "account_login":
        client.logout()
    source = client.get(reverse(name)).content.decode()
    named = re.findall(r'aria-describedby="([^"]+)"', source)
    assert named
    assert [one for one in named if f'id="{one}"' not in source] == []


def test_every_help_text_belongs_to_a_field_of_a_page():
    """A column that is renamed takes its text along."""
    by_name = {model._meta.model_name: model for model in admin.site._registry}
    for name in HELP_TEXTS:
        model, field = name.split(".")
        assert isinstance(by_name[model]._meta.get_field(field), models.Field), name


def test_every_help_text_is_a_short_sentence():
    for name, text in HELP_TEXTS.items():
        assert text.endswith(".") and len(text) <= 160, name
