"""What the searches find, each by index and bounded."""

from collections.abc import Callable
from functools import cached_property
from typing import Any

from django.db.models import Model, QuerySet, Value
from django.db.models.functions import Lower

from licenses.models import (
    Activation,
    AuditEvent,
    Contract,
    LicenseKey,
    Owner,
    Product,
    QueuedAssignment,
    TelemetryRecord,
)
from licenses.reports.fragments import (
    Deadline,
    Matches,
    TooSlow,
    first_matches,
    has_trigrams,
    joined,
    pks_with,
    starts_in_any_case,
    starts_with,
    union,
)

ByBeginning = Callable[[type[Model], str, str], QuerySet[Any]]


class Search:
    """One text in every column that staff look for, anywhere in it and in any case; each column is searched once.

    One query per index instead of one OR over joins, which no database can answer from indexes.
    Only `beginnings` are compared when that is asked for, when the text is too short for an index, and after the search
    took too long without one (`too_slow`).
    """

    def __init__(self, text: str, *, beginnings: bool = False) -> None:
        self.text = text
        self.compared_beginnings = False  # whether any column was, so far
        self.too_slow = False
        self.beginnings = beginnings or not has_trigrams(text)
        self._deadline = Deadline()

    @cached_property
    def license_keys_by_text(self) -> Matches:
        return self._column(LicenseKey, "license_key")

    @cached_property
    def license_keys_by_reference(self) -> Matches:
        return self._column(LicenseKey, "reference")

    @cached_property
    def owners(self) -> Matches:
        """By e-mail address or name."""
        return union(self._column(Owner, "email", by=_folded), self._column(Owner, "name", by=_folded))

    @cached_property
    def activations_by_identifier(self) -> Matches:
        return self._column(Activation, "identifier")

    @cached_property
    def license_keys(self) -> Matches:
        """By their text, reference, owner or an identifier."""
        own = (self.license_keys_by_text, self.license_keys_by_reference)
        owners, activations = self.owners, self.activations_by_identifier
        others = first_matches(
            LicenseKey.objects.filter(owner__in=owners.pks),
            Activation.objects.filter(pk__in=activations.pks).values_list("license_key", flat=True),
        )
        return Matches(union(*own, others).pks, union(*own, others, owners, activations).cut)

    @cached_property
    def activations(self) -> Matches:
        """By their identifier or license key."""
        license_keys = self.license_keys_by_text
        others = first_matches(Activation.objects.filter(license_key__in=license_keys.pks))
        return union(self.activations_by_identifier, Matches(others.pks, others.cut or license_keys.cut))

    @cached_property
    def contracts(self) -> Matches:
        """By their name. The contract key in full finds it too; a piece of it is for those who may see it."""
        by_key = first_matches(Contract.objects.filter(contract_key=self.text))
        return union(self._column(Contract, "name", is_small=True), by_key)

    @cached_property
    def contracts_by_key(self) -> Matches:
        """By any piece of the contract key: whoever may ask this can put the whole of it together."""
        return self._column(Contract, "contract_key", is_small=True)

    @cached_property
    def products(self) -> Matches:
        columns = ("name", "slug", "external_reference")
        return union(*(self._column(Product, column, is_small=True) for column in columns))

    @cached_property
    def queued_assignments(self) -> Matches:
        """By the shop's identifier or the owner's e-mail address."""
        columns = ("identifier", "owner_email")
        return union(*(self._column(QueuedAssignment, column) for column in columns))

    def _column(
        self, model: type[Model], column: str, by: ByBeginning | None = None, *, is_small: bool = False
    ) -> Matches:
        """Where there are too many, those that begin with the text are among them. A small table is read as it is."""
        found = self._anywhere(model, column) if is_small or not self.beginnings else None
        if found is not None and not found.cut:
            return found
        self.compared_beginnings |= found is None
        beginning = first_matches((by or _beginning)(model, column, self.text))
        return union(found, beginning) if found else beginning

    def _anywhere(self, model: type[Model], column: str) -> Matches | None:
        try:
            return joined(pks_with(self.text, model, column, self._deadline))
        except TooSlow:
            self.too_slow = self.beginnings = True
            return None


def _beginning(model: type[Model], column: str, text: str) -> QuerySet[Any]:
    return model._default_manager.filter(starts_in_any_case(column, text))


def _folded(model: type[Model], column: str, text: str) -> QuerySet[Any]:
    """As `_beginning`, by the index on the column in small letters."""
    return model._default_manager.alias(folded=Lower(column)).filter(starts_with("folded", Lower(Value(text))))


def exact_matches(text: str) -> list[Model]:
    """What this text names in full: license keys, contracts by their contract key, owners by their e-mail address."""
    license_keys = LicenseKey.objects.filter(license_key__in={text, text.upper()}).order_by("pk")[:3]
    exactly = [found for found in license_keys if found.license_key == text]
    return [
        *(exactly or license_keys),
        *Contract.objects.filter(contract_key=text),
        *Owner.objects.with_email(text).order_by("pk")[:2],
    ]


def find_audit_events(text: str) -> Matches:
    """The newest audit events about one license key or owner, named in full, or by who began with `text`."""
    license_keys = LicenseKey.objects.filter(license_key=text).values_list("pk", flat=True)
    owners = Owner.objects.with_email(text).values_list("pk", flat=True)
    return first_matches(
        AuditEvent.objects.filter(object_type="licensekey", object_id__in=list(license_keys)).order_by("-pk"),
        AuditEvent.objects.filter(object_type="owner", object_id__in=list(owners)).order_by("-pk"),
        AuditEvent.objects.filter(starts_with("actor", text)).order_by("-pk"),
    )


def find_telemetry(text: str) -> Matches:
    """The newest records by the beginning of their license key."""
    return first_matches(TelemetryRecord.objects.filter(starts_with("license_key", text)).order_by("-pk"))
