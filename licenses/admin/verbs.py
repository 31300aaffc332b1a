"""Verbs of the services as actions: on many rows from a list, on one from its own page, through the same function.

A verb asks on a page of its own, shows what it would do, then does it: `admin/verb_runs.py` runs the services for both.
"""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.core.exceptions import PermissionDenied
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme

from licenses.admin.display import change_url
from licenses.admin.verb_runs import AT_ONCE, NAMED, do, how_many, preview, report
from licenses.models import Actor, Door
from licenses.services.throttles import take

MAX_DIGITS = 18  # of a primary key; longer ones overflow the database's integers
REMEMBERED = 24 * 60  # minutes for which a page that was confirmed is known to have been


@dataclass(frozen=True)
class Verb:
    """One action. `form`'s fields are the service's own parameters; what identifies a row comes from its admin.

    `service` returns something true when it changed the row and something false when there was nothing to change. The
    preview runs it too, in a transaction that is undone: `previewed` is False where that would show what is then made
    anew (license keys, key pairs).
    """

    name: str
    label: str
    service: Callable[..., Any]
    done: str | Callable[[dict[str, Any]], str]  # after the rows, for one of them: "was blocked"
    unchanged: str  # why a row stayed as it was, of one and of many: "blocked already"
    explanation: str
    form: type[forms.Form] = forms.Form
    permission: str = "change"
    dangerous: bool = False
    previewed: bool = True
    applies: Callable[[Any], bool] = lambda row: True  # whether a row's own page offers it
    consequence: Callable[[Sequence[Any]], str] = lambda rows: ""  # what else happens to these rows
    outcome: Callable[[Sequence[Any], dict[str, Any]], str] = lambda rows, fields: ""  # a sentence about what was done


class VerbsMixin(admin.ModelAdmin):
    """The `verbs` of a model's admin as Django admin actions."""

    verbs: tuple[Verb, ...] = ()

    def arguments_for(self, row: Any) -> dict[str, Any]:
        """How the services name this row."""
        raise NotImplementedError

    def may(self, request: HttpRequest, verb: Verb) -> bool:
        return bool(getattr(self, f"has_{verb.permission}_permission")(request))

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Django's "delete selected" is left out: it would go past the services and their audit rows."""
        return {verb.name: (_action(verb), verb.name, verb.label) for verb in self.verbs if self.may(request, verb)}

    def response_action(self, request: HttpRequest, queryset: QuerySet[Any], *args: Any) -> Any:
        selected = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if not all(map(is_pk, selected)):
            self.message_user(request, "The selection could not be read. Select the rows again.", messages.ERROR)
            return None
        return super().response_action(request, queryset, *args)


def is_pk(text: str) -> bool:
    """Whether the text may name a row; anything else would make the query fail."""
    return text.isascii() and text.isdecimal() and len(text) <= MAX_DIGITS


def actor_of(request: HttpRequest) -> Actor:
    """How the audit names a member of staff."""
    return Actor(Door.ADMIN, request.user.get_username(), request.META.get("REMOTE_ADDR") or None)


def account_of(request: HttpRequest) -> User:
    """Whose rights count. The admin lets nobody in without an account."""
    return cast(User, request.user)


def _action(verb: Verb) -> Callable[[VerbsMixin, HttpRequest, QuerySet[Any]], HttpResponse | None]:
    return lambda model_admin, request, queryset: run(verb, model_admin, request, queryset)


def run(verb: Verb, model_admin: VerbsMixin, request: HttpRequest, queryset: QuerySet[Any]) -> HttpResponse | None:
    """Ask on a page of its own, show what it would do, then do it and say what happened."""
    if not model_admin.may(request, verb):  # again: the list of actions is no protection (S12)
        raise PermissionDenied
    rows = list(queryset[: AT_ONCE + 1])
    if problem := _problem(rows, model_admin):
        model_admin.message_user(request, f"{problem} Nothing was changed.", messages.WARNING)
        return None
    form = _form(verb, request)
    if "edit" in request.POST or not form.is_valid():
        return _page(verb, model_admin, request, rows, form, asks=True)
    if "confirmed" not in request.POST or _is_another_list(model_admin, request, rows):
        return _page(verb, model_admin, request, rows, form, asks=not verb.previewed)
    if _was_confirmed(request):
        text = "This page was confirmed before, and what it asked was done then. It was not done a second time."
        model_admin.message_user(request, text, messages.WARNING)
        return HttpResponseRedirect(_back_url(request, rows))
    outcome = do(verb, model_admin, rows, form.cleaned_data, actor_of(request))
    report(verb, model_admin, request, outcome, form.cleaned_data)
    return HttpResponseRedirect(_back_url(request, rows))


