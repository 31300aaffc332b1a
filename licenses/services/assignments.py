"""Bulk assignment: rows that each give a license key to an owner, in batches of one transaction each.

An `Assignment` remembers the rows that are done, in the transaction that did them. So a run that was killed at any
moment is started again: what is done stays, what is missing is done, nothing is done twice.
"""

from collections import Counter
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from licenses.models import Actor, Assignment, AssignmentRow, LicenseKey, Product
from licenses.services.license_keys import hand_over, store_handed_over
from licenses.services.owners import find_or_create_owners
from licenses.services.rows import RequestedRow, RowOutcome, problem_with

UNAVAILABLE = {
    LicenseKey.Status.ASSIGNED: "This license key is assigned already.",
    LicenseKey.Status.RESERVED: "This license key is reserved: make it available first.",
    LicenseKey.Status.BLOCKED: "This license key is blocked.",
}
ASSIGNED, REFUSED = AssignmentRow.Outcome.ASSIGNED, AssignmentRow.Outcome.REFUSED
EARLIER = "assigned earlier"  # by another assignment, and left as it is


class Decision(NamedTuple):
    """The license key that a row gets, or the problem because of which it gets none."""

    row: RequestedRow
    found: LicenseKey | None
    problem: str = ""

    def outcome(self) -> RowOutcome[RequestedRow]:
        if self.found is None:
            return RowOutcome(self.row, REFUSED, self.row.license_key, self.problem)
        return RowOutcome(self.row, ASSIGNED, self.found.license_key)


@dataclass
class Plan:
    """What a dry run has to remember between two batches: how far into the stock it has come."""

    stock_until: int = 0


class Overlap(NamedTuple):
    """An earlier assignment that has done `rows` of the rows asked about."""

    assignment: Assignment
    rows: int


def find_assignment(digest: str, *, again: bool = False, corrects: Assignment | None = None) -> Assignment | None:
    """The assignment that a run of the file with this SHA-256 goes on with, if there is one.

    It is the last one this file had, or else the one whose file it `corrects`. With `again`, a finished one does not
    count; an unfinished one is finished first in any case.
    """
    return _to_go_on_with(_last(digest), again=again, corrects=corrects)


def _to_go_on_with(last: Assignment | None, *, again: bool, corrects: Assignment | None) -> Assignment | None:
    if last and last.finished_at and again:
        return None
    return last or corrects


def _last(digest: str) -> Assignment | None:
    """Files that were uploaded in the admin are a worker's, not a command's."""
    return Assignment.objects.filter(digest=digest, uploaded=False).order_by("-repetition").first()


def next_repetition(digest: str) -> int:
    last = Assignment.objects.filter(digest=digest).order_by("-repetition").first()
    return last.repetition + 1 if last else 1


def find_overlap(batches: Iterable[Sequence[RequestedRow]], *, product: Product | None) -> Overlap | None:
    """The assignment that gave license keys from stock to most of these rows, if one did.

    A file that was corrected after its first run looks like this: its other rows must not get a second license key.
    """
    counts: Counter[int] = Counter()
    for rows in batches:
        digests = [row.digest(product) for row in rows if not row.license_key]
        done = AssignmentRow.objects.filter(digest__in=digests, outcome=ASSIGNED)
        counts.update(done.values_list("assignment", flat=True))
    for assignment_id, count in counts.most_common(1):
        return Overlap(Assignment.objects.get(pk=assignment_id), count)
    return None


@transaction.atomic
def begin_assignment(
    *, digest: str, source: str, rows_total: int, again: bool = False, corrects: Assignment | None = None
) -> Assignment:
    """The assignment to work on: what `find_assignment` finds, its refused rows to be tried again, or a new one."""
    last = _last(digest)
    found = _to_go_on_with(last, again=again, corrects=corrects)
    if found is None:
        return _open_assignment(digest=digest, repetition=next_repetition(digest), source=source, rows_total=rows_total)
    found = Assignment.objects.select_for_update().get(pk=found.pk)
    found.digest, found.source, found.rows_total, found.finished_at = digest, source[:255], rows_total, None
    found.state = Assignment.State.RUNNING
    found.save(update_fields=["digest", "source", "rows_total", "finished_at", "state"])
    found.rows.filter(outcome=REFUSED).delete()
    return found


