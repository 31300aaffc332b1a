"""The sentence at the top of a license key's page, and the panel "What would this license key answer?"."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils import timezone
from django.utils.formats import date_format

from licenses.admin.display import distance, row_count
from licenses.admin.why import OFFERED, REASONS, Case, IdentifierForm, Mend, Rights
from licenses.codes import Code
from licenses.models import LicenseKey, RefusedCall
from licenses.models.license_keys import UNLIMITED
from licenses.reports.timeline import identifiers_of
from licenses.services.why import refused_everywhere

SOON_DAYS = 30
LATELY = 5  # refused identifiers that are one click away
SHOWN = 300  # characters of what was typed in


@dataclass(frozen=True)
class State:
    """The license key in one sentence, the rule behind it, and what mends it."""

    tone: str
    sentence: str
    rule: str = ""
    mends: tuple[Mend, ...] = ()
    code: Code | None = None  # with which it is refused everywhere


def panel(request: HttpRequest, site: AdminSite, found: Any) -> dict[str, Any]:
    """What the page of a license key shows; the identifier asked about is in the query. Reads alone."""
    form = IdentifierForm(request.GET)
    asked = form.is_valid()
    identifier = form.cleaned_data.get("identifier", "") if asked else ""
    rights = Rights(request, site)
    refused = list(found.refused_calls.all()[:OFFERED])
    state = state_of(found, rights)
    return {
        "state": state,
        "offered_above": {mend.verb for mend in state.mends},
        "answers": Case(found, identifier, rights).answers() if asked else [],
        "identifier": identifier,
        "typed": request.GET.get("identifier", "")[:SHOWN],
        "problems": form.errors.get("identifier", []),
        "offered": list(identifiers_of(found, refused=refused, cap=OFFERED)),
        "lately": _lately(refused),
        "back": request.get_full_path(),
    }


def _lately(refused: list[RefusedCall]) -> list[RefusedCall]:
    """The newest refusal of each identifier."""
    newest: dict[str, RefusedCall] = {}
    for call in refused:
        if call.identifier:
            newest.setdefault(call.identifier, call)
    return list(newest.values())[:LATELY]


def state_of(found: Any, rights: Rights) -> State:
    """`found` with its `live_count`."""
    code = refused_everywhere(found)
    if code is None:
        return _good(found)
    reason = REASONS[code](Case(found, "", rights))
    at = reason.since if code in DATED else None
    since = f" on {date_format(timezone.localtime(at), 'j F Y')}" if at else ""
    sentence = f"This license key is refused everywhere: {WORDS[code](found)}{since} ({code.value.number})."
    return State("bad", sentence, reason.rule, reason.mends, code)


DATED = (Code.LICENSE_KEY_BLOCKED, Code.LICENSE_KEY_EXPIRED)
WORDS: dict[Code, Callable[[LicenseKey], str]] = {
    Code.LICENSE_KEY_NOT_ASSIGNED: lambda found: f"it is {found.get_status_display().lower()} and belongs to nobody",
    Code.PRODUCT_INACTIVE: lambda found: f"its product is {found.product.get_status_display().lower()}",
    Code.LICENSE_KEY_BLOCKED: lambda found: "it was blocked",
    Code.LICENSE_KEY_EXPIRED: lambda found: "it expired",
}


def _good(found: Any) -> State:
    limit, live = found.activation_limit, found.live_count
    free = "without a limit" if limit == UNLIMITED else f"{limit:,} {'place is' if limit == 1 else 'places are'} free"
    if live == 0:
        return State("good", f"This license key is good and active nowhere yet: {free}.{_expiry(found)}")
    if limit == UNLIMITED:
        places = "1 place" if live == 1 else f"{row_count(live)} places"
        return State("good", f"This license key works in {places}, without a limit.{_expiry(found)}")
    text = f"This license key works in {row_count(live)} of {limit:,} {'place' if limit == 1 else 'places'}."
    if live < limit:
        return State("good", text + _expiry(found))
    taken = "It is taken" if limit == 1 else "All are taken"
    return State("warn", f"{text} {taken}: another one is refused (302).{_expiry(found)}")


def _expiry(found: LicenseKey) -> str:
    """Said where somebody will soon ask about it."""
    at = found.expires_at
    if at is None:
        return ""
    on = date_format(timezone.localtime(at), "j F Y")
    if found.is_expired(timezone.now()):
        return f" It expired on {on}, but its product lets expired license keys work."
    soon = (at - timezone.now()).days < SOON_DAYS
    return f" It expires on {on}, {distance(at)}." if soon else ""