def _problem(rows: Sequence[Model], model_admin: VerbsMixin) -> str:
    """Why nothing can be done about this selection; empty when something can."""
    if not rows:
        return "The selected rows are gone from this list."
    if len(rows) <= AT_ONCE:
        return ""
    filters = "a filter at the side, or " if model_admin.list_filter else ""
    return (
        f"More than {AT_ONCE:,} {model_admin.opts.verbose_name_plural} are selected, which is the most at once. "
        f"Narrow the list first, with {filters}a search, and do it in parts."
    )


def _form(verb: Verb, request: HttpRequest) -> forms.Form:
    """Filled in when the page that asks was sent, or when there is nothing to ask."""
    is_sent = "asked" in request.POST or "confirmed" in request.POST or not verb.form.base_fields
    return verb.form(request.POST if is_sent else None)


def _is_another_list(model_admin: VerbsMixin, request: HttpRequest, rows: Sequence[Model]) -> bool:
    """Whether "all that match" are other rows in number than the page has shown; says so then."""
    before = request.POST.get("expected", "")
    if not _selects_all(request) or before == str(len(rows)):
        return False
    text = f"Nothing was changed: the list has become another one meanwhile. It has {how_many(len(rows), model_admin)}"
    text += f" now, and had {before} before." if is_pk(before) else " now."
    model_admin.message_user(request, f"{text} Look at it again.", messages.WARNING)
    return True


def _was_confirmed(request: HttpRequest) -> bool:
    """Whether this very page was sent before; counted exactly in all processes, so one of a double click has effect."""
    token = request.POST.get("token", "")[:100]
    name = f"confirmed page of {request.user.get_username()}: {token}"
    return bool(token) and take(name, burst=1, per_minute=1 / REMEMBERED) > 0


def _selects_all(request: HttpRequest) -> bool:
    return request.POST.get("select_across") == "1"


def _page(
    verb: Verb,
    model_admin: VerbsMixin,
    request: HttpRequest,
    rows: list[Model],
    form: forms.Form,
    *,
    asks: bool,
) -> TemplateResponse:
    """The page with the form (`asks`) or, once that is filled in, with what would happen."""
    request.current_app = model_admin.admin_site.name  # as Django's own views do
    shown = None if asks else preview(verb, model_admin, rows, form.cleaned_data)
    return TemplateResponse(
        request,
        "admin/verb.html",
        {
            **model_admin.admin_site.each_context(request),
            "title": f"{verb.label}: {how_many(len(rows), model_admin)}",
            "opts": model_admin.opts,
            "verb": verb,
            "stage": "asked" if asks and verb.previewed else "confirmed",
            "preview": shown,
            "named": rows[:NAMED],
            "more": len(rows) - len(rows[:NAMED]),
            "consequence": verb.consequence(rows),
            "form": form,
            "one": rows[0] if len(rows) == 1 else None,
            "sent_along": _sent_along(request, rows),
            "back_url": _back_url(request, rows),
        },
    )


def _sent_along(request: HttpRequest, rows: list[Model]) -> list[tuple[str, Any]]:
    """What the page sends back unseen. All that match are named by the list's address and their number."""
    fields: list[tuple[str, Any]] = [("token", secrets.token_urlsafe(16))]
    if "from_object" in request.POST:
        fields.append(("from_object", 1))
    if back := _asked_from(request):
        fields.append(("back", back))
    if _selects_all(request):
        return [*fields, ("select_across", 1), ("expected", len(rows)), (ACTION_CHECKBOX_NAME, rows[0].pk)]
    return [*fields, *((ACTION_CHECKBOX_NAME, row.pk) for row in rows)]


def _back_url(request: HttpRequest, rows: list[Model]) -> str:
    """Back to where the action was asked for: another page that offers it, the row's own, or the list as it was."""
    if back := _asked_from(request):
        return back
    return change_url(rows[0]) if "from_object" in request.POST else request.get_full_path()


def _asked_from(request: HttpRequest) -> str:
    """The page of the admin that offered the action for a row of another one; empty for any other address."""
    back = request.POST.get("back", "")
    here = url_has_allowed_host_and_scheme(back, allowed_hosts=None) and back.startswith(reverse("admin:index"))
    return back if here else ""
