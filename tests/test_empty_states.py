"""What a list says while there is nothing in it, and what messages say: what to do next, what happened, to how many."""

import ast
import re
from pathlib import Path

import pytest
from django.contrib import admin
from django.urls import reverse
from django.utils.html import escape

from licenses.admin.inlines import NewestInline
from licenses.admin.verb_runs import agreeing
from licenses.models import AuditEvent
from tests.factories import LicenseKeyFactory, OwnerFactory, ProductFactory
from tests.test_callers import everything

pytestmark = pytest.mark.django_db
ROOT = Path(__file__).resolve().parent.parent
LISTS = {model: page for model, page in admin.site._registry.items() if hasattr(page, "empty_text")}
SEARCHED = {model: page for model, page in LISTS.items() if page.search_fields}


def url_of(model, name: str, *args) -> str:
    return reverse(f"admin:{model._meta.app_label}_{model._meta.model_name}_{name}", args=args)


def content_of(answer) -> str:
    """The page without what stands around it."""
    return answer.content.decode().partition('id="content"')[2]


@pytest.mark.parametrize("model", LISTS, ids=lambda model: model.__name__)
def test_every_empty_list_says_what_to_do_next(staff, model):
    model._base_manager.exclude(pk=staff.session["_auth_user_id"]).delete() if model is not AuditEvent else None
    answer = staff.get(url_of(model, "changelist"))
    source, text = content_of(answer), LISTS[model].empty_text
    assert len(text.split()) > 4, "a sentence that says how something comes here"
    assert text.endswith((".", "?"))
    if answer.context["cl"].result_count:  # accounts: whoever looks is there
        return
    assert escape(text) in source or text in source
    assert f"No {model._meta.verbose_name_plural} yet." in source
    if LISTS[model].has_add_permission(answer.wsgi_request):
        assert f'href="{url_of(model, "add")}"' in source


@pytest.mark.parametrize("model", SEARCHED, ids=lambda model: model.__name__)
def test_every_search_without_a_match_says_what_is_searched_and_leads_back(staff, global_key, model):
    everything()
    source = content_of(staff.get(url_of(model, "changelist"), {"q": "no-such-thing-anywhere"}))
    assert "Nothing matches." in source
    assert SEARCHED[model].search_help_text in source or escape(SEARCHED[model].search_help_text) in source
    assert f'<a href="{url_of(model, "changelist")}">Show the whole list</a>' in source


def test_a_filter_without_a_match_leads_back_too(staff):
    LicenseKeyFactory()
    page = LISTS[next(model for model in LISTS if model.__name__ == "LicenseKey")]
    source = content_of(staff.get(url_of(page.model, "changelist"), {"status__exact": "blocked"}))
    assert "Nothing matches." in source
    assert "Show the whole list" in source


def test_every_empty_table_on_a_page_says_what_to_do_next(staff):
    rows = {type(row): row for row in (LicenseKeyFactory(), OwnerFactory(), ProductFactory())}
    inlines = {inline for page in admin.site._registry.values() for inline in page.inlines}
    assert [inline.__name__ for inline in inlines if not issubclass(inline, NewestInline)] == []
    assert [inline.__name__ for inline in inlines if len(inline.empty_text.split()) < 5] == []
    for model, row in rows.items():
        source = staff.get(url_of(model, "change", row.pk)).content.decode()
        for inline in admin.site._registry[model].inlines:
            assert escape(inline.empty_text) in source, inline.__name__


def test_a_table_with_rows_says_nothing_of_the_kind(staff):
    row = LicenseKeyFactory()
    row.metadata.create(name="edition", value="pro")
    inlines = {inline.model.__name__: inline.empty_text for inline in admin.site._registry[type(row)].inlines}
    source = staff.get(url_of(type(row), "change", row.pk)).content.decode()
    assert escape(inlines["LicenseKeyMetadata"]) not in source
    assert escape(inlines["Activation"]) in source


# Messages


def messages_in(path: Path) -> list[str]:
    """The texts that stand in a module's calls of message_user and messages.*, without what is filled in."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            ours = node.func.attr == "message_user" or getattr(node.func.value, "id", "") == "messages"
            for argument in node.args if ours else ():
                parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
                text = "".join(str(getattr(part, "value", "")) for part in parts if isinstance(part, ast.Constant))
                found += [text] if text else []
    return found


def test_every_message_is_a_sentence():
    paths = [
        path for folder in ("licenses", "licensing_portal", "settings_api") for path in (ROOT / folder).rglob("*.py")
    ]
    texts = {text for path in paths for text in messages_in(path)}
    assert len(texts) > 5, "the walk finds them"
    assert [text for text in texts if not text.rstrip().endswith(".")] == []
    assert [text for text in texts if re.search(r"\b(succes|error|please|sorry)", text, re.IGNORECASE)] == []


@pytest.mark.parametrize(
    ("words", "of_many"),
    [
        ("was blocked", "were blocked"),
        ("has no reference any more", "have no reference any more"),
        ("is in use", "are in use"),
        ("will be sent", "will be sent"),
        ("got 3 new license keys", "got 3 new license keys"),
    ],
)
def test_what_was_done_agrees_with_how_many(words, of_many):
    assert (agreeing(words, 1), agreeing(words, 2)) == (words, of_many)


def test_every_verb_says_what_it_did_to_one():
    """And so, by the table above, to many."""
    for page in admin.site._registry.values():
        for verb in getattr(page, "verbs", ()):
            if isinstance(verb.done, str):
                assert verb.done.startswith(("was ", "is ", "has ", "will ")), verb.name
