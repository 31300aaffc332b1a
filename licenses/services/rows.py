"""What the rows of bulk work have in common: what a text in them may be, and what became of them."""

import hashlib
import unicodedata
from dataclasses import dataclass
from typing import Generic, NamedTuple, TypeVar

from django.core.exceptions import ValidationError
from django.core.validators import validate_email

from licenses.models import Product

LENGTHS = {"license_key": 255, "owner_email": 254, "owner_name": 255, "reference": 255}
SHOWN = 60  # characters of a bad value that a message repeats

RowT = TypeVar("RowT")


class RowOutcome(NamedTuple, Generic[RowT]):
    """What became of one row: a word, the license key it is about, and what is wrong if it was refused."""

    row: RowT
    outcome: str
    license_key: str = ""
    problem: str = ""


def text_problem(name: str, value: str) -> str:
    """What is wrong with the text of the column `name` (one of `LENGTHS`), or nothing."""
    if not value.isprintable() and any(unicodedata.category(character) in ("Cc", "Cs") for character in value):
        return f"{name} has a control character in it (a NUL byte or a line break, for example): remove it."
    if len(value) > LENGTHS[name]:
        return f"{name} is {len(value):,} characters long: {LENGTHS[name]} is the most."
    return ""


def shown(value: str) -> str:
    """A value from outside inside a message: in quotes, and shortened."""
    return f"“{value if len(value) <= SHOWN else value[:SHOWN] + '…'}”"


@dataclass(frozen=True, slots=True)
class RequestedRow:
    """One row: which license key (empty: any available one of the product) goes to whom.

    `times` counts the rows up to this one that say the same: two equal rows want two license keys. `problem` is what
    the reader of the file found wrong with it; such a row is refused.
    """

    line: int
    license_key: str = ""
    owner_email: str = ""
    owner_name: str = ""
    reference: str = ""
    times: int = 1
    problem: str = ""

    def digest(self, product: Product | None) -> str:
        """What the row says, wherever in the file it stands; the product counts where it gives the license key."""
        origin = (self.license_key,) if self.license_key else ("", product.pk if product else None)
        said = (origin, self.owner_email.lower(), self.owner_name, self.reference, self.times)
        place = self.line if self.problem else 0
        return hashlib.sha256(repr((said, place)).encode()).hexdigest()[:32]


def problem_with(row: RequestedRow, product: Product | None) -> str:
    """Why the row cannot be assigned whatever the stock holds, or nothing."""
    if row.problem:
        return row.problem
    for name in LENGTHS:
        if problem := text_problem(name, getattr(row, name)):
            return problem
    if not (row.owner_email or row.owner_name):
        return "There is no owner: give an owner_email, an owner_name or both."
    if row.owner_email and not _is_email(row.owner_email):
        return f"owner_email {shown(row.owner_email)} is not an e-mail address (name@example.com)."
    if not (row.license_key or product):
        return "There is no license_key, and no product was named to take an available one from."
    return ""


def _is_email(text: str) -> bool:
    try:
        validate_email(text)
    except ValidationError:
        return False
    return True
