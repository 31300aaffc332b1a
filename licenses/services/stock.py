"""The stock of license keys: bringing in those that exist elsewhere, and making new ones."""

import secrets
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction

from licenses.codes import Code, Refused
from licenses.events import Kind, event, record_many
from licenses.models import Actor, LicenseKey, Product
from licenses.models.license_keys import MAX_VALIDITY_DAYS, NEVER_EXPIRES
from licenses.services.rows import RowOutcome, shown, text_problem

MAX_ACTIVATION_LIMIT = 2_147_483_647  # what the column holds
MAX_QUANTITY = 10_000  # license keys in one transaction
IMPORTABLE = (LicenseKey.Status.AVAILABLE, LicenseKey.Status.RESERVED)
ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"  # 32 letters that nobody confuses: 5 bits each
GROUPS, GROUP_LENGTH = 5, 5  # 25 letters are 125 random bits (S19)
ROUNDS = (1, 2, 4, 8, 16)  # texts drawn for each one that is missing
SPARE = 250  # texts drawn at least, once there was a collision
ATTEMPTS = range(3)  # for the unlikely case that another transaction draws the same at the same time


class ImportOutcome(StrEnum):
    IMPORTED = "imported"
    EXISTS = "exists"  # with this product, limit and validity: what an earlier run of the same file leaves
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class StockRow:
    """One license key to bring in. `problem` is what the reader of the file found wrong with it."""

    line: int
    license_key: str
    activation_limit: int = 1
    validity_days: int = NEVER_EXPIRES
    status: str = LicenseKey.Status.AVAILABLE
    reference: str = ""
    problem: str = ""


Outcome = RowOutcome[StockRow]


def import_batch(*, rows: Sequence[StockRow], product: Product, actor: Actor) -> list[Outcome]:
    """Store these license keys, all in one transaction; outcomes in the rows' order, words of `ImportOutcome`."""
    try:
        return _import(rows, product=product, actor=actor)
    except IntegrityError:  # another transaction has stored one of them just now; this time we see it
        return _import(rows, product=product, actor=actor)


@transaction.atomic
def _import(rows: Sequence[StockRow], *, product: Product, actor: Actor) -> list[Outcome]:
    problems = {row.line: _problem_with(row) for row in rows}
    texts = {row.license_key for row in rows if not problems[row.line]}
    known = {found.license_key: found for found in LicenseKey.objects.filter(license_key__in=texts)}
    outcomes, new = [], []
    for row in rows:
        outcome = _judge(row, problems[row.line], known.get(row.license_key), product)
        if outcome.outcome == ImportOutcome.IMPORTED:
            known[row.license_key] = _license_key(row, product)
            new.append(known[row.license_key])
        outcomes.append(outcome)
    store_new(new, actor=actor)
    return outcomes


def _judge(row: StockRow, problem: str, known: LicenseKey | None, product: Product) -> Outcome:
    if not problem and known is None:
        return Outcome(row, ImportOutcome.IMPORTED, row.license_key)
    if not problem and known and _is_same(row, known, product):
        return Outcome(row, ImportOutcome.EXISTS, row.license_key)
    problem = problem or "This license key exists already, with another product, activation limit or validity."
    return Outcome(row, ImportOutcome.REFUSED, row.license_key, problem)


def _is_same(row: StockRow, known: LicenseKey, product: Product) -> bool:
    """Whether this is the license key that the row asks for; its status and reference may have changed since."""
    return (known.product_id, known.activation_limit, known.validity_days) == (
        product.pk,
        row.activation_limit,
        row.validity_days,
    )


def _problem_with(row: StockRow) -> str:
    return (
        row.problem
        or ("" if row.license_key else "There is no license_key.")
        or text_problem("license_key", row.license_key)
        or text_problem("reference", row.reference)
        or number_problem("activation_limit", row.activation_limit, most=MAX_ACTIVATION_LIMIT)
        or number_problem("validity_days", row.validity_days, most=MAX_VALIDITY_DAYS)
        or ("" if row.status in IMPORTABLE else f"status {shown(row.status)} is neither available nor reserved.")
    )


def number_problem(name: str, value: int, *, most: int) -> str:
    """What is wrong with the number in the column `name`, or nothing."""
    return "" if 0 <= value <= most else f"{name} must be a whole number from 0 to {most}."


def _license_key(row: StockRow, product: Product) -> LicenseKey:
    return LicenseKey(
        product=product,
        license_key=row.license_key,
        activation_limit=row.activation_limit,
        validity_days=row.validity_days,
        status=row.status,
        reference=row.reference,
    )


