"""What stands on an owner's page beside the form: license keys with their verbs, and where they run."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.contrib.admin import AdminSite
from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from licenses.admin.display import change_url, list_url, row_count, status_badge
from licenses.admin.why import Mend, Rights
from licenses.models import Activation, LicenseKey, Owner
from licenses.models.license_keys import UNLIMITED
from licenses.reports.owner_page import (
    SHOWN,
    figures_of,
    license_keys_of,
    live_activations_of_owner,
    refused_lately,
)
from licenses.services.why import refused_everywhere


@dataclass(frozen=True)
class KeyRow:
    """A license key of the owner. `refused` counts the calls of the last days; `code` is the number that all get."""

    license_key: Any
    url: str
    badge: SafeString
    code: int | str
    refused: int
    verbs: tuple[Mend, ...]

    @property
    def places(self) -> str:
        limit = self.license_key.activation_limit
        return f"{row_count(self.license_key.live_count)} of {'∞' if limit == UNLIMITED else format(limit, ',')}"


@dataclass(frozen=True)
class PlaceRow:
    """Where one of the license keys runs."""

    activation: Activation
    url: str
    license_key_url: str
    verbs: tuple[Mend, ...]


def sections(request: HttpRequest, site: AdminSite, owner: Owner) -> dict[str, Any]:
    """The parts of the page that this member of staff may look at."""
    rights = Rights(request, site)
    context: dict[str, Any] = {"back": request.get_full_path()}
    if rights.may("view_licensekey"):
        rows = license_keys_of(owner)
        context |= {
            "figures": figures_of(owner, timezone.now()),
            "license_keys": _key_rows(rows[:SHOWN], rights),
            "more_license_keys": len(rows) > SHOWN,
            "license_keys_url": list_url(LicenseKey, owner__id__exact=owner.pk),
        }
    if rights.may("view_licensekey") and rights.may("view_activation"):
        live = live_activations_of_owner(owner)
        context |= {
            "places": [_place_row(row, rights) for row in live[:SHOWN]],
            "more_places": len(live) > SHOWN,
            "places_url": list_url(Activation, license_key__owner__id__exact=owner.pk, state="active"),
        }
    return context


def _key_rows(rows: list[Any], rights: Rights) -> list[KeyRow]:
    refused = refused_lately(rows, timezone.now())
    return [_key_row(row, refused.get(row.pk, 0), rights) for row in rows]


def _key_row(row: Any, refused: int, rights: Rights) -> KeyRow:
    code = refused_everywhere(row)
    number = code.value.number if code else ""
    return KeyRow(row, change_url(row), status_badge(row), number, refused, tuple(_verbs(row, rights)))


def _verbs(row: LicenseKey, rights: Rights) -> Iterator[Mend]:
    """The few that a call is about; the license key's own page has all of them."""
    if row.is_blocked:
        yield from rights.button(row, "unblock")
        return
    if row.expires_at is not None:
        yield from rights.button(row, "extend")
    yield from rights.button(row, "block")


def _place_row(row: Activation, rights: Rights) -> PlaceRow:
    verbs = tuple(rights.button(row, "deactivate_license"))
    return PlaceRow(row, change_url(row), change_url(row.license_key), verbs)
