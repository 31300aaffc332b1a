"""What a worker does with uploaded assignments: check them, run them, undo them; batch by batch.

A batch is one transaction with the count of what it did. A worker has a lease on what it works on, which each batch
renews. When it is killed, the lease ends, another worker takes over after the last batch, and the first, if it was
only asleep, finds out before it writes.
"""

import logging
from collections.abc import Callable, Container, Sequence
from datetime import timedelta
from functools import partial
from itertools import dropwhile
from typing import Any

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import QuerySet
from django.utils import timezone

from licenses.events import Kind, record
from licenses.models import Actor, Assignment, AssignmentRow, Door
from licenses.services.assignment_files import StoredCsv, stored_file
from licenses.services.assignment_undo import undo_rows
from licenses.services.assignments import ASSIGNED, EARLIER, REFUSED, Plan, assign_batch, plan_batch
from licenses.services.batches import batched, give_way
from licenses.services.csv_files import Seen
from licenses.services.retries import UNHURRIED, retried
from licenses.services.rows import RequestedRow, RowOutcome

logger = logging.getLogger(__name__)

State = Assignment.State
Between = Callable[[], bool]

LEASE = timedelta(minutes=1)  # a batch takes less than a second; between two, a worker may deliver to slow shops
BATCH = 500  # rows, as the command's


class Lost(Exception):
    """Somebody has paused it, or another worker has it: what this one was about to write is not written."""


def due() -> QuerySet[Assignment]:
    return Assignment.objects.filter(due_at__lte=timezone.now())


def work_on_next_assignment(*, between: Between) -> Assignment | None:
    """Work on the assignment that is due longest, to its end; None when none is. Not for a transaction.

    `between` is called after each batch: true asks to stop, and the next worker goes on at once.
    """
    if not due().exists():  # SQLite would let nobody else write for the answer "none"
        return None
    assignment = retried(_claim)
    if assignment is None:
        return None
    try:
        WORK[State(assignment.state)](assignment, between)
    except (InterfaceError, OperationalError):  # the database is away: the lease ends, somebody goes on
        raise
    except Lost:
        logger.info("Assignment %s was paused, or another worker has it", assignment.pk)
    except Exception as error:
        logger.exception("Assignment %s could not be worked on", assignment.pk)
        retried(partial(_fail, assignment, f"It could not be done ({type(error).__name__}): the log says why."))
    return assignment


@transaction.atomic
def _claim() -> Assignment | None:
    skip_locked = connection.features.has_select_for_update_skip_locked
    held = due().select_for_update(skip_locked=skip_locked).order_by("due_at", "pk").first()
    return _renewed(held) if held else None


def _renewed(held: Assignment) -> Assignment:
    """The lease is told from an earlier one by its end."""
    held.due_at = timezone.now() + LEASE
    held.save()
    return held


def _hold(assignment: Assignment) -> Assignment:
    """The assignment as it is stored, locked, if it is still this worker's."""
    held = Assignment.objects.select_for_update().filter(pk=assignment.pk, due_at=assignment.due_at).first()
    if held is None:
        raise Lost
    return held


@transaction.atomic
def _release(assignment: Assignment) -> None:
    held = _hold(assignment)
    held.due_at = timezone.now()
    held.save()


# Checking


def _check(assignment: Assignment, between: Between) -> None:
    """Begins at the beginning, also after another worker's half."""
    assignment = retried(partial(_begin, assignment), patience=UNHURRIED)
    file, plan = stored_file(assignment), Plan()
    named = _named(file, assignment)
    for rows in batched(file.rows(Seen()), BATCH):
        work: dict[str, Any] = {"product": assignment.product, "assignment": assignment, "named": named}
        outcomes = plan_batch(rows=rows, **work, plan=plan)
        assignment = retried(partial(_note, assignment, outcomes), patience=UNHURRIED)
        give_way()
        if between():
            retried(partial(_release, assignment))
            return
    retried(partial(_end, assignment, State.READY))


@transaction.atomic
def _begin(assignment: Assignment) -> Assignment:
    held = _hold(assignment)
    held.rows.filter(outcome=REFUSED).delete()
    held.rows_assigned = held.rows_refused = held.rows_earlier = held.position = 0
    return _renewed(held)


@transaction.atomic
def _note(assignment: Assignment, outcomes: list[RowOutcome[RequestedRow]]) -> Assignment:
    """Count what a run would do, and name the rows that it would refuse."""
    held = _hold(assignment)
    AssignmentRow.objects.bulk_create(
        AssignmentRow(
            assignment=held,
            digest=outcome.row.digest(held.product),
            line=outcome.row.line,
            outcome=REFUSED,
            problem=outcome.problem[:255],
        )
        for outcome in outcomes
        if outcome.outcome == REFUSED
    )
    return _renewed(_counted(held, outcomes))


