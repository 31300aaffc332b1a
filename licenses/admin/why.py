"""What a license key would answer, why, since when, and the button that mends it. The rules are services/why.py's."""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property

from django import forms
from django.contrib.admin import AdminSite
from django.core.exceptions import ValidationError
from django.http import HttpRequest

from licenses.admin.display import change_url, distance, list_url
from licenses.codes import Code, response_of
from licenses.models import Activation, AuditEvent, BlockListEntry, LicenseKey, Product
from licenses.models.license_keys import UNLIMITED
from licenses.reports.timeline import newest_event, newest_status_event
from licenses.services.why import CALLS, would_answer

OFFERED = 20  # identifiers, and activations to choose from
LIVE_SHOWN = 5  # activations, to end one of them
LONGEST = 255


class IdentifierForm(forms.Form):
    """Where the customer's software runs, as it would send it: trimmed, and on one line."""

    identifier = forms.CharField(
        required=False,
        max_length=LONGEST,
        error_messages={"max_length": f"No identifier is longer than {LONGEST} characters: it is answered with 162."},
    )

    def clean_identifier(self) -> str:
        text: str = self.cleaned_data["identifier"]
        if not text.isprintable() and any(ord(character) < ord(" ") or character == "\x7f" for character in text):
            raise ValidationError("No identifier holds control characters: it is answered with 162.")
        return text


@dataclass(frozen=True)
class Mend:
    """A button (a verb on a row) or a link (without a verb) that mends what refuses."""

    label: str
    url: str
    verb: str = ""
    row: int = 0
    about: str = ""
    dangerous: bool = False


@dataclass(frozen=True)
class Reason:
    """Why: in plain words, since when, and what mends it. `hint` says what to do where no button can."""

    rule: str
    since: datetime | None = None
    mends: tuple[Mend, ...] = ()
    hint: str = ""

    @property
    def ago(self) -> str:
        return distance(self.since) if self.since else ""


@dataclass(frozen=True)
class Answer:
    """What an endpoint would answer."""

    endpoint: str
    code: Code
    reason: Reason

    @property
    def tone(self) -> str:
        return "quiet" if self.code is Code.IDENTIFIER_REQUIRED else "good" if self.code in FINE else "bad"

    @property
    def json(self) -> str:
        return json.dumps(response_of(self.code), indent=2)


FINE = {Code.VALID_LICENSE_KEY, Code.LICENSE_KEY_ACTIVATED, Code.LICENSE_KEY_ALREADY_ACTIVE}


class Rights:
    """What this member of staff may do, asked of the pages that do it."""

    def __init__(self, request: HttpRequest, site: AdminSite) -> None:
        self.request, self.site = request, site

    def button(self, row: LicenseKey | Activation | Product, verb: str, *, about: str = "") -> Iterator[Mend]:
        """The button of this verb, if they may."""
        page = self.site.get_model_admin(type(row))
        found = next(each for each in page.verbs if each.name == verb)  # type: ignore[attr-defined]
        if page.may(self.request, found):  # type: ignore[attr-defined]
            yield Mend(found.label, list_url(type(row)), verb, row.pk, about, found.dangerous)

    def may(self, right: str) -> bool:
        return bool(self.request.user.has_perm(f"licenses.{right}"))


class Case:
    """A license key, asked about from one identifier ("" for none)."""

    def __init__(self, found: LicenseKey, identifier: str, rights: Rights) -> None:
        self.found, self.identifier, self.rights = found, identifier, rights

    @cached_property
    def activation(self) -> Activation | None:
        """The activation there, live or ended."""
        return self.found.activations.filter(identifier=self.identifier).first() if self.identifier else None

    @cached_property
    def live(self) -> list[Activation]:
        """Some of those that run; the ones that were verified longest ago, as they are most likely to be forgotten."""
        rows = list(self.found.activations.live().order_by("-pk")[:OFFERED])
        return sorted(rows, key=lambda row: row.last_verified_at or row.activated_at)

    @cached_property
    def status_event(self) -> AuditEvent | None:
        """When the license key was blocked, or its product put away."""
        if self.found.is_blocked:
            return newest_event(self.found, "license_key.blocked")
        return None if self.found.product.is_active else newest_status_event(self.found.product)

    def answers(self) -> list[Answer]:
        answers = []
        for endpoint in CALLS:
            code = would_answer(endpoint, self.found, self.identifier)
            answers.append(Answer(endpoint, code, REASONS[code](self)))
        return answers