def _open_assignment(*, digest: str, repetition: int, source: str, rows_total: int) -> Assignment:
    try:
        with transaction.atomic():
            return Assignment.objects.create(
                digest=digest, repetition=repetition, source=source[:255], rows_total=rows_total
            )
    except IntegrityError:  # another process has begun the same file just now: both work on one assignment
        return Assignment.objects.get(digest=digest, repetition=repetition)


def count_done(assignment: Assignment | None) -> int:
    """How many rows the assignment has done so far."""
    return assignment.rows.filter(outcome=ASSIGNED).count() if assignment else 0


def finish_assignment(assignment: Assignment) -> None:
    """Note that a run came to the end of the file."""
    Assignment.objects.filter(pk=assignment.pk).update(finished_at=timezone.now(), state=Assignment.State.DONE)


@transaction.atomic
def assign_batch(
    *,
    rows: Sequence[RequestedRow],
    product: Product | None = None,
    assignment: Assignment | None = None,
    named: Container[str] = (),
    actor: Actor,
) -> list[RowOutcome[RequestedRow]]:
    """Assign these rows, all in one transaction; outcomes in the rows' order, "assigned" or "refused".

    Rows without a license key get one from the stock of `product`, but none of `named`: those are meant for other
    rows. With an `assignment`, rows that it has done already are not done again; those that any other one has done
    are "assigned earlier" where it was uploaded and does not say `again`.
    """
    if assignment:
        Assignment.objects.select_for_update().get(pk=assignment.pk)  # one process at a time works on a file
    done = _done(rows, product=product, assignment=assignment)
    todo = [row for row in rows if row.line not in done]
    decisions = _decide(todo, product=product, named=named, plan=None)
    references = _hand_over([decision for decision in decisions if decision.found], actor=actor)
    if assignment:
        _remember(decisions, references, product=product, assignment=assignment)
    return _outcomes(rows, done, decisions)


def plan_batch(
    *,
    rows: Sequence[RequestedRow],
    product: Product | None = None,
    assignment: Assignment | None = None,
    named: Container[str] = (),
    plan: Plan,
) -> list[RowOutcome[RequestedRow]]:
    """What `assign_batch` would answer, without a write or a lock. Give every batch of a file the same `plan`."""
    done = _done(rows, product=product, assignment=assignment)
    todo = [row for row in rows if row.line not in done]
    return _outcomes(rows, done, _decide(todo, product=product, named=named, plan=plan))


def _done(
    rows: Sequence[RequestedRow], *, product: Product | None, assignment: Assignment | None
) -> dict[int, RowOutcome[RequestedRow]]:
    """The rows that the assignment has done already, by line."""
    if assignment is None:
        return {}
    by_digest = {row.digest(product): row for row in rows}
    done = AssignmentRow.objects.filter(digest__in=by_digest, outcome=ASSIGNED)
    if not assignment.uploaded or assignment.again:
        done = done.filter(assignment=assignment)
    outcomes = {}
    for digest, number, license_key in done.values_list("digest", "assignment", "license_key__license_key"):
        row, outcome = by_digest[digest], ASSIGNED if number == assignment.pk else EARLIER
        outcomes[row.line] = RowOutcome(row, outcome, license_key or row.license_key)
    return outcomes


def _outcomes(
    rows: Sequence[RequestedRow], done: dict[int, RowOutcome[RequestedRow]], decisions: list[Decision]
) -> list[RowOutcome[RequestedRow]]:
    decided = {decision.row.line: decision.outcome() for decision in decisions}
    return [done.get(row.line) or decided[row.line] for row in rows]


