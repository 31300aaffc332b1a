"""The search boxes of lists: what they find, and what they say about it."""

from typing import Any

from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest

from licenses.reports.fragments import Matches, cleaned
from licenses.reports.search import Search


def is_picker_of(request: HttpRequest) -> bool:
    """Whether this is the look-up of a field that offers what begins with what was typed: it has to be quick."""
    return bool(request.resolver_match and request.resolver_match.url_name == "autocomplete")


def notes_on(search: Search, *, cut: bool) -> list[str]:
    """What staff should know about what they see and do not see."""
    notes = ["There are more matches than these. Type more of it."] if cut else []
    if search.too_slow:
        notes.append(
            "This took too long without search indexes, so some matches are by beginning only: type the beginning of "
            "it. Whoever runs the portal can make the indexes with manage.py make_search_indexes."
        )
    elif search.compared_beginnings:
        notes.append("This is too short to look for in the middle of a text, so only beginnings were compared.")
    return notes


class SearchMixin(admin.ModelAdmin):
    """A list that is searched by index. Pickers of other pages' fields compare beginnings alone."""

    def find(self, text: str) -> Matches | None:
        """The rows a search finds by index; None leaves it to Django's `search_fields`, for small tables."""
        return None

    def found_by(self, request: HttpRequest, search: Search) -> Matches | None:
        """As `find`, for those whose columns the search for everything knows."""
        return self.find(search.text)

    def get_search_results(self, request: HttpRequest, queryset: QuerySet[Any], search_term: str) -> Any:
        text, is_picker = cleaned(search_term), is_picker_of(request)
        search = Search(text, beginnings=is_picker)
        matches = self.found_by(request, search) if text else None
        if matches is None:
            return super().get_search_results(request, queryset, text)
        for note in () if is_picker else notes_on(search, cut=matches.cut):
            self.message_user(request, note, messages.INFO)
        return queryset.filter(pk__in=matches.pks), False
