"""One search over everything that staff are asked about, from the header of every page."""

import re
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from django.contrib.admin import AdminSite
from django.core.exceptions import PermissionDenied
from django.db.models import Case, Model, QuerySet, Value, When
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.utils.html import escape
from django.utils.safestring import SafeString, mark_safe

from licenses.admin.display import badge, change_url, list_url, product_badge, row_count, status_badge
from licenses.admin.queued_assignments import TONES as QUEUED_TONES
from licenses.admin.searching import notes_on
from licenses.models import Activation, Contract, LicenseKey, Owner, Product, QueuedAssignment
from licenses.reports.counting import Count
from licenses.reports.fragments import Matches, cleaned
from licenses.reports.lists import with_license_key_counts, with_live_activations
from licenses.reports.search import Search, exact_matches

SHOWN = 10  # rows of a group; the others are in its list
READ_WHOLE = (Contract, Product)  # small tables, in which short texts are found anywhere, too
NOT_SEARCHED = ("product", "active_activations")  # facts that stand there for the reader alone


class Row(NamedTuple):
    """One thing found. `facts` are (what it is, text) with the text that matched marked; empty ones are left out."""

    url: str
    name: SafeString
    badge: SafeString
    facts: list[tuple[str, SafeString]]


class Finding:
    """What one search shows to one member of staff."""

    def __init__(self, site: AdminSite, request: HttpRequest, text: str) -> None:
        self.site, self.request, self.text = site, request, text
        self.search = Search(text)

    def may_view(self, model: type[Model]) -> bool:
        page = self.site._registry.get(model)
        return page is not None and page.has_view_or_change_permission(self.request)

    def matches(self, model: type[Model]) -> Matches:
        """The same rows as the search of the model's list finds."""
        found: Matches = self.site._registry[model].found_by(self.request, self.search)  # type: ignore[attr-defined]
        return found

    def row(self, target: Model, name: object, badge: SafeString, /, **facts: object) -> Row:
        at_start = self.search.beginnings and type(target) not in READ_WHOLE
        named = [
            (label.replace("_", " "), marked(str(text), "" if label in NOT_SEARCHED else self.text, at_start=at_start))
            for label, text in facts.items()
            if text
        ]
        name = marked(str(name), self.text, at_start=at_start)
        return Row(change_url(target), name, badge, named)

    def first(self, rows: QuerySet[Any], column: str, pks: set[int]) -> list[Any]:
        """Those that begin with the text before the others, the newest of either first; the rest is not even read."""
        begins = Case(When(**{f"{column}__istartswith": self.text}, then=Value(0)), default=Value(1))
        found = rows.model._default_manager.filter(pk__in=pks).order_by(begins, "-pk").values_list("pk", flat=True)
        first = list(found[:SHOWN])
        return sorted(rows.filter(pk__in=first), key=lambda row: first.index(row.pk))


def marked(text: str, wanted: str, *, at_start: bool = False) -> SafeString:
    """The text as HTML, with what was looked for marked wherever it is or only at the start, in any case."""
    pattern = f"{'^' if at_start else ''}({re.escape(wanted)})"
    pieces = re.split(pattern, text, flags=re.IGNORECASE) if wanted else [text]
    html = (f"<mark>{escape(piece)}</mark>" if turn % 2 else escape(piece) for turn, piece in enumerate(pieces))
    return mark_safe("".join(html))  # noqa: S308  each piece is escaped


def _license_keys(finding: Finding, pks: set[int]) -> list[Row]:
    rows = with_live_activations(LicenseKey.objects.select_related("product", "owner"))
    found = finding.first(rows, "license_key", pks)
    identifiers = _identifiers(found, finding)
    return [finding.row(row, row, status_badge(row), **_about(row, identifiers)) for row in found]


def _about(row: Any, identifiers: dict[int, str]) -> dict[str, object]:
    return {
        "product": row.product,
        "owner": row.owner or "",
        "name": row.owner.name if row.owner and row.owner.email else "",
        "reference": row.reference,
        "identifier": identifiers.get(row.pk, ""),
        "active_activations": row_count(row.live_count) if row.live_count else "",
    }


def _identifiers(found: list[LicenseKey], finding: Finding) -> dict[int, str]:
    """Of these license keys, those identifiers that are what was found."""
    pks = finding.search.activations_by_identifier.pks
    rows = Activation.objects.filter(pk__in=pks, license_key__in=[row.pk for row in found]) if pks and found else []
    return {row.license_key_id: row.identifier for row in rows}


