"""What the searches find, each by index and bounded."""

from typing import Any, NamedTuple

from django.db import connection
from django.db.models import Q, QuerySet, Value
from django.db.models.functions import Concat, Lower

from licenses.models import Activation, AuditEvent, LicenseKey, Owner, TelemetryRecord

MATCH_CAP = 500  # a search looks at this many matches of each kind
LAST_CHARACTER = "\U0010ffff"


class Matches(NamedTuple):
    """What a search found. `cut` says that there are more than these."""

    pks: set[int]
    cut: bool


def find_license_keys(text: str) -> Matches:
    """License keys by the beginning of their text, reference, owner's e-mail or name, or of an identifier.

    One query per index instead of one OR over joins, which no database can answer from indexes.
    """
    owners = find_owners(text)
    matches = _first_matches(
        _license_keys_by_text(text),
        LicenseKey.objects.filter(_starts_with("reference", text)),
        LicenseKey.objects.filter(owner__in=owners.pks),
        Activation.objects.filter(_starts_with("identifier", text)).values_list("license_key", flat=True),
    )
    return Matches(matches.pks, matches.cut or owners.cut)


def _license_keys_by_text(text: str) -> QuerySet[LicenseKey]:
    """Those that begin with `text`, also where somebody wrote it in small letters."""
    return LicenseKey.objects.filter(_starts_with("license_key", text) | _starts_with("license_key", text.upper()))


def find_owners(text: str) -> Matches:
    """Owners by the beginning of their e-mail address or name, whatever its case."""
    owners = Owner.objects.alias(folded_email=Lower("email"), folded_name=Lower("name"))
    return _first_matches(
        owners.filter(_starts_with("folded_email", Lower(Value(text)))),
        owners.filter(_starts_with("folded_name", Lower(Value(text)))),
    )


def find_activations(text: str) -> Matches:
    """Activations by the beginning of their identifier or of their license key."""
    license_keys = _first_matches(_license_keys_by_text(text))
    return _first_matches(
        Activation.objects.filter(_starts_with("identifier", text)),
        Activation.objects.filter(license_key__in=license_keys.pks),
    )


def find_audit_events(text: str) -> Matches:
    """The newest audit events about one license key or owner, named in full, or by who began with `text`."""
    license_keys = LicenseKey.objects.filter(license_key=text).values_list("pk", flat=True)
    owners = Owner.objects.with_email(text).values_list("pk", flat=True)
    return _first_matches(
        AuditEvent.objects.filter(object_type="licensekey", object_id__in=list(license_keys)).order_by("-pk"),
        AuditEvent.objects.filter(object_type="owner", object_id__in=list(owners)).order_by("-pk"),
        AuditEvent.objects.filter(_starts_with("actor", text)).order_by("-pk"),
    )


def find_telemetry(text: str) -> Matches:
    """The newest records by the beginning of their license key."""
    return _first_matches(TelemetryRecord.objects.filter(_starts_with("license_key", text)).order_by("-pk"))


def _first_matches(*searches: QuerySet[Any]) -> Matches:
    found = [list(_pks(rows)[: MATCH_CAP + 1]) for rows in searches]
    return Matches(
        {pk for pks in found for pk in pks[:MATCH_CAP]},
        any(len(pks) > MATCH_CAP for pks in found),
    )


def _pks(rows: QuerySet[Any]) -> QuerySet[Any]:
    """The primary keys, unless the search says which column it is after.

    The models' own order is dropped: for it a database would rather read the table from its end than the index.
    """
    rows = rows if rows.query.order_by else rows.order_by()
    return rows if rows.query.values_select else rows.values_list("pk", flat=True)


def _starts_with(field: str, text: str | Lower) -> Q:
    """Rows whose `field` begins with `text`, by index: LIKE on PostgreSQL; on SQLite, whose LIKE reads all, a range."""
    if connection.vendor == "sqlite":
        prefix = Value(text) if isinstance(text, str) else text
        return Q((f"{field}__gte", text), (f"{field}__lt", Concat(prefix, Value(LAST_CHARACTER))))
    return Q((f"{field}__startswith", text))