def generate_text() -> str:
    """A license key's text of 125 random bits, in groups that can be read out."""
    groups = ("".join(secrets.choice(ALPHABET) for _ in range(GROUP_LENGTH)) for _ in range(GROUPS))
    return "-".join(groups)


class NotGenerated(Refused):
    """Not all of the license keys that were asked for could be made, so none was. `reason` says why, to people."""

    def __init__(self, code: Code, reason: str, *, product_id: int | None = None, **fields: Any) -> None:
        super().__init__(code, product_id=product_id, **fields)
        self.reason = reason


@transaction.atomic
def generate_license_keys(
    *,
    product: Product,
    quantity: int,
    activation_limit: int = 1,
    validity_days: int = NEVER_EXPIRES,
    draw: Callable[[], str] = generate_text,
    actor: Actor,
) -> list[LicenseKey]:
    """New available license keys, 1 to `MAX_QUANTITY` of them; `draw` makes a text of at least 120 random bits.

    ValidationError names a number that is out of its range.
    """
    require_terms(quantity, activation_limit, validity_days)

    def build(text: str) -> LicenseKey:
        return _license_key(StockRow(0, text, activation_limit, validity_days), product)

    return make_license_keys(quantity=quantity, draw=draw, build=build, actor=actor)


def require_terms(quantity: int, activation_limit: int, validity_days: int) -> None:
    """ValidationError names the number that is out of its range."""
    problems = [
        "" if 1 <= quantity <= MAX_QUANTITY else f"Generate 1 to {MAX_QUANTITY} license keys at a time.",
        number_problem("activation_limit", activation_limit, most=MAX_ACTIVATION_LIMIT),
        number_problem("validity_days", validity_days, most=MAX_VALIDITY_DAYS),
    ]
    if found := [problem for problem in problems if problem]:
        raise ValidationError(found)


def make_license_keys(
    *, quantity: int, draw: Callable[[], str], build: Callable[[str], LicenseKey], actor: Actor
) -> list[LicenseKey]:
    """Store and record license keys that `build` makes of texts that `draw` draws. Call it inside a transaction.

    NotGenerated, with how many there could be as `available_quantity`, when `draw` has hardly any text left.
    """
    for _ in ATTEMPTS:
        texts = unused_texts(quantity, draw)
        try:
            with transaction.atomic():
                return store_new(map(build, texts), actor=actor)
        except IntegrityError:  # another transaction has stored one of them just now
            continue
    reason = "Others have stored the same license keys at the same time. Nothing was made; try again."
    raise NotGenerated(Code.NOT_ENOUGH_LICENSE_KEYS, reason, available_quantity=0)


def unused_texts(quantity: int, draw: Callable[[], str]) -> list[str]:
    """As many texts that are no license key yet. With 125 random bits the first round is enough.

    Each further round draws more for every text that is missing; after the last nine tenths of the space are taken.
    """
    texts: set[str] = set()
    for factor in ROUNDS:
        wanted = (quantity - len(texts)) * factor
        drawn = {draw() for _ in range(wanted if factor == 1 else min(max(wanted, SPARE), MAX_QUANTITY))}
        texts |= drawn - set(LicenseKey.objects.filter(license_key__in=drawn).values_list("license_key", flat=True))
        if len(texts) >= quantity:
            return list(texts)[:quantity]
    raise _used_up(len(texts), quantity)


def _used_up(found: int, quantity: int) -> NotGenerated:
    reason = (
        f"Only {found:,} of {quantity:,} license keys could be made, so none was: most texts that were drawn are "
        "license keys already. Hardly any is left; more or longer chunks, or more characters, give new ones."
    )
    return NotGenerated(Code.NOT_ENOUGH_LICENSE_KEYS, reason, available_quantity=found)


def store_new(keys: Iterable[LicenseKey], *, actor: Actor) -> list[LicenseKey]:
    """Insert the license keys in the order of their texts (no two batches deadlock) and record each."""
    stored = LicenseKey.objects.bulk_create(sorted(keys, key=lambda found: found.license_key))
    record_many(event(Kind.LICENSE_KEY_CREATED, found, actor=actor, after=_facts(found)) for found in stored)
    return stored


def _facts(found: LicenseKey) -> dict[str, object]:
    facts: dict[str, object] = {"product": found.product.name, "status": found.status}
    if found.contract_id:
        facts["contract"] = found.contract_id
    return facts
