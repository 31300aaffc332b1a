"""How values stand in the cells of a spreadsheet, and how they are read back."""

import json
import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from django.core.exceptions import ValidationError
from django.utils.dateparse import parse_date, parse_datetime
from import_export.widgets import Widget

LARGEST = 2_147_483_647  # what the columns hold
LONGEST = 200_000  # characters of a cell
ASSUMED = "No time zone in the cell means UTC."
YES, NO = ("yes", "true", "1"), ("no", "false", "0")


def cell_problem(text: str) -> str:
    """Why no column can hold the text of this cell, or nothing."""
    if len(text) > LONGEST:
        return f"A cell has {len(text):,} characters; {LONGEST:,} are the most."
    if not text.isprintable() and any(is_forbidden(character) for character in text):
        return "A cell has a control character in it (a NUL byte, for example): remove it."
    return ""


def is_forbidden(character: str) -> bool:
    return unicodedata.category(character) in ("Cc", "Cs") and character not in "\n\r\t"


class TextCell(Widget):
    """Text as it is. An empty cell empties it."""

    empties = True

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return str(value).strip()

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else str(value)


class ChoiceCell(TextCell):
    """One of some words, in any case; an empty cell is none of them."""

    empties = False

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return str(value).strip().lower()


class LongTextCell(TextCell):
    """Text of many lines, with the spaces that somebody put around it. Line ends are as spreadsheets keep them."""

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> str:
        return str(value).replace("\r\n", "\n")

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else str(value).replace("\r\n", "\n")


class NumberCell(TextCell):
    empties = False

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        text = str(value).strip()
        if not (text.isascii() and text.isdecimal() and len(text) <= len(str(LARGEST)) and int(text) <= LARGEST):
            raise ValueError(f"Write a whole number from 0 to {LARGEST}, without signs: 30.")
        return int(text)


class FlagCell(TextCell):
    empties = False

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        text = str(value).strip().lower()
        if text not in YES + NO:
            raise ValueError("Write yes or no.")
        return text in YES

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else ("yes" if value else "no")


class MomentCell(TextCell):
    empties = False

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        try:
            found = parse_datetime(str(value).strip()) or parse_date(str(value).strip())
        except ValueError:
            found = None
        if found is None:
            raise ValueError("Write a date as 2027-01-31 or 2027-01-31 18:30. " + ASSUMED)
        if not isinstance(found, datetime):
            found = datetime(found.year, found.month, found.day)
        try:
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
        except OverflowError as error:  # in UTC it is before the year 1 or after 9999
            raise ValueError("Write a date between the years 1 and 9999. " + ASSUMED) from error

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return value.astimezone(UTC).isoformat() if isinstance(value, datetime) else ""


class JsonCell(TextCell):
    empties = False

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        try:
            return json.loads(str(value))
        except (ValueError, RecursionError) as error:
            raise ValueError('Write a JSON object: {"export": true, "seats": 5}.') from error

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return json.dumps(value, ensure_ascii=False, sort_keys=True) if value not in (None, {}, []) else ""


class UuidCell(TextCell):
    empties = False

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        try:
            return UUID(str(value).strip())
        except ValueError as error:
            raise ValueError("Write a UUID, or leave the cell empty for a new one.") from error


class ReferenceCell(TextCell):
    """Another record by what people call it: `find` gives the record, or raises ValueError; asked once for a text."""

    empties = False

    def __init__(self, find: Callable[[str], Any], show: Callable[[Any], str]) -> None:
        super().__init__()
        self.find, self.show = find, show
        self.known: dict[str, Any] = {}

    def clean(self, value: Any, row: Any = None, **kwargs: Any) -> Any:
        text = str(value).strip()
        if text not in self.known:
            self.known[text] = self.find(text)
        return self.known[text]

    def render(self, value: Any, obj: Any = None, **kwargs: Any) -> str:
        return "" if value is None else self.show(value)


def messages_of(error: ValidationError) -> dict[str, list[str]]:
    """The messages by field; those of no field under an empty name."""
    if hasattr(error, "error_dict"):
        return {("" if name == "__all__" else name): texts for name, texts in error.message_dict.items()}
    return {"": error.messages}
