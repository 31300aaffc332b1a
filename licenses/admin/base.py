"""What every page of the admin has in common: bounded lists, changes through services, history from the audit trail."""

from collections.abc import Sequence
from functools import cached_property
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.options import IncorrectLookupParameters, ShowFacets
from django.contrib.admin.utils import unquote
from django.contrib.admin.views.main import ChangeList
from django.contrib.admin.widgets import AutocompleteSelect
from django.core.exceptions import PermissionDenied, ValidationError
from django.core.paginator import Paginator
from django.db import DataError, IntegrityError, OperationalError
from django.db.models import Model
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from licenses.admin.display import described, list_url
from licenses.admin.help_texts import with_help
from licenses.admin.inlines import NewestInline, ReadOnlyInline
from licenses.admin.names import capitalized, named
from licenses.admin.porting.mixin import PortingMixin
from licenses.admin.searching import SearchMixin
from licenses.admin.verb_runs import AT_ONCE
from licenses.admin.verbs import VerbsMixin, actor_of, is_pk
from licenses.codes import Refused
from licenses.models import AuditEvent
from licenses.reports.counting import Count, count_up_to
from licenses.reports.lists import history_of
from licenses.services.records import delete_record, is_used, save_record
from licenses.services.retries import why_lost

__all__ = ["CappedPaginator", "NewestInline", "PortalChangeList", "PortalModelAdmin", "ReadOnlyAdmin", "ReadOnlyInline"]
FASTER = (IntegrityError, OperationalError, ValidationError, Refused)
HISTORY_CAP = 100
PANEL_CAP = 5  # audit events on an object's own page
FILTER_TAILS = ("", "__exact", "__in", "__isnull", "__id__exact", "__id__in")  # what the links of filters end in


class CappedPaginator(Paginator):
    """Counts to 10,000 and then says "10,000+": counting a million rows takes longer than anybody waits for a list."""

    @cached_property
    def found(self) -> Count:
        return count_up_to(self.object_list)  # type: ignore[arg-type]  # the admin pages querysets

    @cached_property
    def count(self) -> int:
        return self.found.number


class PortalChangeList(ChangeList):
    def __init__(self, request: HttpRequest, *args: Any, **kwargs: Any) -> None:
        """A filter value the database cannot read is a wrong address, not a crash."""
        try:
            super().__init__(request, *args, **kwargs)
        except (ValueError, OverflowError, DataError) as error:
            raise IncorrectLookupParameters(error) from error
        self.may_select_all, self.most_selected = self.result_count <= AT_ONCE, AT_ONCE
        if not self.is_popup:
            self.title = capitalized(self.opts.verbose_name_plural)


class PickerSelect(AutocompleteSelect):
    """Django's widget looks up whatever was chosen; what is no number was never on offer."""

    def optgroups(self, name: str, value: Sequence[str], attrs: Any = None) -> Any:
        return super().optgroups(name, [pk for pk in value if is_pk(str(pk))], attrs)


