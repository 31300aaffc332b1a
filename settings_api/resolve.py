"""A setting's value now, where it comes from and what locks it: environment > NAME_FILE > database > default."""

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured

from settings_api import parameters, vault
from settings_api.models import Setting
from settings_api.parameters import Parameter, Value, mask

UNREADABLE = "The stored value cannot be decrypted with any of VAULT_KEYS: put its key back, or enter the value again."


class Source(StrEnum):
    ENVIRONMENT = "environment"
    FILE = "file"
    DATABASE = "database"
    DEFAULT = "default"


@dataclass(frozen=True)
class Resolved:
    """A setting's value with its origin. `locked_by` is a variable's name; `note` tells staff what was ignored."""

    parameter: Parameter
    value: Value = field(repr=False)  # a frame or a log line that shows this object shows no secret
    source: Source
    locked_by: str | None = None
    note: str = ""

    @property
    def is_masked(self) -> bool:
        return self.parameter.secret and self.value != ""

    @property
    def shown(self) -> Value:
        """The value as it may leave the portal."""
        return mask(self.value) if self.is_masked else self.value


def resolve(name: str) -> Resolved:
    """The setting of this name; KeyError when the table has none."""
    return resolve_all()[name]


def resolve_all() -> dict[str, Resolved]:
    """Every setting of the table by name, in its order. ImproperlyConfigured when a variable holds nonsense."""
    rows = {row.name: bytes(row.encrypted_value) for row in Setting.objects.all() if row.encrypted_value is not None}
    return {parameter.name: pinned(parameter) or _stored(parameter, rows) for parameter in parameters.TABLE}


def pinned(parameter: Parameter) -> Resolved | None:
    """What the environment says, or None when it leaves the setting free."""
    for source, variable, text in _readings(parameter):
        if text.strip() or parameter.may_be_empty:
            return Resolved(parameter, _parse(parameter, source, variable, text), source, locked_by=variable)
    return None


def ignored_variables() -> list[str]:
    """The variables that are set but empty where the setting may not be, and therefore lock nothing."""
    return [
        variable
        for parameter in parameters.TABLE
        for _, variable, text in _readings(parameter)
        if not text.strip() and not parameter.may_be_empty
    ]


def check_environment() -> None:
    """Parse every variable once, so that nonsense stops the boot and not a request."""
    for parameter in parameters.TABLE:
        pinned(parameter)


def _readings(parameter: Parameter) -> Iterator[tuple[Source, str, str]]:
    """What is set for this parameter, the strongest first. Read as it is, so that a value may start with `$`."""
    if (text := os.environ.get(parameter.variable)) is not None:
        yield Source.ENVIRONMENT, parameter.variable, text
    if (path := os.environ.get(parameter.file_variable)) is not None:
        yield Source.FILE, parameter.file_variable, _read_file(parameter, path) if path.strip() else ""


def _read_file(parameter: Parameter, path: str) -> str:
    """A lock that cannot be read does not open: the file's absence is an error, not a missing value."""
    try:
        return Path(path.strip()).read_text(encoding="utf-8")
    except (OSError, ValueError):
        raise ImproperlyConfigured(
            f"The environment variable {parameter.file_variable} must name a file of UTF-8 text that can be read."
        ) from None


def _parse(parameter: Parameter, source: Source, variable: str, text: str) -> Value:
    """ImproperlyConfigured names the variable and what was expected, never the value, also not as its cause."""
    try:
        return parameter.kind.parse(text)
    except ValueError:
        what = "The file named by the environment variable" if source is Source.FILE else "The environment variable"
        raise ImproperlyConfigured(f"{what} {variable} must be {parameter.kind.expected}.") from None


def _stored(parameter: Parameter, rows: Mapping[str, bytes]) -> Resolved:
    ignored = [variable for _, variable, _ in _readings(parameter)]
    notes = [f"The environment variable {variable} is set but empty, so it is ignored." for variable in ignored]
    try:
        if parameter.name in rows:
            value = vault.decrypt(parameter, rows[parameter.name])
            return Resolved(parameter, value, Source.DATABASE, note=" ".join(notes))
    except vault.Unreadable:
        notes.append(UNREADABLE)
    return Resolved(parameter, parameter.default, Source.DEFAULT, note=" ".join(notes))
