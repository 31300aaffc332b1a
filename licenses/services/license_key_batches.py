"""Creating license keys in number, on terms that a shop's program gives for each."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from typing import NamedTuple

from django.db import IntegrityError, transaction
from django.utils import timezone

from licenses.codes import Code, Refused
from licenses.events import record_many
from licenses.models import Actor, Generator, LicenseKey, Owner, Product
from licenses.models.license_keys import NEVER_EXPIRES
from licenses.services.generators import drawer
from licenses.services.license_keys import assigned_event
from licenses.services.owners import find_or_create_owners
from licenses.services.stock import generate_text, store_new, unused_texts

Status = LicenseKey.Status
ATTEMPTS = range(20)  # many calls with the same texts at once: each fails only when another has stored some of them


@dataclass(frozen=True, slots=True)
class NewLicenseKey:
    """One license key to create. An empty text is drawn: by the generator if one is given, else by the portal.

    Limit and validity in days are the generator's where they are None. Without a status one whose owner is named is
    assigned, any other available. Owners without an e-mail address are different
    people unless they have the same name and the same `buyer`.
    """

    product: Product
    license_key: str = ""
    generator: Generator | None = None
    owner_name: str = ""
    owner_email: str = ""
    buyer: int = 0
    activation_limit: int | None = None
    validity_days: int | None = None
    status: str = ""
    assigned_at: datetime | None = None

    @property
    def names_owner(self) -> bool:
        return bool(self.owner_name or self.owner_email)

    @property
    def final_status(self) -> str:
        return self.status or (Status.ASSIGNED if self.names_owner else Status.AVAILABLE)

    @property
    def is_owned(self) -> bool:
        """An assigned one always is; a blocked one if anything is said about it, as it may have been assigned."""
        said = self.names_owner or bool(self.assigned_at)
        return self.final_status == Status.ASSIGNED or (self.final_status == Status.BLOCKED and said)


class Created(NamedTuple):
    """How many license keys were created, and how many are known already or stood there twice."""

    created: int
    duplicate: int


def create_license_keys(*, rows: Sequence[NewLicenseKey], actor: Actor) -> Created:
    """Store the license keys that are new, all in one transaction; refuses 902 when none is.

    Owner and date of an available or a reserved one are passed over: it has none.
    """
    for _ in ATTEMPTS:
        with suppress(IntegrityError):
            return _create(rows, actor=actor)
    return _create(rows, actor=actor)


@transaction.atomic
def _create(rows: Sequence[NewLicenseKey], *, actor: Actor) -> Created:
    new: dict[str, NewLicenseKey] = {}
    for row in _with_texts(rows):
        new.setdefault(row.license_key, row)
    for text in LicenseKey.objects.filter(license_key__in=list(new)).values_list("license_key", flat=True):
        del new[text]
    if not new:
        raise Refused(Code.NO_LICENSE_KEYS_CREATED, product_id=rows[0].product.pk)
    owned = [row for row in new.values() if row.is_owned]
    owners = dict(zip((row.license_key for row in owned), _owners(owned, actor=actor), strict=True))
    now = timezone.now()
    stored = store_new([_license_key(row, owners.get(text), now) for text, row in new.items()], actor=actor)
    record_many(assigned_event(found, actor=actor) for found in stored if found.owner_id)
    return Created(len(new), len(rows) - len(new))


def _with_texts(rows: Sequence[NewLicenseKey]) -> list[NewLicenseKey]:
    """The rows, with texts drawn for those that have none."""
    wanted: dict[Generator | None, int] = defaultdict(int)
    for row in rows:
        wanted[row.generator] += not row.license_key
    texts = {
        generator: iter(unused_texts(quantity, drawer(generator) if generator else generate_text))
        for generator, quantity in wanted.items()
        if quantity
    }
    return [row if row.license_key else replace(row, license_key=next(texts[row.generator])) for row in rows]


def _owners(rows: Iterable[NewLicenseKey], *, actor: Actor) -> list[Owner]:
    wanted = [(row.buyer, row.owner_name, row.owner_email) for row in rows]
    different = list(dict.fromkeys(wanted))
    owners = find_or_create_owners([(name, email) for _, name, email in different], actor=actor)
    found = dict(zip(different, owners, strict=True))
    return [found[buyer] for buyer in wanted]


def _license_key(row: NewLicenseKey, owner: Owner | None, now: datetime) -> LicenseKey:
    limit = row.generator.activation_limit if row.generator else 1
    days = row.generator.validity_days if row.generator else NEVER_EXPIRES
    made = LicenseKey(
        product=row.product,
        license_key=row.license_key,
        status=row.final_status,
        owner=owner,
        activation_limit=limit if row.activation_limit is None else row.activation_limit,
        validity_days=days if row.validity_days is None else row.validity_days,
    )
    if owner:
        made.assigned_at = row.assigned_at or now
        made.expires_at = made.expiry_from(made.assigned_at)
    return made