class PortalModelAdmin(PortingMixin, SearchMixin, VerbsMixin):
    """`save_model` and `delete_model` go through services, so that every change leaves its audit row."""

    paginator = CappedPaginator
    show_full_result_count = False
    show_facets = ShowFacets.NEVER  # they count every row once per choice
    list_per_page = 50
    list_max_show_all = 0
    actions_on_top, actions_on_bottom = False, True  # after the rows, as the bar that floats above them is reached
    empty_text = ""  # what to do when the list is empty
    add_label = ""  # of the button that adds one, where "Add …" is not what it does
    with_history = True  # False for models whose rows have no audit events of their own
    with_timeline = False  # True where a timeline stands in place of the latest changes; see admin/timeline.py
    hidden = False  # True for models that are reached from others' pages
    link_filters: tuple[str, ...] = ()  # filters that links use beside those of the list

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return PortalChangeList

    def has_module_permission(self, request: HttpRequest) -> bool:
        return not self.hidden and super().has_module_permission(request)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_delete_permission(request, obj) and (obj is None or not is_used(obj))

    def lookup_allowed(self, lookup: str, value: Any, request: HttpRequest | None = None) -> bool:
        """Only the filters of the list: any other could read every row, or ask about columns that no page shows.

        `id__in` names the rows that an action has refused. A filter goes no further than its own column: past a
        relation (`product__contracts__contract_key__startswith`) anybody could spell out a secret by its matches.
        """
        filters = {str(getattr(entry, "parameter_name", entry)) for entry in self.list_filter}
        own = {f"{name}{tail}" for name in filters for tail in FILTER_TAILS}
        return lookup in (*self.link_filters, "id__in", *own)

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        if db_field.name in self.autocomplete_fields:
            kwargs["widget"] = PickerSelect(db_field, self.admin_site)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def formfield_for_dbfield(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        field = named(super().formfield_for_dbfield(db_field, request, **kwargs))
        return with_help(field, db_field.model._meta.model_name, db_field.name, kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        save_record(obj, changed_fields=form.changed_data, actor=actor_of(request))

    def delete_model(self, request: HttpRequest, obj: Any) -> None:
        delete_record(obj, actor=actor_of(request))

    def save_formset(self, request: HttpRequest, form: Any, formset: Any, change: bool) -> None:
        formset.save(commit=False)
        actor = actor_of(request)
        for row in formset.deleted_objects:
            delete_record(row, actor=actor)
        for row, fields in formset.changed_objects:
            save_record(row, changed_fields=fields, actor=actor)
        for row in formset.new_objects:
            save_record(row, actor=actor)

    def changeform_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        """Somebody else was faster, after the form was checked: undo all of it and say so.

        It is not tried again here: what a form looked up before belongs to the attempt, and uploads are read once.
        """
        try:
            return super().changeform_view(request, *args, **kwargs)
        except FASTER as error:
            return self._start_again(request, error)

    def delete_view(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        try:
            return super().delete_view(request, *args, **kwargs)
        except FASTER as error:
            return self._start_again(request, error)

    def _start_again(self, request: HttpRequest, error: Exception) -> HttpResponse:
        if isinstance(error, OperationalError) and (request.method != "POST" or not why_lost(error)):
            raise error  # the database is away, which this page cannot say
        reason = " ".join(error.messages) if isinstance(error, ValidationError) else "It was changed in the meantime."
        self.message_user(request, f"Nothing was saved. {reason} Look at it again.", messages.ERROR)
        return HttpResponseRedirect(request.get_full_path())

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """One object at a time, whatever hangs on it: Django would first load every row that refers to it."""
        return [str(obj) for obj in objs], {self.opts.verbose_name_plural: len(objs)}, set(), []

    def action_checkbox(self, obj: Any) -> SafeString:
        """As Django's, which renders a template for each row: a fifth of the time that a list takes."""
        return format_html(
            '<input type="checkbox" name="{}" value="{}" class="action-select" aria-label="{}">',
            ACTION_CHECKBOX_NAME,
            obj.pk,
            f"Select this object for an action - {obj}",
        )

    # The audit trail is the log; Django's own would be a second one that the other doors do not write

    def log_addition(self, *args: Any) -> None: ...  # type: ignore[override]

    def log_change(self, *args: Any) -> None: ...  # type: ignore[override]

    def log_deletions(self, *args: Any) -> None: ...  # type: ignore[override]

    def history_target(self, obj: Any) -> Model:
        """Whose audit events the page shows."""
        return obj

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        context["adminform"].form.label_suffix = ""
        obj = context.get("original")
        if obj is not None:
            listed = self.with_history and not self.with_timeline
            events = history_of(self.history_target(obj))[:PANEL_CAP] if listed else []
            context |= {
                "title": capitalized(self.opts.verbose_name),
                "with_history": self.with_history,
                "show_save_and_add_another": False,
                "verbs": [verb for verb in self.verbs if self.may(request, verb) and verb.applies(obj)],
                "latest": described(events),
                "list_url": list_url(self.model),
                "checkbox_name": ACTION_CHECKBOX_NAME,
            }
        return super().render_change_form(request, context, *args, **kwargs)

    def history_view(self, request: HttpRequest, object_id: str, extra_context: Any = None) -> HttpResponse:
        obj = self.get_object(request, unquote(object_id))
        if obj is None:
            return self._get_obj_does_not_exist_redirect(request, self.opts, object_id)  # type: ignore[attr-defined]
        if not self.has_view_or_change_permission(request, obj):
            raise PermissionDenied
        target = self.history_target(obj)
        events = list(history_of(target)[: HISTORY_CAP + 1])
        context = self.admin_site.each_context(request) | {
            "title": "History",
            "subtitle": str(obj),
            "opts": self.opts,
            "object": obj,
            "lines": described(events[:HISTORY_CAP]),
            "more": len(events) > HISTORY_CAP,
            "all_url": list_url(AuditEvent, object_type=target._meta.model_name, object_id=target.pk),
        }
        request.current_app = self.admin_site.name  # as Django's own views do
        return TemplateResponse(request, "admin/object_history.html", context)


class ReadOnlyAdmin(PortalModelAdmin):
    """Rows that are written elsewhere and only looked at here."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
