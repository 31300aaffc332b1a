"""Changing settings: the one check that the API, the admin and the command go through."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from settings_api import vault
from settings_api.models import Setting
from settings_api.parameters import Parameter, Value
from settings_api.resolve import Resolved, Source, resolve_all

UNKNOWN = "(unknown)"  # what the audit calls a field that is not in the table: its name may be anything, a secret too

Errors = dict[str, list[str]]
Change = tuple[Parameter, Value | None]  # None: back to the default


@dataclass(frozen=True)
class Caller:
    """Who asks: a name people recognise, the door ("settings", "admin", "command") and the right to change."""

    name: str
    door: str
    may_change: bool
    address: str | None = None


class Refusal(Exception):
    """Nothing was changed. `errors` says why, by field; `message` sums it up."""

    message = "Validation failed"

    def __init__(self, errors: Errors) -> None:
        super().__init__(self.message)
        self.errors = errors


class Forbidden(Refusal):
    message = "You may not change the portal's settings."


class Invalid(Refusal):
    pass


class Locked(Refusal):
    def __init__(self, names: list[str]) -> None:
        super().__init__({name: ["Field is not overridable"] for name in names})
        one = f"Field {names[0]} cannot be overridden because it is defined by an environment variable."
        many = f"Fields {', '.join(names)} cannot be overridden because they are defined by environment variables."
        self.message = one if len(names) == 1 else many


def change_settings(sent: Mapping[str, object], *, caller: Caller, replace: bool) -> int:
    """Set what was sent, by name and as values of JSON, all of it or nothing; returns how many differ from before.

    With `replace` a field that is missing goes back to its default, and a required one may not be missing. The current
    value, or its mask as it was served, changes nothing. Raises Forbidden, Invalid or Locked, in this order; each
    change and each refused field leaves an audit row.
    """
    try:
        with transaction.atomic():
            return _change(sent, caller=caller, replace=replace)
    except Refusal as refusal:
        record_refused(refusal.errors or sent, caller=caller)
        raise


def record_refused(names: Iterable[str], *, caller: Caller) -> None:
    """Audit a try that was refused: one row for each field, or one for a try that named none."""
    resolved = resolve_all()
    known = {name if name in resolved else UNKNOWN for name in names} or {UNKNOWN}
    for name in sorted(known):
        source = resolved[name].source if name in resolved else Source.DEFAULT
        _record("setting.refused", name=name, source=source, caller=caller)


def _change(sent: Mapping[str, object], *, caller: Caller, replace: bool) -> int:
    if not caller.may_change:
        raise Forbidden({})
    resolved = resolve_all()
    changes = _changes(sent, resolved, replace=replace)
    locked = [parameter.name for parameter, _ in changes if resolved[parameter.name].locked_by]
    if locked:
        raise Locked(locked)
    for parameter, value in changes:
        _write(parameter, value, caller=caller)
    return len(changes)


def _changes(sent: Mapping[str, object], resolved: Mapping[str, Resolved], *, replace: bool) -> list[Change]:
    """What differs from now, in the order of the table; Invalid names every field that cannot be set so."""
    errors: Errors = {name: ["Unknown field"] for name in sent if name not in resolved}
    changes: list[Change] = []
    for name, now in resolved.items():
        try:
            changes += _change_of(now, sent, replace=replace)
        except ValueError as error:
            errors[name] = [str(error)]
    if errors:
        raise Invalid(errors)
    return changes


def _change_of(now: Resolved, sent: Mapping[str, object], *, replace: bool) -> list[Change]:
    """The one change of this setting, or none. ValueError when it cannot be set so."""
    parameter = now.parameter
    if parameter.name not in sent:
        return _change_of_missing(now) if replace else []
    value = sent[parameter.name]
    if now.is_masked and value == now.shown:
        return []
    accepted = parameter.accept(value)
    return [] if accepted == now.value else [(parameter, accepted)]


def _change_of_missing(now: Resolved) -> list[Change]:
    if now.parameter.required:
        raise ValueError(f"{now.parameter.label} is required")
    return [(now.parameter, None)] if now.source is Source.DATABASE else []


def _write(parameter: Parameter, value: Value | None, *, caller: Caller) -> None:
    # The row is made before it is locked: two first changes at once then wait for each other like any other two
    Setting.objects.bulk_create([Setting(name=parameter.name)], ignore_conflicts=True)
    row = Setting.objects.select_for_update().get(name=parameter.name)
    if _holds(row, parameter, value):
        return
    row.encrypted_value = None if value is None else vault.encrypt(parameter, value)
    row.save(update_fields=["encrypted_value", "updated_at"])
    source = Source.DEFAULT if value is None else Source.DATABASE
    _record("setting.changed", name=parameter.name, source=source, caller=caller)


def _holds(row: Setting, parameter: Parameter, value: Value | None) -> bool:
    """Whether another request wrote this very value while this one waited for the row."""
    if row.encrypted_value is None:
        return value is None
    try:
        return vault.decrypt(parameter, bytes(row.encrypted_value)) == value
    except vault.Unreadable:
        return False


def _record(kind: str, *, name: str, source: Source, caller: Caller) -> None:
    record = import_string(settings.SETTINGS_API["RECORD"])
    record(kind, name=name, actor=caller.name, address=caller.address, door=caller.door, source=source.value)