def _owners(finding: Finding, pks: set[int]) -> list[Row]:
    rows = with_license_key_counts(Owner.objects.all(), "owner")
    return [
        finding.row(
            row,
            row,
            badge(_keys(row.license_key_count), "info" if row.license_key_count else "quiet"),
            name=row.name if row.email else "",
        )
        for row in finding.first(rows, "email", pks)
    ]


def _keys(number: int) -> str:
    return f"{row_count(number)} license {'key' if number == 1 else 'keys'}"


def _activations(finding: Finding, pks: set[int]) -> list[Row]:
    rows = Activation.objects.select_related("license_key__product")
    return [
        finding.row(
            row,
            row,
            badge("Active", "good") if row.is_live else badge("Deactivated", "quiet"),
            license_key=row.license_key,
            product=row.license_key.product,
        )
        for row in finding.first(rows, "identifier", pks)
    ]


def _contracts(finding: Finding, pks: set[int]) -> list[Row]:
    """The contract key is shown to whoever may change it, as on the contract's page."""
    may_see = finding.site._registry[Contract].has_change_permission(finding.request)
    return [
        finding.row(
            row,
            row,
            badge(row.get_status_display(), "good" if row.is_active else "quiet"),
            product=row.product,
            contract_key=row.contract_key if may_see else "",
        )
        for row in finding.first(Contract.objects.select_related("product"), "name", pks)
    ]


def _products(finding: Finding, pks: set[int]) -> list[Row]:
    return [
        finding.row(row, row, product_badge(row), slug=row.slug, external_reference=row.external_reference)
        for row in finding.first(Product.objects.all(), "name", pks)
    ]


def _queued_assignments(finding: Finding, pks: set[int]) -> list[Row]:
    rows = QueuedAssignment.objects.select_related("product").defer("envelope")
    return [
        finding.row(
            row,
            row,
            badge(row.get_state_display(), QUEUED_TONES[QueuedAssignment.State(row.state)]),
            identifier=row.identifier,
            owner=row.owner_email or row.owner_name,
        )
        for row in finding.first(rows, "identifier", pks)
    ]


class Group(NamedTuple):
    """One kind of thing: how its rows are shown, and what of it is looked at, as the page says it."""

    model: type[Model]
    rows: Callable[[Finding, set[int]], list[Row]]
    looks_at: str


GROUPS = (
    Group(LicenseKey, _license_keys, "license keys and their references"),
    Group(Owner, _owners, "owners by e-mail address and name"),
    Group(Activation, _activations, "identifiers of activations"),
    Group(Contract, _contracts, "contracts"),
    Group(Product, _products, "products"),
    Group(QueuedAssignment, _queued_assignments, "queued assignments"),
)


def find_anything(site: AdminSite, request: HttpRequest) -> HttpResponse:
    """What the text is in full leads to its page; what it is a part of is shown, with `from` in the address always."""
    finding = Finding(site, request, cleaned(request.GET.get("q", "")))
    groups = [group for group in GROUPS if finding.may_view(group.model)]
    if not groups:
        raise PermissionDenied
    exact = _exact(finding) if finding.text and "from" not in request.GET else []
    if len(exact) == 1:
        return HttpResponseRedirect(change_url(exact[0]))
    found = [_shown(finding, group) for group in groups] if finding.text else []
    context = {
        **site.each_context(request),
        "title": "Find",
        "query": finding.text,
        "groups": [shown for shown in found if shown["rows"]],
        "looks_at": _listed([group.looks_at for group in groups]),
        "notes": notes_on(finding.search, cut=False),
    }
    request.current_app = site.name  # as Django's own views do
    return TemplateResponse(request, "admin/find.html", context)


def _exact(finding: Finding) -> list[Model]:
    return [found for found in exact_matches(finding.text) if finding.may_view(type(found))]


def _shown(finding: Finding, group: Group) -> dict[str, Any]:
    pks, cut = finding.matches(group.model)
    rows = group.rows(finding, pks) if pks else []
    return {
        "title": str(group.model._meta.verbose_name_plural),
        "name": group.model._meta.model_name,
        "rows": rows,
        "count": Count(len(pks), cut),
        "more": cut or len(pks) > len(rows),
        "list_url": list_url(group.model),
    }


def _listed(words: Sequence[str]) -> str:
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else words[0]
