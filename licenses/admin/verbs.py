"""Verbs of the services as actions: on many rows from a list, on one from its own page, through the same function."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, cast

from django import forms
from django.contrib import admin, messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.auth.models import User
from django.core.exceptions import ObjectDoesNotExist, PermissionDenied, ValidationError
from django.db import DatabaseError
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.html import format_html

from licenses.admin.display import change_url
from licenses.codes import Refused
from licenses.models import Actor, Door
from licenses.services.retries import retried, why_lost

MAX_DIGITS = 18  # of a primary key; longer ones overflow the database's integers
AT_ONCE = 500  # rows of one action: each is a transaction, and the page that asks names them all
NAMED = 10  # rows a message or a page names before it says how many more


@dataclass(frozen=True)
class Verb:
    """One action. `form`'s fields are the service's own parameters; what identifies a row comes from its admin.

    `service` returns something true when it changed the row and something false when there was nothing to change.
    """

    name: str
    label: str
    service: Callable[..., Any]
    done: str
    unchanged: str
    explanation: str
    form: type[forms.Form] = forms.Form
    permission: str = "change"
    dangerous: bool = False
    applies: Callable[[Any], bool] = lambda row: True  # whether a row's own page offers it
    consequence: Callable[[Sequence[Any]], str] = lambda rows: ""  # what else happens to these rows
    outcome: Callable[[Sequence[Any], dict[str, Any]], str] = lambda rows, fields: ""  # a sentence about what was done


@dataclass
class Outcome:
    """What became of the rows of one action."""

    done: list[Any] = field(default_factory=list)
    unchanged: list[str] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)


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
    """Ask on a page of its own, then do it row by row, each in its own transaction, and say what happened."""
    if not model_admin.may(request, verb):  # again: the list of actions is no protection (S12)
        raise PermissionDenied
    rows = list(queryset[: AT_ONCE + 1])
    if not rows or len(rows) > AT_ONCE:
        problem = f"Select at most {AT_ONCE} rows at once." if rows else "The selected rows are gone from this list."
        model_admin.message_user(request, f"{problem} Nothing was changed.", messages.WARNING)
        return None
    form = verb.form(request.POST if "confirmed" in request.POST else None)
    if not form.is_valid():
        return _ask(verb, model_admin, request, rows, form)
    outcome = _do(verb, model_admin, rows, form.cleaned_data, actor_of(request))
    _report(verb, model_admin, request, outcome, verb.outcome(outcome.done, form.cleaned_data))
    return HttpResponseRedirect(_back_url(request, rows))


def _ask(
    verb: Verb, model_admin: VerbsMixin, request: HttpRequest, rows: list[Model], form: forms.Form
) -> TemplateResponse:
    request.current_app = model_admin.admin_site.name  # as Django's own views do
    return TemplateResponse(
        request,
        "admin/verb.html",
        {
            **model_admin.admin_site.each_context(request),
            "title": f"{verb.label}: {_how_many(len(rows), model_admin)}",
            "opts": model_admin.opts,
            "verb": verb,
            "rows": rows,
            "named": rows[:NAMED],
            "more": len(rows) - len(rows[:NAMED]),
            "consequence": verb.consequence(rows),
            "form": form,
            "one": rows[0] if len(rows) == 1 else None,
            "from_object": "from_object" in request.POST,
            "back_url": _back_url(request, rows),
            "checkbox_name": ACTION_CHECKBOX_NAME,
        },
    )


def _back_url(request: HttpRequest, rows: list[Model]) -> str:
    """Back to where the action was asked for: the row's own page or the list as it was."""
    return change_url(rows[0]) if "from_object" in request.POST else request.get_full_path()


def _do(verb: Verb, model_admin: VerbsMixin, rows: list[Model], fields: dict[str, Any], actor: Actor) -> Outcome:
    outcome = Outcome()
    for row in rows:
        try:
            changed = retried(partial(verb.service, **model_admin.arguments_for(row), **fields, actor=actor))
        except Refused as refused:
            outcome.refused.append(f"{row}: {refused.code.value.message.rstrip('.')}")
        except ValidationError as error:
            outcome.refused.append(f"{row}: {' '.join(error.messages).rstrip('.')}")
        except ObjectDoesNotExist:
            outcome.refused.append(f"{row}: it was deleted in the meantime")
        except DatabaseError as error:
            if not why_lost(error):
                raise
            outcome.refused.append(f"{row}: the database was busy with other changes; try it again")
        else:
            outcome.done += [row] if changed else []
            outcome.unchanged += [] if changed else [str(row)]
    return outcome


def _report(verb: Verb, model_admin: VerbsMixin, request: HttpRequest, outcome: Outcome, more: str) -> None:
    for rows, words, level in (
        (outcome.done, format_html("{}. {}", verb.done, more) if more else f"{verb.done}.", messages.SUCCESS),
        (outcome.unchanged, f"left as before, {verb.unchanged}: {_named(outcome.unchanged)}.", messages.WARNING),
        (outcome.refused, f"refused. {_named(outcome.refused, '; ')}.", messages.ERROR),
    ):
        if rows:
            text = format_html("{} {}", _how_many(len(rows), model_admin), words)
            model_admin.message_user(request, text, level)


def _how_many(count: int, model_admin: VerbsMixin) -> str:
    name = model_admin.opts.verbose_name if count == 1 else model_admin.opts.verbose_name_plural
    return f"{count} {name}"


def _named(rows: list[str], separator: str = ", ") -> str:
    more = f" and {len(rows) - NAMED} more" if len(rows) > NAMED else ""
    return separator.join(rows[:NAMED]) + more