def _counted(held: Assignment, outcomes: Sequence[RowOutcome[RequestedRow]]) -> Assignment:
    words = [outcome.outcome for outcome in outcomes]
    held.rows_assigned += words.count(ASSIGNED)
    held.rows_refused += words.count(REFUSED)
    held.rows_earlier += words.count(EARLIER)
    held.position = outcomes[-1].row.line
    return held


# Running


def _run(assignment: Assignment, between: Between) -> None:
    if assignment.position == 0:  # the rows that the check has refused are tried, like all others
        assignment = retried(partial(_begin, assignment), patience=UNHURRIED)
    file, done_until = stored_file(assignment), assignment.position
    named = _named(file, assignment)
    todo = dropwhile(lambda row: row.line <= done_until, file.rows(Seen()))
    for rows in batched(todo, BATCH):
        assignment = retried(partial(_run_batch, assignment, rows, named), patience=UNHURRIED)
        give_way()
        if between():
            retried(partial(_release, assignment))
            return
    retried(partial(_end, assignment, State.DONE))


@transaction.atomic
def _run_batch(assignment: Assignment, rows: list[RequestedRow], named: Container[str]) -> Assignment:
    held = _hold(assignment)
    outcomes = assign_batch(rows=rows, product=held.product, assignment=held, named=named, actor=starter_of(held))
    return _renewed(_counted(held, outcomes))


def _named(file: StoredCsv, assignment: Assignment) -> Container[str]:
    """The license keys that rows name: the stock keeps them for those rows."""
    if "license_key" not in assignment.columns or assignment.product is None:
        return ()
    seen = Seen()
    for row in file.rows():
        if row.license_key:
            seen.add(row.license_key, row.line)
    return seen


# Undoing


def _undo(assignment: Assignment, between: Between) -> None:
    after = 0
    while rows := list(assignment.rows.filter(outcome=ASSIGNED, problem="", line__gt=after).order_by("line")[:BATCH]):
        assignment = retried(partial(_undo_batch, assignment, rows), patience=UNHURRIED)
        after = rows[-1].line
        give_way()
        if between():
            retried(partial(_release, assignment))
            return
    retried(partial(_end, assignment, State.UNDONE))


@transaction.atomic
def _undo_batch(assignment: Assignment, rows: list[AssignmentRow]) -> Assignment:
    held = _hold(assignment)
    undone = undo_rows(rows, assignment=held, actor=_undoer_of(held))
    held.rows_undone += undone
    held.rows_kept += len(rows) - undone
    return _renewed(held)


# The end


def starter_of(assignment: Assignment) -> Actor:
    """Whose work it is, whoever runs the worker."""
    return Actor(Door.ADMIN, assignment.started_by or "worker", assignment.started_from)


def _undoer_of(assignment: Assignment) -> Actor:
    return Actor(Door.ADMIN, assignment.undone_by, assignment.undone_from)


@transaction.atomic
def _end(assignment: Assignment, state: Assignment.State) -> None:
    held = _hold(assignment)
    held.state, held.due_at = state, None
    if state == State.DONE:
        held.finished_at = timezone.now()
        after = {"assigned": held.rows_assigned, "refused": held.rows_refused, "assigned earlier": held.rows_earlier}
        record(Kind.ASSIGNMENT_FINISHED, held, actor=starter_of(held), after=after)
    elif state == State.UNDONE:
        after = {"undone": held.rows_undone, "kept": held.rows_kept}
        record(Kind.ASSIGNMENT_UNDONE, held, actor=_undoer_of(held), after=after)
    held.save()


@transaction.atomic
def _fail(assignment: Assignment, problem: str) -> None:
    """Whatever it was: staff see it, and can have it tried again."""
    held = Assignment.objects.select_for_update().get(pk=assignment.pk)
    if held.due_at is None:  # somebody has ended it in the meantime
        return
    actor = _undoer_of(held) if held.undone_by else starter_of(held)
    held.state, held.due_at, held.problem = State.FAILED, None, problem[:255]
    held.finished_at = held.finished_at or timezone.now()
    held.save()
    record(Kind.ASSIGNMENT_FAILED, held, actor=actor, after={"problem": held.problem})


WORK: dict[Assignment.State, Callable[[Assignment, Between], None]] = {
    State.CHECKING: _check,
    State.RUNNING: _run,
    State.UNDOING: _undo,
}