def _not_assigned(case: Case) -> Reason:
    if case.found.status == LicenseKey.Status.RESERVED:
        return Reason("It is reserved and belongs to nobody.", case.found.created_at)
    mends = tuple(case.rights.button(case.found, "assign"))
    return Reason("It belongs to nobody yet: a license key works once it is assigned.", case.found.created_at, mends)


def _product_inactive(case: Case) -> Reason:
    product = case.found.product
    since = case.status_event.occurred_at if case.status_event else None
    rule = f"Its product {product} is {product.get_status_display().lower()}, and with it every license key of it."
    return Reason(rule, since, tuple(case.rights.button(product, "activate_product", about=str(product))))


def _blocked(case: Case) -> Reason:
    event = case.status_event
    rule = f"It was blocked by {event.actor} ({event.get_door_display()})." if event else "It is blocked."
    return Reason(rule, event.occurred_at if event else None, tuple(case.rights.button(case.found, "unblock")))


def _expired(case: Case) -> Reason:
    rule = "It is past its expiry, and its product lets no expired license key work."
    return Reason(rule, case.found.expires_at, tuple(case.rights.button(case.found, "extend")))


def _no_identifier(case: Case) -> Reason:
    hint = "Type in where the software runs. Programs of the profile sdk need none at verify: they are answered 200."
    return Reason("The call does not say where the software runs.", hint=hint)


def _no_activation(case: Case) -> Reason:
    was = case.activation
    rule = "It was active there, and was deactivated." if was else "It was never activated there."
    hint = "Nothing to mend here: the software has to activate first. See what activate would answer."
    return Reason(rule, was.deactivated_at if was else None, hint=hint)


def _on_block_list(case: Case) -> Reason:
    entry = BlockListEntry.objects.matching(address="", identifiers=[case.identifier]).first()
    rule = "This identifier is on the block list: every call from there is refused, with whatever license key."
    if entry is None:  # taken off between the two questions
        return Reason(rule)
    if not case.rights.may("view_blocklistentry"):
        return Reason(rule, entry.created_at)
    note = f' The note there says: "{entry.reason}".' if entry.reason else ""
    link = (Mend("Show the entry", change_url(entry)),)
    return Reason(rule + note, entry.created_at, link)


def _limit_reached(case: Case) -> Reason:
    limit = case.found.activation_limit
    rule = "Its one place is taken." if limit == 1 else f"All of its {limit:,} places are taken."
    mends = [
        mend for row in case.live[:LIVE_SHOWN] for mend in case.rights.button(row, "deactivate_license", about=str(row))
    ]
    if case.rights.may("change_licensekey"):
        mends.append(Mend("Raise the limit", "#id_activation_limit"))
    since = max((row.activated_at for row in case.live), default=None)
    return Reason(rule, since, tuple(mends), "" if mends else "One of them has to be deactivated.")


def _valid(case: Case) -> Reason:
    if case.activation is None:
        return Reason("It may be used.")
    mends = tuple(case.rights.button(case.activation, "deactivate_license"))
    return Reason("It is active there.", case.activation.activated_at, mends)


def _would_activate(case: Case) -> Reason:
    again = "It was active there before and may be again. " if case.activation else ""
    room = "There is no limit." if case.found.activation_limit == UNLIMITED else "There is room for it."
    return Reason(again + room)


def _already_active(case: Case) -> Reason:
    since = case.activation.activated_at if case.activation else None
    return Reason("It is active there already, which is fine: the software goes on with verify.", since)


REASONS: dict[Code, Callable[[Case], Reason]] = {
    Code.ACCESS_DENIED: _on_block_list,
    Code.LICENSE_KEY_NOT_ASSIGNED: _not_assigned,
    Code.PRODUCT_INACTIVE: _product_inactive,
    Code.LICENSE_KEY_BLOCKED: _blocked,
    Code.LICENSE_KEY_EXPIRED: _expired,
    Code.IDENTIFIER_REQUIRED: _no_identifier,
    Code.NO_ACTIVATION_FOUND: _no_activation,
    Code.ACTIVATION_LIMIT_REACHED: _limit_reached,
    Code.VALID_LICENSE_KEY: _valid,
    Code.LICENSE_KEY_ACTIVATED: _would_activate,
    Code.LICENSE_KEY_ALREADY_ACTIVE: _already_active,
}