def _decide(
    rows: Sequence[RequestedRow], *, product: Product | None, named: Container[str], plan: Plan | None
) -> list[Decision]:
    """Who gets what, in the order of the rows; a real run locks the license keys, a dry run has a plan instead."""
    problems = {row.line: problem_with(row, product) for row in rows}
    sound = [row for row in rows if not problems[row.line]]
    keys = _named_keys({row.license_key for row in sound if row.license_key}, lock=plan is None)
    wanted = sum(not row.license_key for row in sound)
    stock = _stock(product, wanted, apart_from=(keys, named), plan=plan)
    decisions = []
    for row in rows:
        if problems[row.line]:
            decisions.append(Decision(row, None, problems[row.line]))
        elif row.license_key:
            decisions.append(_take(row, keys))
        else:
            found = next(stock, None)
            decisions.append(
                Decision(row, found, "" if found else f"No license key of {product} is available any more.")
            )
    return decisions


def _take(row: RequestedRow, keys: dict[str, LicenseKey | None]) -> Decision:
    """Take the named license key out of `keys`; the next row that names it finds None there."""
    if row.license_key not in keys:
        return Decision(row, None, "There is no such license key.")
    found = keys[row.license_key]
    if found is None:
        return Decision(row, None, UNAVAILABLE[LicenseKey.Status.ASSIGNED])
    if found.status != LicenseKey.Status.AVAILABLE:
        return Decision(row, None, UNAVAILABLE[LicenseKey.Status(found.status)])
    keys[row.license_key] = None
    return Decision(row, found)


def _named_keys(texts: set[str], *, lock: bool) -> dict[str, LicenseKey | None]:
    """The license keys with these texts, locked in the order of their numbers so that no two batches deadlock."""
    keys = LicenseKey.objects.filter(license_key__in=texts).order_by("pk")
    return {found.license_key: found for found in (keys.select_for_update() if lock else keys)}


def _stock(
    product: Product | None, wanted: int, *, apart_from: tuple[Container[str], ...], plan: Plan | None
) -> Iterator[LicenseKey]:
    """Available license keys of the product, the oldest first. Those another transaction holds are passed over."""
    keys = LicenseKey.objects.available().filter(product=product).order_by("pk")
    if plan is None:
        keys = keys.select_for_update(skip_locked=connection.features.has_select_for_update_skip_locked)
    until = plan.stock_until if plan else 0
    while wanted and (page := list(keys.filter(pk__gt=until)[:wanted])):
        for found in page:
            until = found.pk
            if any(found.license_key in texts for texts in apart_from):
                continue
            if plan:
                plan.stock_until = until
            yield found


def _hand_over(decisions: list[Decision], *, actor: Actor) -> dict[int, str]:
    """Gives the references that the license keys had before, by their numbers."""
    wanted = [(decision.row.owner_name, decision.row.owner_email) for decision in decisions]
    owners, now = find_or_create_owners(wanted, actor=actor), timezone.now()
    keys, before = [], {decision.found.pk: decision.found.reference for decision in decisions if decision.found}
    for decision, owner in zip(decisions, owners, strict=True):
        if decision.found:
            hand_over(decision.found, to=owner, at=now, reference=decision.row.reference)
            keys.append(decision.found)
    store_handed_over(keys, actor=actor)
    return before


def _remember(
    decisions: list[Decision], references: dict[int, str], *, product: Product | None, assignment: Assignment
) -> None:
    rows: dict[str, AssignmentRow] = {}
    for row, found, problem in decisions:
        digest, outcome = row.digest(product), ASSIGNED if found else REFUSED
        rows.setdefault(  # of two rows that say the same, the first counts
            digest,
            AssignmentRow(
                assignment=assignment,
                digest=digest,
                line=row.line,
                license_key=found,
                outcome=outcome,
                problem=problem[:255],
                assigned_at=found.assigned_at if found else None,
                reference_before=references[found.pk] if found else "",
            ),
        )
    AssignmentRow.objects.bulk_create(
        rows.values(),
        update_conflicts=True,
        unique_fields=["digest", "assignment"],
        update_fields=["line", "license_key", "outcome", "problem", "assigned_at", "reference_before"],
    )
