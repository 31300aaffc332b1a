"""THE TABLE of settings. It drives the API, the admin, the start-up checks and the documentation.

Adding a setting is adding a row.
"""

import json
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

Value = str | bool | int

MAX_TEXT_LENGTH = 255
_WORDS = {"true": True, "yes": True, "on": True, "1": True, "false": False, "no": False, "off": False, "0": False}
_MASK_WIDTH = 16  # the same for every secret, so that a mask does not tell how long the secret is
_SHOWN = 4
_MASK = re.compile(r"[*•●]{4}|^[*•●]+$")


def _text(text: str) -> str:
    tidy = text.strip()
    tidy.encode()  # a lone surrogate is a ValueError
    if len(tidy) > MAX_TEXT_LENGTH or any(unicodedata.category(character) == "Cc" for character in tidy):
        raise ValueError("not a text of one line")
    return tidy


def _truth(text: str) -> bool:
    word = text.strip().lower()
    if word not in _WORDS:
        raise ValueError("not true or false")
    return _WORDS[word]


def _number(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,9}", text.strip(), re.ASCII):
        raise ValueError("not a whole number")
    return int(text)


class Kind(NamedTuple):
    """What a setting holds: in words, as a type of JSON, and how a text is read (ValueError for nonsense)."""

    expected: str
    json_type: type
    parse: Callable[[str], Value]


TEXT = Kind(f"a text of one line, at most {MAX_TEXT_LENGTH} characters", str, _text)
TRUTH = Kind("true or false", bool, _truth)
NUMBER = Kind("a whole number of at most nine digits", int, _number)


@dataclass(frozen=True)
class Parameter:
    """One row. Only a text may be empty; a `secret` leaves the portal masked, whoever asks."""

    name: str  # in the API
    label: str  # for people
    variable: str  # the environment variable that locks it; its name with _FILE names a file that holds the value
    kind: Kind
    default: Value
    help: str
    secret: bool = False
    required: bool = False
    may_be_empty: bool = False

    @property
    def file_variable(self) -> str:
        return f"{self.variable}_FILE"

    def from_text(self, text: str) -> Value:
        """What a form or a command was given, as JSON would say it. Nonsense stays as it is, for `accept` to refuse."""
        try:
            return self.kind.parse(text)
        except ValueError:
            return text

    def accept(self, value: object) -> Value:
        """The new value, tidied. ValueError says what is wrong in words for people, without the value."""
        if value is None and self.required:
            raise ValueError(f"{self.label} is required")
        try:
            accepted = self._parse(value)
        except ValueError:
            raise ValueError(f"{self.label} must be {self.kind.expected}") from None
        if accepted == "" and not self.may_be_empty:
            raise ValueError(f"{self.label} is required")
        if self.secret and _MASK.search(str(accepted)):
            raise ValueError(
                f"{self.label} looks like a mask: give the whole value, or the mask exactly as it is shown to keep it"
            )
        return accepted

    def _parse(self, value: object) -> Value:
        if type(value) is not self.kind.json_type:  # `True` is an int to isinstance
            raise ValueError("another type")
        return self.kind.parse(value if isinstance(value, str) else json.dumps(value))


def mask(value: Value) -> str:
    """A secret as it may be seen: of fixed width, with the last four characters only of 16 or more."""
    text = str(value)
    shown = text[-_SHOWN:] if len(text) >= _MASK_WIDTH else ""
    return "*" * (_MASK_WIDTH - len(shown)) + shown


TABLE: tuple[Parameter, ...] = (
    Parameter(
        name="licenseKey",
        label="License Key",
        variable="LICENSE_KEY",
        kind=TEXT,
        default="",
        help="The license key that this installation itself runs under.",
        secret=True,
        required=True,
    ),
)


def as_markdown() -> str:
    """The table for the documentation."""
    head = "| field | what it is | type | variable | or a file named by |\n|---|---|---|---|---|"
    return "\n".join(
        [
            head,
            *(f"| `{p.name}` | {p.help} | {_type(p)} | `{p.variable}` | `{p.file_variable}` |" for p in TABLE),
        ]
    )


def _type(parameter: Parameter) -> str:
    traits = ("secret", "required", "may_be_empty")
    return ", ".join([parameter.kind.expected, *(t.replace("_", " ") for t in traits if getattr(parameter, t))])
